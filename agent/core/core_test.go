package core

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

func TestLimits(t *testing.T) {
	const mb = 1 << 20
	limited := func(cpus, mem float64) func(*mesospb.TaskInfo) {
		return func(t *mesospb.TaskInfo) {
			t.Limits = map[string]*mesospb.Value_Scalar{"cpus": {Value: &cpus}, "mem": {Value: &mem}}
		}
	}
	tests := []struct {
		name string
		hard bool
		edit func(*mesospb.TaskInfo)
		want Limits
	}{
		{"request", false, nil, Limits{CPURequest: 1100, MemRequest: 96 * mb}},
		{"request as a quota", true, nil, Limits{CPURequest: 1100, CPULimit: 1100, MemRequest: 96 * mb}},
		{"limits", false, limited(2, 128), Limits{CPURequest: 1100, CPULimit: 2100, MemRequest: 96 * mb, MemLimit: 160 * mb}},
		{"infinite limits", true, limited(math.Inf(1), math.Inf(1)), Limits{CPURequest: 1100, MemRequest: 96 * mb, MemLimit: Unlimited}},
		{"nothing", false, func(t *mesospb.TaskInfo) { t.Resources = nil }, Limits{CPURequest: 100, MemRequest: 32 * mb}},
		{"reserved and not", false, func(t *mesospb.TaskInfo) { t.Resources = append(t.Resources, scalarResource("cpus", 0.5)) },
			Limits{CPURequest: 1600, MemRequest: 96 * mb}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := testConfig()
			cfg.HardCPU = tt.hard
			task := testTask("t")
			if tt.edit != nil {
				tt.edit(task)
			}
			if diff := cmp.Diff(tt.want, New(cfg).limits(task, overheadCPUs, overheadMem)); diff != "" {
				t.Errorf("limits (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCannotNamesTheField(t *testing.T) {
	container := func(edit func(*mesospb.ContainerInfo)) func(*mesospb.TaskInfo) {
		return func(t *mesospb.TaskInfo) {
			t.Container = &mesospb.ContainerInfo{Type: mesospb.ContainerInfo_MESOS.Enum()}
			edit(t.Container)
		}
	}
	volume := func(v *mesospb.Volume) func(*mesospb.TaskInfo) {
		v.ContainerPath = new("data")
		return container(func(c *mesospb.ContainerInfo) { c.Volumes = []*mesospb.Volume{v} })
	}
	source := func(kind mesospb.Volume_Source_Type, s *mesospb.Volume_Source) func(*mesospb.TaskInfo) {
		s.Type = &kind
		return volume(&mesospb.Volume{Source: s})
	}
	image := func(name string) func(*mesospb.TaskInfo) {
		return container(func(c *mesospb.ContainerInfo) {
			c.Mesos = &mesospb.ContainerInfo_MesosInfo{Image: &mesospb.Image{Type: mesospb.Image_DOCKER.Enum(), Docker: &mesospb.Image_Docker{Name: &name}}}
		})
	}
	network := func(n *mesospb.NetworkInfo) func(*mesospb.TaskInfo) {
		return container(func(c *mesospb.ContainerInfo) { c.NetworkInfos = []*mesospb.NetworkInfo{n} })
	}
	tests := []struct {
		edit  func(*mesospb.TaskInfo)
		want  string // part of the message; "" when the task is taken
		state mesospb.TaskState
	}{
		{func(*mesospb.TaskInfo) {}, "", 0},
		{func(t *mesospb.TaskInfo) { t.Command = nil }, "'command'", mesospb.TaskState_TASK_ERROR},
		{func(t *mesospb.TaskInfo) { t.Executor = &mesospb.ExecutorInfo{} }, "", 0},
		{func(t *mesospb.TaskInfo) { t.HealthCheck = &mesospb.HealthCheck{} }, "", 0},
		{func(t *mesospb.TaskInfo) { t.Command = nil }, "'command'", mesospb.TaskState_TASK_ERROR},
		{func(t *mesospb.TaskInfo) { t.Check = &mesospb.CheckInfo{} }, "", 0},
		{container(func(*mesospb.ContainerInfo) {}), "", 0},
		{container(func(c *mesospb.ContainerInfo) { c.Type = mesospb.ContainerInfo_DOCKER.Enum() }), "Abnormal executor termination: unknown container", mesospb.TaskState_TASK_FAILED},
		{image("busybox"), "--containerizer=runc", mesospb.TaskState_TASK_FAILED},
		{volume(&mesospb.Volume{HostPath: new("/data")}), "", 0},
		{volume(&mesospb.Volume{Image: &mesospb.Image{}}), "volume 'data': 'image'", mesospb.TaskState_TASK_FAILED},
		{source(mesospb.Volume_Source_SECRET, &mesospb.Volume_Source{Secret: &mesospb.Secret{Type: mesospb.Secret_VALUE.Enum()}}), "", 0},
		{source(mesospb.Volume_Source_SECRET, &mesospb.Volume_Source{Secret: &mesospb.Secret{Type: mesospb.Secret_REFERENCE.Enum()}}), "secret resolver", mesospb.TaskState_TASK_FAILED},
		{source(mesospb.Volume_Source_DOCKER_VOLUME, &mesospb.Volume_Source{}), "volume drivers", mesospb.TaskState_TASK_FAILED},
		{source(mesospb.Volume_Source_CSI_VOLUME, &mesospb.Volume_Source{}), "CSI", mesospb.TaskState_TASK_FAILED},
		{source(mesospb.Volume_Source_SANDBOX_PATH, &mesospb.Volume_Source{SandboxPath: &mesospb.Volume_Source_SandboxPath{Type: mesospb.Volume_Source_SandboxPath_PARENT.Enum()}}), "nested", mesospb.TaskState_TASK_FAILED},
		{source(mesospb.Volume_Source_HOST_PATH, &mesospb.Volume_Source{HostPath: &mesospb.Volume_Source_HostPath{
			MountPropagation: &mesospb.MountPropagation{Mode: mesospb.MountPropagation_BIDIRECTIONAL.Enum()},
		}}), "BIDIRECTIONAL", mesospb.TaskState_TASK_FAILED},
		{container(func(c *mesospb.ContainerInfo) { c.TtyInfo = &mesospb.TTYInfo{} }), "container.tty_info", mesospb.TaskState_TASK_FAILED},
		{network(&mesospb.NetworkInfo{}), "", 0},
		{network(&mesospb.NetworkInfo{Name: new("web")}), "", 0},
		{func(t *mesospb.TaskInfo) { t.Resources = append(t.Resources, scalarResource("gpus", 1)) }, "gpus", mesospb.TaskState_TASK_FAILED},
		{func(t *mesospb.TaskInfo) {
			t.Command.Environment = &mesospb.Environment{Variables: []*mesospb.Environment_Variable{{
				Name: new("KEY"), Secret: &mesospb.Secret{Type: mesospb.Secret_REFERENCE.Enum()},
			}}}
		}, "'KEY'", mesospb.TaskState_TASK_FAILED},
		{func(t *mesospb.TaskInfo) {
			t.Limits = map[string]*mesospb.Value_Scalar{"mem": {Value: new(math.NaN())}}
		}, "'mem'", mesospb.TaskState_TASK_FAILED},
	}
	for _, tt := range tests {
		cfg := testConfig()
		cfg.Limited = false
		task := testTask("t")
		tt.edit(task)
		got := New(cfg).cannot(task, false)
		switch {
		case tt.want == "" && got != nil:
			t.Errorf("cannot(%v) = %q, want nil", task, got.why)
		case tt.want != "" && (got == nil || !strings.Contains(got.why, tt.want) || got.state != tt.state):
			t.Errorf("cannot(%v) = %+v, want %v naming %s", task, got, tt.state, tt.want)
		}
	}
}

// Limits that nothing enforces are told apart from what containers cannot be.
func TestLimitsThatNothingEnforces(t *testing.T) {
	task := testTask("t")
	task.Limits = map[string]*mesospb.Value_Scalar{"mem": {Value: new(9.0)}}
	for limited, want := range map[bool]bool{true: false, false: true} {
		cfg := testConfig()
		cfg.Limited = limited
		refusal := New(cfg).refusalOf(&framework{info: testFramework("f")}, order{tasks: []*mesospb.TaskInfo{task}})
		if (refusal != nil) != want || want && refusal.reason != mesospb.TaskStatus_REASON_GC_ERROR {
			t.Errorf("refusalOf() where limits are enforced: %v = %+v, want one: %v", limited, refusal, want)
		}
	}
}

func TestIncompatible(t *testing.T) {
	base := testConfig().Info
	base.Attributes = []*mesospb.Attribute{textAttribute("rack", "r1")}
	tests := []struct {
		name     string
		edit     func(*mesospb.AgentInfo)
		equal    bool // accepted by the policy equal
		additive bool // accepted by the policy additive
	}{
		{"nothing", func(*mesospb.AgentInfo) {}, true, true},
		{"hostname", func(i *mesospb.AgentInfo) { i.Hostname = new("other") }, false, false},
		{"port", func(i *mesospb.AgentInfo) { i.Port = new(int32(1)) }, false, false},
		{"more", func(i *mesospb.AgentInfo) { i.Resources[0] = scalarResource("cpus", 8) }, false, true},
		{"less", func(i *mesospb.AgentInfo) { i.Resources[0] = scalarResource("cpus", 2) }, false, false},
		{"attribute added", func(i *mesospb.AgentInfo) { i.Attributes = append(i.Attributes, textAttribute("zone", "z")) }, false, true},
		{"attribute changed", func(i *mesospb.AgentInfo) { i.Attributes[0] = textAttribute("rack", "r2") }, false, false},
	}
	for _, tt := range tests {
		fresh := proto.CloneOf(base)
		tt.edit(fresh)
		if why := incompatible(base, fresh, false); (why == "") != tt.equal {
			t.Errorf("%s: incompatible(equal) = %q, want accepted %v", tt.name, why, tt.equal)
		}
		if why := incompatible(base, fresh, true); (why == "") != tt.additive {
			t.Errorf("%s: incompatible(additive) = %q, want accepted %v", tt.name, why, tt.additive)
		}
	}
}

func textAttribute(name, value string) *mesospb.Attribute {
	return &mesospb.Attribute{Name: &name, Type: mesospb.Value_TEXT.Enum(), Text: &mesospb.Value_Text{Value: &value}}
}

// What nobody configured may change between two starts; the agent goes on with
// what it was admitted with.
func TestAGrownDiskIsNoReconfiguration(t *testing.T) {
	start := func(configured string, edit func(*mesospb.AgentInfo)) (*world, []Effect) {
		cfg := testConfig()
		cfg.Configured = "cpus:4"
		w := newWorld(t, cfg)
		w.connect()
		w.deliver(registeredEvent("S0"))
		w.deliver(runEvent(testFramework("f1"), testTask("t1")))
		w.write(len(w.pending))
		w.cfg.Info, w.cfg.Configured = proto.CloneOf(w.cfg.Info), configured
		edit(w.cfg.Info)
		return w, w.boot(false)
	}
	grow := func(i *mesospb.AgentInfo) { i.Resources[1] = scalarResource("mem", 8192) }
	w, effects := start("cpus:4", grow)
	if got := w.agent.info; w.exit != "" || got.GetId().GetValue() != "S0" || got.GetResources()[1].GetScalar().GetValue() != 4096 {
		t.Errorf("agent is %v and ended with %q, want S0 with the memory it had", got, w.exit)
	}
	told := slices.ContainsFunc(effects, func(e Effect) bool {
		r, ok := e.(Refused)
		return ok && r.What == KeptResources && strings.Contains(r.Why, "mem:4096") && strings.Contains(r.Why, "mem:8192")
	})
	if !told {
		t.Errorf("effects = %v, want a word about both", effects)
	}
	if w, _ := start("cpus:4;mem:8192", grow); w.exit == "" {
		t.Error("resources that were configured anew are taken; want the policy to refuse them")
	}
	if w, _ := start("cpus:4", func(i *mesospb.AgentInfo) { grow(i); i.Hostname = new("other") }); !strings.Contains(w.exit, "hostname") {
		t.Errorf("exit = %q, want that the hostname has changed", w.exit)
	}
}

// A changed agent goes on only when nothing would be lost by it.
func TestReconfiguration(t *testing.T) {
	start := func(run bool) *world {
		w := newWorld(t, testConfig())
		w.connect()
		w.deliver(registeredEvent("S0"))
		if run {
			w.deliver(runEvent(testFramework("f1"), testTask("t1")))
		}
		w.write(len(w.pending))
		w.cfg.Info = proto.CloneOf(w.cfg.Info)
		w.cfg.Info.Hostname = new("elsewhere")
		return w
	}
	t.Run("with a task", func(t *testing.T) {
		w := start(true)
		w.boot(false)
		if !strings.Contains(w.exit, "hostname was 'host' and is 'elsewhere'") {
			t.Errorf("exit = %q, want it to name the hostname", w.exit)
		}
	})
	t.Run("with a task, after a reboot", func(t *testing.T) {
		w := start(true)
		w.boot(true)
		w.write(len(w.pending))
		if w.exit != "" || w.agent.id() != "" || w.disk.Len() != 0 {
			t.Errorf("exit = %q, id = %q, %d records; want a new agent", w.exit, w.agent.id(), w.disk.Len())
		}
	})
	t.Run("without a task", func(t *testing.T) {
		w := start(false)
		w.boot(false)
		if w.exit != "" || w.agent.id() != "" {
			t.Errorf("exit = %q, id = %q, want a new agent", w.exit, w.agent.id())
		}
	})
}

// TestReconfigurationPolicies is mesos-api 19.5, for an agent with a task.
func TestReconfigurationPolicies(t *testing.T) {
	const kept = ""
	ranges := func(name string, begin, end uint64) *mesospb.Attribute {
		return &mesospb.Attribute{Name: &name, Type: mesospb.Value_RANGES.Enum(), Ranges: &mesospb.Value_Ranges{
			Range: []*mesospb.Value_Range{{Begin: &begin, End: &end}},
		}}
	}
	region := &mesospb.DomainInfo{FaultDomain: &mesospb.DomainInfo_FaultDomain{
		Region: &mesospb.DomainInfo_FaultDomain_RegionInfo{Name: new("r")}, Zone: &mesospb.DomainInfo_FaultDomain_ZoneInfo{Name: new("z")},
	}}
	tests := []struct {
		name            string
		edit            func(*mesospb.AgentInfo)
		equal, additive string // in why it must not go on
	}{
		{"nothing", func(*mesospb.AgentInfo) {}, kept, kept},
		{"hostname", func(i *mesospb.AgentInfo) { i.Hostname = new("x") }, "hostname was", "hostname was"},
		{"port", func(i *mesospb.AgentInfo) { i.Port = new(int32(1)) }, "port was", "port was"},
		{"more of a resource", func(i *mesospb.AgentInfo) { i.Resources[1] = scalarResource("mem", 8192) }, "resources have changed", kept},
		{"another resource", func(i *mesospb.AgentInfo) { i.Resources = append(i.Resources, scalarResource("gpus", 1)) }, "resources have changed", kept},
		{"less of a resource", func(i *mesospb.AgentInfo) { i.Resources[1] = scalarResource("mem", 1) }, "resources have changed", "resources have shrunk"},
		{"a resource of another role", func(i *mesospb.AgentInfo) { i.Resources[1].Role = new("web") }, "resources have changed", "resources have shrunk"},
		{"another attribute", func(i *mesospb.AgentInfo) { i.Attributes = append(i.Attributes, textAttribute("zone", "z")) }, "attributes were added", kept},
		{"no attribute", func(i *mesospb.AgentInfo) { i.Attributes = i.Attributes[1:] }, "attribute 'rack' has changed or is missing", "attribute 'rack' has changed or is missing"},
		{"changed text", func(i *mesospb.AgentInfo) { i.Attributes[0] = textAttribute("rack", "r2") }, "attribute 'rack'", "attribute 'rack'"},
		{"wider ranges", func(i *mesospb.AgentInfo) { i.Attributes[1] = ranges("vlans", 1, 9) }, "attribute 'vlans'", kept},
		{"narrower ranges", func(i *mesospb.AgentInfo) { i.Attributes[1] = ranges("vlans", 1, 2) }, "attribute 'vlans'", "attribute 'vlans'"},
		{"a domain", func(i *mesospb.AgentInfo) { i.Domain = region }, "domain has changed", kept},
	}
	for _, tt := range tests {
		for additive, want := range map[bool]string{false: tt.equal, true: tt.additive} {
			t.Run(fmt.Sprintf("%s additive=%v", tt.name, additive), func(t *testing.T) {
				cfg := testConfig()
				cfg.Additive = additive
				cfg.Info.Attributes = []*mesospb.Attribute{textAttribute("rack", "r1"), ranges("vlans", 1, 5)}
				w := newWorld(t, cfg)
				w.connect()
				w.deliver(registeredEvent("S0"))
				w.deliver(runEvent(testFramework("f1"), testTask("t1")))
				w.write(len(w.pending))
				w.cfg.Info = proto.CloneOf(w.cfg.Info)
				tt.edit(w.cfg.Info)
				w.cfg.Configured = "anew"
				fresh := proto.CloneOf(w.cfg.Info)
				w.boot(false)
				if want != kept {
					if !strings.Contains(w.exit, want) {
						t.Errorf("exit = %q, want %q in it", w.exit, want)
					}
					return
				}
				fresh.Id = &mesospb.AgentID{Value: new("S0")}
				if w.exit != "" || !proto.Equal(w.agent.info, fresh) || w.agent.task(&mesospb.FrameworkID{Value: new("f1")}, &mesospb.TaskID{Value: new("t1")}) == nil {
					t.Errorf("exit = %q, agent = %v; want %v and its task", w.exit, w.agent.info, fresh)
				}
			})
		}
	}
}

func TestShutdownExecutorKillsItsTask(t *testing.T) {
	w := newWorld(t, testConfig())
	w.connect()
	w.deliver(registeredEvent("S0"))
	w.deliver(runEvent(testFramework("f1"), testTask("t1")))
	w.write(len(w.pending))
	w.step(Launched{Container: w.container("t1"), PID: 1})
	w.deliver(&linkpb.Event{Type: linkpb.Event_SHUTDOWN_EXECUTOR.Enum(), ShutdownExecutor: &linkpb.ShutdownExecutor{
		FrameworkId: &mesospb.FrameworkID{Value: new("f1")}, ExecutorId: &mesospb.ExecutorID{Value: new("t1")},
	}})
	effects := w.write(len(w.pending))
	want := SendSignal{Container: w.container("t1"), Signal: Terminate}
	if n := len(effects); n == 0 || effects[n-1] != Effect(want) {
		t.Errorf("effects = %v, want the last to be %v", effects, want)
	}
}

func TestSnapshotShowsWhatMesosShows(t *testing.T) {
	w := newWorld(t, testConfig())
	w.connect()
	w.deliver(registeredEvent("S0"))
	w.deliver(runEvent(testFramework("f1"), testTask("t1")))
	w.write(len(w.pending))
	w.step(Launched{Container: w.container("t1"), PID: 1})
	x, ok := w.agent.Snapshot().Find(w.container("t1"))
	if !ok || !x.Running || len(x.Tasks) != 1 {
		t.Fatalf("Find = %+v, %v, want a running executor with a task", x, ok)
	}
	if got, want := x.Info.GetName(), "Command Executor (Task: t1) (Command: sh -c 'run me')"; got != want {
		t.Errorf("name = %q, want %q", got, want)
	}
	var states []mesospb.TaskState
	for _, s := range x.Tasks[0].Statuses {
		states = append(states, s.GetState())
	}
	want := []mesospb.TaskState{mesospb.TaskState_TASK_STARTING, mesospb.TaskState_TASK_RUNNING}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}

func TestCommandText(t *testing.T) {
	tests := []struct {
		command *mesospb.CommandInfo
		want    string
	}{
		{&mesospb.CommandInfo{Value: new("sleep 3000")}, "sh -c 'sleep 3000'"},
		{&mesospb.CommandInfo{Value: new("echo out; echo err")}, "sh -c 'echo out; ec...'"},
		{&mesospb.CommandInfo{}, "NO COMMAND"},
		{&mesospb.CommandInfo{Shell: new(false)}, "NO EXECUTABLE"},
		{&mesospb.CommandInfo{Shell: new(false), Value: new("/bin/echo"), Arguments: []string{"echo", "x"}}, "[/bin/echo, echo, x]"},
	}
	for _, tt := range tests {
		if got := commandText(tt.command); got != tt.want {
			t.Errorf("commandText(%v) = %q, want %q", tt.command, got, tt.want)
		}
	}
}

func TestCannotNamesWhatIsWrongWithImages(t *testing.T) {
	docker := func(d *mesospb.ContainerInfo_DockerInfo) *mesospb.ContainerInfo {
		d.Image = new("busybox")
		return &mesospb.ContainerInfo{Type: mesospb.ContainerInfo_DOCKER.Enum(), Docker: d}
	}
	mesos := func(i *mesospb.Image) *mesospb.ContainerInfo {
		return &mesospb.ContainerInfo{Type: mesospb.ContainerInfo_MESOS.Enum(), Mesos: &mesospb.ContainerInfo_MesosInfo{Image: i}}
	}
	parameter := func(key string) *mesospb.ContainerInfo {
		return docker(&mesospb.ContainerInfo_DockerInfo{Parameters: []*mesospb.Parameter{{Key: &key, Value: new("x")}}})
	}
	for _, tt := range []struct {
		name      string
		container *mesospb.ContainerInfo
		want      string
	}{
		{"docker", docker(&mesospb.ContainerInfo_DockerInfo{}), ""},
		{"a parameter with a meaning", parameter("workdir"), ""},
		{"a parameter without", parameter("cap-add"), "key 'cap-add'"},
		{"privileged", docker(&mesospb.ContainerInfo_DockerInfo{Privileged: new(true)}), "privileged"},
		{"volume driver", docker(&mesospb.ContainerInfo_DockerInfo{VolumeDriver: new("rexray")}), "volume_driver"},
		{"docker without docker", &mesospb.ContainerInfo{Type: mesospb.ContainerInfo_DOCKER.Enum()}, "'container.docker' is missing"},
		{"appc", mesos(&mesospb.Image{Type: mesospb.Image_APPC.Enum()}), "APPC"},
		{"no name", mesos(&mesospb.Image{Type: mesospb.Image_DOCKER.Enum()}), "name' is empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := testConfig()
			cfg.Images = true
			task := testTask("t")
			task.Container = tt.container
			got := New(cfg).cannot(task, false)
			if tt.want == "" && got != nil || tt.want != "" && (got == nil || !strings.Contains(got.why, tt.want)) {
				t.Errorf("cannot() = %+v, want %q", got, tt.want)
			}
		})
	}
}
