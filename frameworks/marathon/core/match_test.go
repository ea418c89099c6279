package core_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// attempt creates an app and shows the scheduler one offer. It returns the
// tasks launched, or the reason why none was.
func attempt(t *testing.T, w *world, app string, o *mesospb.Offer) ([]*mesospb.TaskInfo, string) {
	t.Helper()
	w.create(app)
	var tasks []*mesospb.TaskInfo
	w.made = func(e core.Effect) {
		if a, ok := e.(core.Accept); ok {
			tasks = a.Tasks
		}
	}
	w.offers[o.GetId().GetValue()] = true
	w.step(core.Offered{Offers: []*mesospb.Offer{o}})
	w.perform()
	for _, q := range w.core.Queue(w.now) {
		for _, r := range q.Summary.RejectSummaryLaunchAttempt {
			if r.Declined > 0 {
				return tasks, string(r.Reason)
			}
		}
	}
	return tasks, ""
}

func reserved(r *mesospb.Resource, role string) *mesospb.Resource {
	r = proto.CloneOf(r)
	r.Reservations = []*mesospb.Resource_ReservationInfo{{Type: mesospb.Resource_ReservationInfo_STATIC.Enum(), Role: &role}}
	return r
}

func offerOf(role string, list ...*mesospb.Resource) *mesospb.Offer {
	o := anOffer("o1", "h1", 1)
	o.AllocationInfo.Role = &role
	o.Resources = nil
	for _, r := range list {
		r = proto.CloneOf(r)
		r.AllocationInfo.Role = &role
		o.Resources = append(o.Resources, r)
	}
	return o
}

func TestMatching(t *testing.T) {
	full := func(cpus float64) []*mesospb.Resource {
		return []*mesospb.Resource{scalar("cpus", cpus), scalar("mem", 1024), scalar("disk", 1024), ports(31000, 31001)}
	}
	for _, tt := range []struct {
		name, app string
		offer     *mesospb.Offer
		role      string
		want      string // resources taken, or a reason
	}{
		{"plain", `{"id":"/x","cmd":"x","cpus":0.5,"mem":10}`, offerOf("*", full(1)...), "*", "cpus:0.5; mem:10; ports:[31000-31000]"},
		{"cpus", `{"id":"/x","cmd":"x","cpus":2}`, offerOf("*", full(1)...), "*", "InsufficientCpus"},
		{"mem", `{"id":"/x","cmd":"x","mem":2000}`, offerOf("*", full(1)...), "*", "InsufficientMemory"},
		{"disk", `{"id":"/x","cmd":"x","disk":2000}`, offerOf("*", full(1)...), "*", "InsufficientDisk"},
		{"gpus", `{"id":"/x","cmd":"x","gpus":1}`, offerOf("*", full(1)...), "*", "InsufficientGpus"},
		{"too many ports", `{"id":"/x","cmd":"x","ports":[0,0,0]}`, offerOf("*", full(1)...), "*", "InsufficientPorts"},
		{"two ports", `{"id":"/x","cmd":"x","ports":[0,0]}`, offerOf("*", full(1)...), "*", "cpus:1; mem:128; ports:[31000-31001]"},
		{"no ports", `{"id":"/x","cmd":"x","ports":[]}`, offerOf("*", full(1)...), "*", "cpus:1; mem:128"},
		{"required port", `{"id":"/x","cmd":"x","ports":[31001],"requirePorts":true}`, offerOf("*", full(1)...), "*", "cpus:1; mem:128; ports:[31001-31001]"},
		{"required port elsewhere", `{"id":"/x","cmd":"x","ports":[80],"requirePorts":true}`, offerOf("*", full(1)...), "*", "InsufficientPorts"},
		{"scarce gpus", `{"id":"/x","cmd":"x"}`, offerOf("*", append(full(1), scalar("gpus", 1))...), "*", "DeclinedScarceResources"},
		{"gpus for all", `{"id":"/x","cmd":"x","ports":[],"labels":{"GPU_SCHEDULING_BEHAVIOR":"unrestricted"}}`, offerOf("*", append(full(1), scalar("gpus", 1))...), "*", "cpus:1; mem:128"},
		{"with gpus", `{"id":"/x","cmd":"x","ports":[],"gpus":1}`, offerOf("*", append(full(1), scalar("gpus", 1))...), "*", "cpus:1; gpus:1; mem:128"},
		{"another role", `{"id":"/x","cmd":"x"}`, offerOf("ads", full(1)...), "*", "UnfulfilledRole"},
		{"reserved first", `{"id":"/x","cmd":"x","cpus":1.5,"ports":[]}`, offerOf("web", scalar("cpus", 1), reserved(scalar("cpus", 1), "web"), scalar("mem", 128)), "web",
			"cpus:0.5; cpus(reservations: [(STATIC,web)]):1; mem:128"},
		{"unreserved only", `{"id":"/x","cmd":"x","cpus":1.5,"acceptedResourceRoles":["*"]}`, offerOf("web", scalar("cpus", 1), reserved(scalar("cpus", 1), "web"), scalar("mem", 128)), "web", "InsufficientCpus"},
		{"reserved only", `{"id":"/x","cmd":"x","cpus":1,"ports":[],"acceptedResourceRoles":["web"]}`, offerOf("web", scalar("cpus", 1), scalar("mem", 128)), "web", "UnfulfilledRole"},
		{"nothing wanted", `{"id":"/x","cmd":"x","cpus":0,"mem":0,"ports":[]}`, offerOf("*", full(1)...), "*", "{}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.cfg.Rules.Role = tt.role
			w.cfg.Rules.Features = []string{"gpu_resources"}
			w.crash()
			tasks, got := attempt(t, w, tt.app, tt.offer)
			if got == "" && len(tasks) == 1 {
				taken, err := resources.FromProto(tasks[0].GetResources())
				if err != nil {
					t.Fatal(err)
				}
				got = taken.Unallocated().String()
			}
			if !same(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// same compares two lists of resources; one random port counts as another.
func same(a, b string) bool {
	norm := func(s string) string {
		parts := strings.Split(strings.ReplaceAll(s, "31001-31001", "31000-31000"), "; ")
		slices.Sort(parts)
		return strings.Join(parts, "; ")
	}
	return norm(a) == norm(b)
}

func TestMaintenanceAndRegions(t *testing.T) {
	w := newWorld(t)
	o := anOffer("o1", "h1", 4)
	o.Unavailability = &mesospb.Unavailability{Start: &mesospb.TimeInfo{Nanoseconds: new(w.now.Add(-time.Hour).UnixNano())}}
	if _, got := attempt(t, w, `{"id":"/x","cmd":"x"}`, o); got != "AgentMaintenance" {
		t.Errorf("on an agent in maintenance: %q, want AgentMaintenance", got)
	}
	away := anOffer("o2", "h2", 4)
	away.Domain = &mesospb.DomainInfo{FaultDomain: &mesospb.DomainInfo_FaultDomain{
		Region: &mesospb.DomainInfo_FaultDomain_RegionInfo{Name: new("west")}, Zone: &mesospb.DomainInfo_FaultDomain_ZoneInfo{Name: new("w1")},
	}}
	w = newWorld(t)
	w.step(core.Subscribed{FrameworkID: "f1", Region: "east"})
	if _, got := attempt(t, w, `{"id":"/x","cmd":"x"}`, away); got != "UnfulfilledConstraint" {
		t.Errorf("in another region: %q, want UnfulfilledConstraint", got)
	}
	away.Id.Value = new("o3")
	if tasks, got := attempt(t, w, `{"id":"/y","cmd":"x","constraints":[["@region","IS","west"]]}`, away); len(tasks) != 1 {
		t.Errorf("in the region asked for: %q, want one launch", got)
	}
}

func TestAtMostSoManyPerOffer(t *testing.T) {
	w := newWorld(t)
	tasks, _ := attempt(t, w, `{"id":"/x","cmd":"x","cpus":0.1,"mem":1,"instances":20}`, anOffer("o1", "h1", 64))
	if len(tasks) != 5 {
		t.Errorf("%d tasks on one offer, want 5", len(tasks))
	}
	used := map[string]bool{}
	for _, x := range tasks {
		for _, v := range x.GetCommand().GetEnvironment().GetVariables() {
			if v.GetName() == "PORT" {
				used[v.GetValue()] = true
			}
		}
	}
	if len(used) != 5 {
		t.Errorf("ports %v, want five different ones", used)
	}
}

// TestLaunchTokens: a flood of launches is spread; tasks that run make room.
func TestLaunchTokens(t *testing.T) {
	w := newWorld(t)
	w.cfg.LaunchTokens, w.cfg.MaxInstancesPerOffer = 3, 100
	w.crash()
	attempt(t, w, `{"id":"/x","cmd":"x","cpus":0.1,"instances":10}`, anOffer("o1", "h1", 64))
	if got := w.active("/x"); got != 3 {
		t.Fatalf("%d launches, want 3", got)
	}
	w.offer("h1", 64)
	w.perform()
	if got := w.active("/x"); got != 3 {
		t.Fatalf("%d launches without tokens, want 3", got)
	}
	w.progress()
	w.perform()
	w.tick(5 * time.Second)
	w.perform()
	w.offer("h1", 64)
	w.perform()
	if got := w.active("/x"); got != 6 {
		t.Fatalf("%d launches after three run, want 6", got)
	}
	w.tick(30 * time.Second)
	w.perform()
	w.offer("h1", 64)
	w.perform()
	if got := w.active("/x"); got != 9 {
		t.Fatalf("%d launches after a refill, want 9", got)
	}
}

func TestTaskInfo(t *testing.T) {
	w := newWorld(t)
	tasks, reason := attempt(t, w, `{"id":"/dev/web","cmd":"serve","cpus":0.5,"mem":64,"user":"www","env":{"HOST":"mine","B":"2"},
		"labels":{"a.b-c":"1","HAPROXY_GROUP":"ext"},"taskKillGracePeriodSeconds":7,"resourceLimits":{"cpus":"unlimited","mem":128},
		"portDefinitions":[{"port":9000,"name":"http","protocol":"tcp","labels":{"VIP_0":"/web:80"}},{"port":0,"protocol":"udp,tcp","name":"x-y"}]}`, anOffer("o1", "h1", 4))
	if len(tasks) != 1 {
		t.Fatalf("not launched: %s", reason)
	}
	x := tasks[0]
	id := x.GetTaskId().GetValue()
	if !strings.HasPrefix(id, "dev_web.instance-") || !strings.HasSuffix(id, "._app.1") {
		t.Errorf("task id = %s", id)
	}
	env := map[string]string{}
	for _, v := range x.GetCommand().GetEnvironment().GetVariables() {
		env[v.GetName()] = v.GetValue()
	}
	p0, p1 := env["PORT0"], env["PORT1"]
	app, _ := w.core.App("/dev/web")
	want := map[string]string{
		"MESOS_TASK_ID": id, "MARATHON_APP_ID": "/dev/web", "MARATHON_APP_VERSION": app.Version.String(),
		"MARATHON_APP_RESOURCE_CPUS": "0.5", "MARATHON_APP_RESOURCE_MEM": "64.0", "MARATHON_APP_RESOURCE_DISK": "0.0", "MARATHON_APP_RESOURCE_GPUS": "0",
		"MARATHON_APP_ENFORCE_GROUP_ROLE": "FALSE", "MARATHON_APP_LABELS": "HAPROXY_GROUP A_B_C",
		"MARATHON_APP_LABEL_A_B_C": "1", "MARATHON_APP_LABEL_HAPROXY_GROUP": "ext",
		"HOST": "mine", "B": "2", "PORT0": p0, "PORT1": p1, "PORT": p0, "PORTS": p0 + "," + p1,
		"PORT_9000": p0, "PORT_HTTP": p0, "PORT_X-Y": p1, fmt.Sprintf("PORT_%d", app.PortDefinitions[1].Port): p1,
	}
	if fmt.Sprint(env) != fmt.Sprint(want) {
		t.Errorf("environment = %v\nwant          %v", env, want)
	}
	if x.GetName() != "web.dev" || x.GetDiscovery().GetName() != "web.dev" || x.GetCommand().GetUser() != "www" || !x.GetCommand().GetShell() || x.GetCommand().GetValue() != "serve" {
		t.Errorf("task = %v", x)
	}
	if got := x.GetKillPolicy().GetGracePeriod().GetNanoseconds(); got != 7e9 {
		t.Errorf("grace period = %d ns, want 7 s", got)
	}
	if l := x.GetLimits(); !math.IsInf(l["cpus"].GetValue(), 1) || l["mem"].GetValue() != 128 {
		t.Errorf("limits = %v", l)
	}
	if got := len(x.GetDiscovery().GetPorts().GetPorts()); got != 3 {
		t.Errorf("%d discovery ports, want 3: one per protocol", got)
	}
	first := x.GetDiscovery().GetPorts().GetPorts()[0]
	if got := fmt.Sprint(first.GetName(), first.GetProtocol(), first.GetLabels().GetLabels()); !strings.Contains(got, "VIP_0") || !strings.Contains(got, "network-scope") {
		t.Errorf("first discovery port = %s", got)
	}
	if got := x.GetResources()[0].GetAllocationInfo().GetRole(); got != "*" {
		t.Errorf("allocated to %q, want *", got)
	}
}

func TestArgsAreNotForTheShell(t *testing.T) {
	w := newWorld(t)
	tasks, _ := attempt(t, w, `{"id":"/x","args":["echo","$A"],"ports":[]}`, anOffer("o1", "h1", 4))
	cmd := tasks[0].GetCommand()
	if cmd.GetShell() || cmd.GetValue() != "echo" || strings.Join(cmd.GetArguments(), " ") != "echo $A" {
		t.Errorf("command = %v", cmd)
	}
}

func TestAppOfTask(t *testing.T) {
	const uuid = "c7c311a4-b669-11e6-a48f-0ea4f4b1778c"
	for id, want := range map[string]string{
		"dev_web.instance-" + uuid + "._app.1": "/dev/web",
		"dev_web.instance-" + uuid + "._app":   "/dev/web",
		"dev_web.instance-" + uuid + ".main":   "/dev/web",
		"dev_web." + uuid:                      "/dev/web",
		"dev_web." + uuid + ".2":               "/dev/web",
		"dev_web.marathon-" + uuid:             "/dev/web",
		"a.b_c.instance-" + uuid + "._app.1":   "/a.b/c",
		"web":                                  "",
		"web.1":                                "",
		"ct:123:0:job:":                        "",
		".instance-" + uuid:                    "",
	} {
		if got := core.AppOfTask(id); got != want {
			t.Errorf("AppOfTask(%q) = %q, want %q", id, got, want)
		}
	}
}
