package spec

import (
	"encoding/json"
	"strconv"
)

// An App is a complete definition: every default filled in, nothing deprecated
// left. Its JSON is Marathon's answer form, which is accepted back unchanged.
// Apps are shared and never written to after they were built.
type App struct {
	ID                    string              `json:"id"`
	AcceptedResourceRoles []string            `json:"acceptedResourceRoles,omitempty"`
	Args                  []string            `json:"args,omitempty"`
	BackoffFactor         float64             `json:"backoffFactor"`
	BackoffSeconds        int                 `json:"backoffSeconds"`
	Check                 Object              `json:"check,omitempty"`
	Cmd                   string              `json:"cmd,omitempty"`
	Constraints           []Constraint        `json:"constraints,omitempty"`
	Container             *Container          `json:"container,omitempty"`
	CPUs                  float64             `json:"cpus"`
	Dependencies          []string            `json:"dependencies,omitempty"`
	Disk                  float64             `json:"disk"`
	Env                   map[string]EnvValue `json:"env,omitempty"`
	Executor              string              `json:"executor"`
	ExecutorResources     *ExecutorResources  `json:"executorResources,omitempty"`
	Fetch                 []Fetch             `json:"fetch,omitempty"`
	GPUs                  int                 `json:"gpus"`
	HealthChecks          []HealthCheck       `json:"healthChecks,omitempty"`
	Instances             int                 `json:"instances"`
	KillSelection         string              `json:"killSelection"`
	Labels                map[string]string   `json:"labels"`
	MaxLaunchDelaySeconds int                 `json:"maxLaunchDelaySeconds"`
	Mem                   float64             `json:"mem"`
	Networks              []Network           `json:"networks"`
	// PortDefinitions is nil unless the network is the host's; empty is printed.
	PortDefinitions            []PortDefinition  `json:"portDefinitions,omitzero"`
	ReadinessChecks            []ReadinessCheck  `json:"readinessChecks,omitempty"`
	RequirePorts               bool              `json:"requirePorts"`
	ResourceLimits             *ResourceLimits   `json:"resourceLimits,omitempty"`
	Role                       string            `json:"role"`
	Secrets                    map[string]Secret `json:"secrets,omitempty"`
	TaskKillGracePeriodSeconds *int              `json:"taskKillGracePeriodSeconds,omitempty"`
	TTY                        *bool             `json:"tty,omitempty"`
	UnreachableStrategy        Unreachable       `json:"unreachableStrategy"`
	UpgradeStrategy            UpgradeStrategy   `json:"upgradeStrategy"`
	User                       string            `json:"user,omitempty"`
	Version                    Timestamp         `json:"version"`
	VersionInfo                VersionInfo       `json:"versionInfo"`
}

// VersionInfo dates the last change of the instance count and of anything else.
type VersionInfo struct {
	LastScalingAt      Timestamp `json:"lastScalingAt"`
	LastConfigChangeAt Timestamp `json:"lastConfigChangeAt"`
}

// An EnvValue is a text or the name of a secret.
type EnvValue struct{ Value, Secret string }

// MarshalJSON writes a string or {"secret": name}.
func (v EnvValue) MarshalJSON() ([]byte, error) {
	if v.Secret != "" {
		return json.Marshal(map[string]string{"secret": v.Secret})
	}
	return json.Marshal(v.Value)
}

// A Secret says where the value is kept.
type Secret struct {
	Source string `json:"source"`
}

// UpgradeStrategy bounds a rolling replacement, both as fractions of the instances.
type UpgradeStrategy struct {
	MaximumOverCapacity   float64 `json:"maximumOverCapacity"`
	MinimumHealthCapacity float64 `json:"minimumHealthCapacity"`
}

// Unreachable says when an instance on an unreachable agent is replaced and
// when it is forgotten, in seconds; Disabled waits for ever.
type Unreachable struct {
	Disabled      bool
	InactiveAfter int
	ExpungeAfter  int
}

// MarshalJSON writes an object or "disabled".
func (u Unreachable) MarshalJSON() ([]byte, error) {
	if u.Disabled {
		return []byte(`"disabled"`), nil
	}
	return json.Marshal(map[string]int{"inactiveAfterSeconds": u.InactiveAfter, "expungeAfterSeconds": u.ExpungeAfter})
}

// Network modes.
const (
	HostNetwork      = "host"
	BridgeNetwork    = "container/bridge"
	ContainerNetwork = "container"
)

// A Network is one the containers join.
type Network struct {
	Mode   string            `json:"mode"`
	Name   string            `json:"name,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
}

// A PortDefinition is a port on the host's network. Port is a service port
// unless the app requires its ports; 0 asks for one.
type PortDefinition struct {
	Labels   map[string]string `json:"labels,omitempty"`
	Name     string            `json:"name,omitempty"`
	Port     int               `json:"port"`
	Protocol string            `json:"protocol"`
}

// A PortMapping is a port of a container with a network of its own.
type PortMapping struct {
	ContainerPort int               `json:"containerPort"`
	HostPort      *int              `json:"hostPort,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
	Name          string            `json:"name,omitempty"`
	NetworkNames  []string          `json:"networkNames,omitempty"`
	Protocol      string            `json:"protocol"`
	ServicePort   int               `json:"servicePort"`
}

// A Fetch is a file brought into the sandbox before the start.
type Fetch struct {
	URI        string `json:"uri"`
	Extract    bool   `json:"extract"`
	Executable bool   `json:"executable"`
	Cache      bool   `json:"cache"`
	DestPath   string `json:"destPath,omitempty"`
}

// ExecutorResources are added to a task for its custom executor.
type ExecutorResources struct {
	CPUs float64 `json:"cpus"`
	Mem  float64 `json:"mem"`
	Disk float64 `json:"disk"`
}

// ResourceLimits let a task use more than it requests.
type ResourceLimits struct {
	CPUs *Limit `json:"cpus,omitempty"`
	Mem  *Limit `json:"mem,omitempty"`
}

// A Limit is an amount, or none at all.
type Limit struct {
	Unlimited bool
	Amount    float64
}

// MarshalJSON writes a number or "unlimited".
func (l Limit) MarshalJSON() ([]byte, error) {
	if l.Unlimited {
		return []byte(`"unlimited"`), nil
	}
	return strconv.AppendFloat(nil, l.Amount, 'g', -1, 64), nil
}

// A HealthCheck says when an instance is alive.
type HealthCheck struct {
	Command                *Command `json:"command,omitempty"`
	DelaySeconds           int      `json:"delaySeconds"`
	GracePeriodSeconds     int      `json:"gracePeriodSeconds"`
	IgnoreHTTP1xx          bool     `json:"ignoreHttp1xx"`
	IntervalSeconds        int      `json:"intervalSeconds"`
	IPProtocol             string   `json:"ipProtocol"`
	MaxConsecutiveFailures int      `json:"maxConsecutiveFailures"`
	Path                   string   `json:"path,omitempty"`
	Port                   *int     `json:"port,omitempty"`
	PortIndex              *int     `json:"portIndex,omitempty"`
	Protocol               string   `json:"protocol"`
	TimeoutSeconds         int      `json:"timeoutSeconds"`
}

// A Command is run by a shell.
type Command struct {
	Value string `json:"value"`
}

// A ReadinessCheck holds a deployment until an instance answers as asked.
type ReadinessCheck struct {
	HTTPStatusCodesForReady []int  `json:"httpStatusCodesForReady"`
	IntervalSeconds         int    `json:"intervalSeconds"`
	Name                    string `json:"name"`
	Path                    string `json:"path"`
	PortName                string `json:"portName"`
	PreserveLastResponse    bool   `json:"preserveLastResponse"`
	Protocol                string `json:"protocol"`
	TimeoutSeconds          int    `json:"timeoutSeconds"`
}

// Container types.
const (
	DockerContainer = "DOCKER"
	MesosContainer  = "MESOS"
)

// A Container is what the command runs in.
type Container struct {
	Docker       *Docker       `json:"docker,omitempty"`
	LinuxInfo    Object        `json:"linuxInfo,omitempty"`
	PortMappings []PortMapping `json:"portMappings,omitzero"`
	Type         string        `json:"type"`
	Volumes      []Object      `json:"volumes"`
}

// Docker names an image and how to run it.
type Docker struct {
	ForcePullImage bool     `json:"forcePullImage"`
	Image          string   `json:"image"`
	Parameters     []Object `json:"parameters"`
	Privileged     bool     `json:"privileged"`
	PullConfig     *EnvName `json:"pullConfig,omitempty"`
}

// An EnvName refers to a secret by its name.
type EnvName struct {
	Secret string `json:"secret"`
}

// Image is the image the app runs, or "".
func (a *App) Image() string {
	if a.Container == nil || a.Container.Docker == nil {
		return ""
	}
	return a.Container.Docker.Image
}

// Resident reports whether the instances keep a persistent volume.
func (a *App) Resident() bool { return a.hasVolume("persistent") }

func (a *App) hasVolume(kind string) bool {
	if a.Container == nil {
		return false
	}
	for _, v := range a.Container.Volumes {
		if v[kind] != nil {
			return true
		}
	}
	return false
}

// SingleInstance reports whether two instances must never run side by side.
func (a *App) SingleInstance() bool { return a.Labels["MARATHON_SINGLE_INSTANCE_APP"] == "true" }

// HostNetworking reports whether the app's ports are the host's.
func (a *App) HostNetworking() bool {
	return len(a.Networks) == 1 && a.Networks[0].Mode == HostNetwork
}

// ServicePorts are the ports a load balancer listens on, in port order.
func (a *App) ServicePorts() []int {
	ports := []int{}
	for _, p := range a.PortDefinitions {
		ports = append(ports, p.Port)
	}
	if a.Container != nil {
		for _, m := range a.Container.PortMappings {
			ports = append(ports, m.ServicePort)
		}
	}
	return ports
}

// SameConfig reports whether two definitions differ in nothing that asks for
// new instances: all but the instance count, the executor's resources and versions.
func SameConfig(a, b *App) bool {
	return string(a.config()) == string(b.config())
}

// config is the JSON of what a change of makes a config change.
func (a *App) config() []byte {
	c := *a
	c.Instances, c.ExecutorResources, c.Version, c.VersionInfo = 0, nil, 0, VersionInfo{}
	return c.JSON()
}

// JSON is the answer and storage form. It cannot fail: every member is plain data.
func (a *App) JSON() []byte {
	b, err := json.Marshal(a)
	if err != nil {
		panic("marshal app " + a.ID + ": " + err.Error())
	}
	return b
}
