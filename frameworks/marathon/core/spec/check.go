package spec

import (
	"maps"
	"net/url"
	"slices"
	"strings"
)

// maxAmount bounds cpus, mem and disk, far above any machine and far below
// where thousandths no longer fit 64 bits.
const maxAmount = 1e12

// check applies the rules that need nothing but the definition itself.
func check(rep *report, a *App, rules Rules) {
	checkID(rep, "/id", a.ID)
	checkRunnable(rep, a)
	checkTexts(rep, a)
	checkAmounts(rep, a)
	checkStrategies(rep, a)
	checkRoles(rep, a)
	checkEnv(rep, a, rules)
	checkConstraints(rep, a)
	checkFetch(rep, a)
	checkDependencies(rep, a)
	checkLabels(rep, a)
	checkNetworks(rep, a)
	checkPorts(rep, a)
	checkContainer(rep, a, rules)
	checkHealth(rep, a)
	checkReadiness(rep, a)
}

// checkRunnable: cmd or args, or a container that brings its own command.
func checkRunnable(rep *report, a *App) {
	if a.Cmd != "" && len(a.Args) > 0 || a.Cmd == "" && len(a.Args) == 0 && a.Image() == "" {
		rep.add("/", "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'.")
	}
}

// maxText is the longest argument or environment string, NAME=value, that Linux
// starts a program with.
const maxText = 131071

// checkTexts finds what no agent could start a program with. Labels become
// environment variables.
func checkTexts(rep *report, a *App) {
	startable(rep, "/cmd", a.Cmd, 0)
	for i, arg := range a.Args {
		startable(rep, element("/args", i), arg, 0)
	}
	startable(rep, "/user", a.User, 0)
	for _, name := range slices.Sorted(maps.Keys(a.Labels)) {
		if strings.Contains(name+a.Labels[name], "\x00") {
			rep.add(member("/labels", name), "must not contain NUL")
		}
	}
}

// startable checks a text that is given to a program together with extra bytes.
func startable(rep *report, path, text string, extra int) {
	if strings.Contains(text, "\x00") {
		rep.add(path, "must not contain NUL")
	}
	if len(text)+extra > maxText {
		rep.add(path, "has %d bytes, expected at most %d", len(text), maxText-extra)
	}
}

func checkAmounts(rep *report, a *App) {
	notNegative(rep, "/cpus", a.CPUs)
	notNegative(rep, "/mem", a.Mem)
	notNegative(rep, "/disk", a.Disk)
	notNegative(rep, "/gpus", float64(a.GPUs))
	notNegative(rep, "/instances", float64(a.Instances))
	notNegative(rep, "/backoffSeconds", float64(a.BackoffSeconds))
	notNegative(rep, "/maxLaunchDelaySeconds", float64(a.MaxLaunchDelaySeconds))
	if g := a.TaskKillGracePeriodSeconds; g != nil {
		notNegative(rep, "/taskKillGracePeriodSeconds", float64(*g))
	}
	if l := a.ResourceLimits; l != nil {
		checkLimit(rep, "/resourceLimits/cpus", l.CPUs, a.CPUs)
		checkLimit(rep, "/resourceLimits/mem", l.Mem, a.Mem)
	}
	if e := a.ExecutorResources; e != nil {
		atLeast(rep, "/executorResources/cpus", e.CPUs, 0.1)
		atLeast(rep, "/executorResources/mem", e.Mem, 32)
		atLeast(rep, "/executorResources/disk", e.Disk, 10)
	}
}

func notNegative(rep *report, path string, v float64) {
	switch {
	case v < 0:
		rep.add(path, "got %v, expected 0 or more", v)
	case v > maxAmount:
		rep.add(path, "got %v, expected at most %v", v, maxAmount)
	}
}

func atLeast(rep *report, path string, v, minimum float64) {
	if v < minimum || v > maxAmount {
		rep.add(path, "got %v, expected %v or more", v, minimum)
	}
}

func checkLimit(rep *report, path string, l *Limit, request float64) {
	if l != nil && !l.Unlimited && l.Amount < request {
		rep.add(path, "the limit %v must not be below the request of %v", l.Amount, request)
	}
}

func checkStrategies(rep *report, a *App) {
	u := a.UpgradeStrategy
	fraction(rep, "/upgradeStrategy/minimumHealthCapacity", u.MinimumHealthCapacity)
	fraction(rep, "/upgradeStrategy/maximumOverCapacity", u.MaximumOverCapacity)
	if (a.Resident() || a.hasVolume("external")) && u.MaximumOverCapacity != 0 {
		rep.add("/upgradeStrategy", "got %v, expected 0.0", u.MaximumOverCapacity)
	}
	if a.BackoffFactor < 1 || a.BackoffFactor > maxAmount {
		rep.add("/backoffFactor", "error.min: got %v, expected 1.0 or more", a.BackoffFactor)
	}
	s := a.UnreachableStrategy
	notNegative(rep, "/unreachableStrategy/inactiveAfterSeconds", float64(s.InactiveAfter))
	if s.InactiveAfter > s.ExpungeAfter {
		rep.add("/unreachableStrategy", "inactiveAfterSeconds %d must not be greater than expungeAfterSeconds %d", s.InactiveAfter, s.ExpungeAfter)
	}
	if a.Resident() && !s.Disabled {
		rep.add("/unreachableStrategy", "unreachableStrategy must be disabled for persistent volumes")
	}
}

func fraction(rep *report, path string, v float64) {
	if v < 0 || v > 1 {
		rep.add(path, "got %v, expected between 0.0 and 1.0", v)
	}
}

func checkRoles(rep *report, a *App) {
	if a.AcceptedResourceRoles != nil && len(a.AcceptedResourceRoles) == 0 {
		rep.add("/acceptedResourceRoles", "must not be empty when given")
	}
	for _, role := range a.AcceptedResourceRoles {
		if role != "*" && role != a.Role {
			rep.add("/acceptedResourceRoles", `accepted resource roles must be "*" or the app's role %q, got %q`, a.Role, role)
		}
	}
	if a.Resident() && a.Role == "*" {
		rep.add("/role", "Resident apps cannot have the role *")
	}
}

func checkEnv(rep *report, a *App, rules Rules) {
	for _, name := range slices.Sorted(maps.Keys(a.Env)) {
		v := a.Env[name]
		path := member("/env", name)
		if name == "" || strings.ContainsAny(name, "=\x00") {
			rep.add(path, "the name of an environment variable must not be empty nor contain '=' or NUL")
		}
		startable(rep, path, v.Value, len(name)+len("="))
		if v.Secret == "" {
			continue
		}
		feature(rep, "/env", rules, Secrets)
		if _, defined := a.Secrets[v.Secret]; !defined {
			rep.add(member(path, "secret"), "references an undefined secret %q", v.Secret)
		}
	}
	if len(a.Secrets) > 0 {
		feature(rep, "/secrets", rules, Secrets)
	}
	for _, name := range slices.Sorted(maps.Keys(a.Secrets)) {
		if a.Secrets[name].Source == "" {
			rep.add("/secrets("+name+")/source", "error.minLength: must not be empty")
		}
	}
}

// feature adds a violation unless the feature is enabled.
func feature(rep *report, path string, rules Rules, name string) {
	text := "Feature " + name + " is not enabled. Enable with --enable_features " + name + ")"
	for _, d := range rep.details {
		if d.Path == path && slices.Contains(d.Errors, text) {
			return
		}
	}
	if !rules.enabled(name) {
		rep.add(path, "%s", "must be empty")
		rep.add(path, "%s", text)
	}
}

func checkFetch(rep *report, a *App) {
	for i, f := range a.Fetch {
		path := element("/fetch", i) + "/uri"
		if f.URI == "" || len(f.URI) > 1024 {
			rep.add(path, "error.maxLength: must have 1 to 1024 characters")
		}
		if _, err := url.Parse(f.URI); err != nil {
			rep.add(path, "URI has invalid syntax.")
		}
	}
}

func checkDependencies(rep *report, a *App) {
	for i, d := range a.Dependencies {
		if d == "/" || slices.ContainsFunc(Segments(d), badSegment) {
			rep.add(element("/dependencies", i), "%q is not the id of an app or a group", d)
		}
	}
}

func checkLabels(rep *report, a *App) {
	if a.SingleInstance() {
		if a.Instances > 1 {
			rep.add("/instances", "an app with the label MARATHON_SINGLE_INSTANCE_APP=true must not have more than one instance")
		}
		if a.UpgradeStrategy != (UpgradeStrategy{}) {
			rep.add("/upgradeStrategy", "an app with the label MARATHON_SINGLE_INSTANCE_APP=true must have minimumHealthCapacity 0 and maximumOverCapacity 0")
		}
	}
	v, given := a.Labels["DCOS_MIGRATION_API_VERSION"]
	if !given {
		return
	}
	if v != "v1" {
		rep.add("/labels", "DCOS_MIGRATION_API_VERSION must be v1, got %q", v)
	}
	for _, name := range []string{"DCOS_PACKAGE_FRAMEWORK_NAME", "DCOS_MIGRATION_API_PATH"} {
		if a.Labels[name] == "" {
			rep.add("/labels", "DCOS_MIGRATION_API_VERSION requires a non-empty %s", name)
		}
	}
}

func checkNetworks(rep *report, a *App) {
	count := map[string]int{}
	names := map[string]bool{}
	for i, n := range a.Networks {
		count[n.Mode]++
		checkNetwork(rep, element("/networks", i), n)
		if n.Name != "" && names[n.Name] {
			rep.add("/networks", "network names must be unique, %q is not", n.Name)
		}
		names[n.Name] = true
	}
	switch {
	case len(count) > 1:
		rep.add("/networks", "networks of different modes must not be mixed")
	case count[HostNetwork] > 1 || count[BridgeNetwork] > 1:
		rep.add("/networks", "only one host or container/bridge network is allowed")
	case count[ContainerNetwork] > 1 && a.Container != nil && a.Container.Type == DockerContainer:
		rep.add("/networks", "DOCKER containers join only one container network")
	}
}

func checkNetwork(rep *report, path string, n Network) {
	switch {
	case n.Mode == ContainerNetwork && n.Name == "":
		rep.add(path+"/name", "a container network needs a name, or the scheduler a --default_network_name")
	case n.Mode == ContainerNetwork && (len(n.Name) > 63 || !lowerName(n.Name, "_")):
		rep.add(path+"/name", "error.pattern: lower-case letters, digits, dashes and underscores, at most 63")
	case n.Mode != ContainerNetwork && n.Name != "":
		rep.add(path+"/name", "only container networks have a name")
	}
	if n.Mode == HostNetwork && len(n.Labels) > 0 {
		rep.add(path+"/labels", "the host network has no labels")
	}
}

func checkPorts(rep *report, a *App) {
	names, numbers := map[string]bool{}, map[int]bool{}
	for i, p := range a.PortDefinitions {
		path := element("/portDefinitions", i)
		portNumber(rep, path+"/port", p.Port)
		portName(rep, path+"/name", p.Name, names)
		if p.Port != 0 && numbers[p.Port] {
			rep.add("/portDefinitions", "Ports must be unique.")
		}
		numbers[p.Port] = true
	}
	if a.Container == nil {
		return
	}
	if a.HostNetworking() && len(a.Container.PortMappings) > 0 {
		rep.add("/container/portMappings", "portMappings are not allowed with host-networking")
	}
	for i, m := range a.Container.PortMappings {
		checkMapping(rep, element("/container/portMappings", i), a, m, names)
	}
}

func checkMapping(rep *report, path string, a *App, m PortMapping, names map[string]bool) {
	portNumber(rep, path+"/containerPort", m.ContainerPort)
	portNumber(rep, path+"/servicePort", m.ServicePort)
	portName(rep, path+"/name", m.Name, names)
	if m.HostPort != nil {
		portNumber(rep, path+"/hostPort", *m.HostPort)
		if len(a.Networks) > 1 && len(m.NetworkNames) != 1 {
			rep.add(path+"/networkNames", "a hostPort with several networks needs exactly one network name")
		}
	}
	for _, n := range m.NetworkNames {
		if !slices.ContainsFunc(a.Networks, func(net Network) bool { return net.Name == n }) {
			rep.add(path+"/networkNames", "%q is not among the app's networks", n)
		}
	}
}

func portNumber(rep *report, path string, port int) {
	if port < 0 || port > 65535 {
		rep.add(path, "got %d, expected a port between 0 and 65535", port)
	}
}

func portName(rep *report, path, name string, seen map[string]bool) {
	if name == "" {
		return
	}
	if !lowerName(name, "") {
		rep.add(path, "error.pattern: lower-case letters, digits and inner dashes")
	}
	if seen[name] {
		rep.add(path, "Port names must be unique.")
	}
	seen[name] = true
}
