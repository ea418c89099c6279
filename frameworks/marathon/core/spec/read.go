package spec

import (
	"encoding/json"
	"slices"
	"strings"
)

// New builds a definition from what was sent: typed reading, translation of
// deprecated members, defaults, rules. id is the absolute id the app gets; the
// object's own is ignored. Version members are ignored too. The error is *Problems.
func New(rules Rules, id string, obj Object) (*App, error) {
	rep := &report{message: InvalidJSON}
	r := reader{rep, "", obj}
	old := r.deprecated()
	a := r.app(id)
	if err := rep.err(); err != nil {
		return nil, err
	}
	rep = &report{message: NotValid}
	checkMixedForms(rep, a, old)
	translate(a, old, rules)
	normalize(a, rules)
	check(rep, a, rules)
	if err := rep.err(); err != nil {
		return nil, err
	}
	refuseUnsupported(rep, a)
	return a, rep.err()
}

// ID is the member "id" made absolute below base.
func (o Object) ID(base string) (string, error) {
	rep := &report{message: InvalidJSON}
	raw := reader{rep, "", o}.required("id")
	if err := rep.err(); err != nil {
		return "", err
	}
	rep.message = NotValid
	id := CanonicalID(base, raw)
	checkID(rep, "/id", id)
	return id, rep.err()
}

// Version is the stored version an update asks to go back to; ok is false when
// it asks for something else.
func (o Object) Version() (v Timestamp, ok bool, err error) {
	text, given := o["version"].(string)
	if !given {
		return 0, false, nil
	}
	for name, v := range o {
		if name != "version" && name != "id" && v != nil {
			return 0, false, Refuse("/version", "The 'version' field may only be combined with the 'id' field.")
		}
	}
	if v, err = ParseTimestamp(text); err != nil {
		return 0, false, Refuse("/version", "%v", err)
	}
	return v, true, nil
}

// Load reads back what App.JSON wrote. It trusts the content.
func Load(b []byte) (*App, error) {
	obj, err := Decode(b)
	if err != nil {
		return nil, err
	}
	rep := &report{message: InvalidJSON}
	r := reader{rep, "", obj}
	a := r.app(r.str("id"))
	a.Role = r.str("role")
	a.Version = r.timestamp("version")
	if info := r.object("versionInfo"); info != nil {
		a.VersionInfo = VersionInfo{info.timestamp("lastScalingAt"), info.timestamp("lastConfigChangeAt")}
	}
	return a, rep.err()
}

func (r reader) timestamp(name string) Timestamp {
	v, err := ParseTimestamp(r.required(name))
	if err != nil {
		r.rep.add(r.at(name), "%v", err)
	}
	return v
}

// app reads all members that are not deprecated, with their defaults.
func (r reader) app(id string) *App {
	a := &App{
		ID:                    id,
		AcceptedResourceRoles: r.strings("acceptedResourceRoles"),
		Args:                  r.strings("args"),
		BackoffFactor:         r.number("backoffFactor", 1.15),
		BackoffSeconds:        r.integer("backoffSeconds", 1),
		Check:                 r.raw("check"),
		Cmd:                   r.str("cmd"),
		Constraints:           r.constraints("constraints"),
		Container:             r.container(),
		CPUs:                  r.number("cpus", 1),
		Dependencies:          r.strings("dependencies"),
		Disk:                  r.number("disk", 0),
		Env:                   r.env(),
		Executor:              r.str("executor"),
		ExecutorResources:     r.executorResources(),
		Fetch:                 r.fetches(),
		GPUs:                  r.integer("gpus", 0),
		HealthChecks:          r.healthChecks(),
		Instances:             r.integer("instances", 1),
		KillSelection:         r.enum("killSelection", "KillSelection", YoungestFirst, YoungestFirst, OldestFirst),
		Labels:                r.stringMap("labels"),
		MaxLaunchDelaySeconds: r.integer("maxLaunchDelaySeconds", 300),
		Mem:                   r.number("mem", 128),
		Networks:              r.networks(),
		PortDefinitions:       r.portDefinitions(),
		ReadinessChecks:       r.readinessChecks(),
		RequirePorts:          r.boolean("requirePorts", false),
		ResourceLimits:        r.resourceLimits(),
		Role:                  r.str("role"),
		Secrets:               r.secrets(),
		User:                  r.str("user"),
	}
	if r.has("taskKillGracePeriodSeconds") {
		a.TaskKillGracePeriodSeconds = new(r.integer("taskKillGracePeriodSeconds", 0))
	}
	if r.has("tty") {
		a.TTY = new(r.boolean("tty", false))
	}
	for i, d := range a.Dependencies {
		a.Dependencies[i] = CanonicalID(Parent(id), d)
	}
	a.UnreachableStrategy = r.unreachable(a.Resident())
	a.UpgradeStrategy = r.upgrade(a)
	return a
}

// Kill selections.
const (
	YoungestFirst = "YOUNGEST_FIRST"
	OldestFirst   = "OLDEST_FIRST"
)

func (r reader) raw(name string) Object {
	if o := r.object(name); o != nil {
		return o.obj
	}
	return nil
}

func (r reader) env() map[string]EnvValue {
	o := r.object("env")
	if o == nil {
		return nil
	}
	env := map[string]EnvValue{}
	for _, k := range o.keys() {
		if _, secret := o.obj[k].(map[string]any); secret {
			env[k] = EnvValue{Secret: o.object(k).required("secret")}
			continue
		}
		env[k] = EnvValue{Value: o.str(k)}
	}
	return env
}

func (r reader) secrets() map[string]Secret {
	o := r.object("secrets")
	if o == nil {
		return nil
	}
	secrets := map[string]Secret{}
	for _, k := range o.keys() {
		if s := o.object(k); s != nil {
			secrets[k] = Secret{s.required("source")}
		}
	}
	return secrets
}

func (r reader) executorResources() *ExecutorResources {
	o := r.object("executorResources")
	if o == nil {
		return nil
	}
	return &ExecutorResources{o.number("cpus", 0.1), o.number("mem", 32), o.number("disk", 10)}
}

func (r reader) resourceLimits() *ResourceLimits {
	o := r.object("resourceLimits")
	if o == nil {
		return nil
	}
	return &ResourceLimits{o.limit("cpus"), o.limit("mem")}
}

func (r reader) limit(name string) *Limit {
	switch v := r.obj[name].(type) {
	case nil:
		return nil
	case string:
		if v != "unlimited" {
			r.wrong(name, `error.expected.jsnumber: a number or "unlimited"`)
		}
		return &Limit{Unlimited: true}
	}
	return &Limit{Amount: r.number(name, 0)}
}

func (r reader) fetches() []Fetch {
	var out []Fetch
	r.objects("fetch", func(r reader) {
		out = append(out, Fetch{
			URI:        r.required("uri"),
			Extract:    r.boolean("extract", true),
			Executable: r.boolean("executable", false),
			Cache:      r.boolean("cache", false),
			DestPath:   r.str("destPath"),
		})
	})
	return out
}

// networks is nil when the member is absent.
func (r reader) networks() []Network {
	if r.array("networks") == nil {
		return nil
	}
	out := []Network{}
	r.objects("networks", func(r reader) {
		out = append(out, Network{
			Mode:   r.enum("mode", "NetworkMode", ContainerNetwork, ContainerNetwork, BridgeNetwork, HostNetwork),
			Name:   r.str("name"),
			Labels: r.stringMap("labels"),
		})
	})
	return out
}

// portDefinitions is nil when the member is absent.
func (r reader) portDefinitions() []PortDefinition {
	if r.array("portDefinitions") == nil {
		return nil
	}
	out := []PortDefinition{}
	r.objects("portDefinitions", func(r reader) {
		out = append(out, PortDefinition{
			Labels:   r.stringMap("labels"),
			Name:     r.str("name"),
			Port:     r.integer("port", 0),
			Protocol: r.protocol(),
		})
	})
	return out
}

func (r reader) protocol() string {
	return r.enum("protocol", "NetworkProtocol", "tcp", "tcp", "udp", "udp,tcp")
}

func (r reader) unreachable(resident bool) Unreachable {
	switch v := r.obj["unreachableStrategy"].(type) {
	case nil:
		return Unreachable{Disabled: resident}
	case string:
		if v != "disabled" {
			r.rep.add("/unreachableStrategy", "error.unknown.enum.literal: UnreachableDisabled (disabled)")
		}
		return Unreachable{Disabled: true}
	}
	o := r.object("unreachableStrategy")
	if o == nil {
		return Unreachable{}
	}
	return Unreachable{InactiveAfter: o.integer("inactiveAfterSeconds", 0), ExpungeAfter: o.integer("expungeAfterSeconds", 0)}
}

func (r reader) upgrade(a *App) UpgradeStrategy {
	u := UpgradeStrategy{MaximumOverCapacity: 1, MinimumHealthCapacity: 1}
	switch {
	case a.SingleInstance():
		u = UpgradeStrategy{}
	case a.Resident() || a.hasVolume("external"):
		u = UpgradeStrategy{MinimumHealthCapacity: 0.5}
	}
	if o := r.object("upgradeStrategy"); o != nil {
		u.MaximumOverCapacity = o.number("maximumOverCapacity", u.MaximumOverCapacity)
		u.MinimumHealthCapacity = o.number("minimumHealthCapacity", u.MinimumHealthCapacity)
	}
	return u
}

func (r reader) healthChecks() []HealthCheck {
	var out []HealthCheck
	r.objects("healthChecks", func(r reader) {
		h := HealthCheck{
			DelaySeconds:           r.integer("delaySeconds", 15),
			GracePeriodSeconds:     r.integer("gracePeriodSeconds", 300),
			IgnoreHTTP1xx:          r.boolean("ignoreHttp1xx", false),
			IntervalSeconds:        r.integer("intervalSeconds", 60),
			IPProtocol:             r.enum("ipProtocol", "IpProtocol", "IPv4", "IPv4", "IPv6"),
			MaxConsecutiveFailures: r.integer("maxConsecutiveFailures", 3),
			Path:                   r.str("path"),
			Protocol:               r.enum("protocol", "AppHealthCheckProtocol", "HTTP", healthProtocols...),
			TimeoutSeconds:         r.integer("timeoutSeconds", 20),
		}
		if c := r.object("command"); c != nil {
			h.Command = &Command{c.required("value")}
		}
		if r.has("port") {
			h.Port = new(r.integer("port", 0))
		}
		if r.has("portIndex") {
			h.PortIndex = new(r.integer("portIndex", 0))
		}
		out = append(out, h)
	})
	return out
}

func (r reader) readinessChecks() []ReadinessCheck {
	var out []ReadinessCheck
	r.objects("readinessChecks", func(r reader) {
		c := ReadinessCheck{
			HTTPStatusCodesForReady: []int{200},
			IntervalSeconds:         r.integer("intervalSeconds", 30),
			Name:                    orElse(r.str("name"), "readinessCheck"),
			Path:                    orElse(r.str("path"), "/"),
			PortName:                orElse(r.str("portName"), "http-api"),
			PreserveLastResponse:    r.boolean("preserveLastResponse", false),
			Protocol:                r.enum("protocol", "HttpScheme", "HTTP", "HTTP", "HTTPS"),
			TimeoutSeconds:          r.integer("timeoutSeconds", 10),
		}
		if codes := r.array("httpStatusCodesForReady"); codes != nil {
			c.HTTPStatusCodesForReady = r.integers("httpStatusCodesForReady", codes)
		}
		out = append(out, c)
	})
	return out
}

func (r reader) integers(name string, list []any) []int {
	out := make([]int, 0, len(list))
	for i, v := range list {
		one := reader{r.rep, r.at(name), Object{"": v}}
		if _, ok := v.(json.Number); !ok {
			r.rep.add(element(one.path, i), "error.expected.jsnumber")
			continue
		}
		out = append(out, one.integer("", 0))
	}
	return out
}

func orElse(s, absent string) string {
	if s == "" {
		return absent
	}
	return s
}

func (r reader) container() *Container {
	o := r.object("container")
	if o == nil {
		return nil
	}
	c := &Container{
		Type:         o.enum("type", "EngineType", DockerContainer, DockerContainer, MesosContainer),
		LinuxInfo:    o.raw("linuxInfo"),
		PortMappings: o.portMappings(),
		Volumes:      []Object{},
	}
	o.objects("volumes", func(r reader) {
		r.required("containerPath")
		c.Volumes = append(c.Volumes, r.obj)
	})
	if d := o.object("docker"); d != nil {
		c.Docker = d.docker()
	}
	return c
}

func (r reader) docker() *Docker {
	d := &Docker{
		ForcePullImage: r.boolean("forcePullImage", false),
		Image:          r.required("image"),
		Parameters:     []Object{},
		Privileged:     r.boolean("privileged", false),
	}
	r.objects("parameters", func(r reader) {
		r.required("key")
		r.required("value")
		d.Parameters = append(d.Parameters, r.obj)
	})
	if p := r.object("pullConfig"); p != nil {
		d.PullConfig = &EnvName{p.required("secret")}
	}
	return d
}

// portMappings is nil when the member is absent.
func (r reader) portMappings() []PortMapping {
	if r.array("portMappings") == nil {
		return nil
	}
	out := []PortMapping{}
	r.objects("portMappings", func(r reader) {
		m := PortMapping{
			ContainerPort: r.integer("containerPort", 0),
			Labels:        r.stringMap("labels"),
			Name:          r.str("name"),
			NetworkNames:  r.strings("networkNames"),
			Protocol:      r.protocol(),
			ServicePort:   r.integer("servicePort", 0),
		}
		if r.has("hostPort") {
			m.HostPort = new(r.integer("hostPort", 0))
		}
		out = append(out, m)
	})
	return out
}

// archives are the endings of URIs that are unpacked by default.
var archives = []string{".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz", ".tar", ".gz", ".zip"}

func isArchive(uri string) bool {
	path, _, _ := strings.Cut(uri, "?")
	return slices.ContainsFunc(archives, func(end string) bool { return strings.HasSuffix(path, end) })
}
