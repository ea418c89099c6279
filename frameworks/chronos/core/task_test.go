package core

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// task launches the one job created from body and returns what the master gets.
func task(t *testing.T, body string) *mesospb.TaskInfo {
	t.Helper()
	w := newWorld(t, "2026-03-04T05:00:01Z")
	w.connect()
	w.put(body)
	w.launched()
	return w.tasks[0]
}

func TestCommand(t *testing.T) {
	tests := []struct {
		name, job, value string
		shell            bool
		argv             []string
	}{
		{"shell line", `'command':'echo hi'`, "echo hi", true, nil},
		{"arguments are appended", `'command':'echo','arguments':['a','b c']`, "echo a b c", true, nil},
		{"program", `'command':'/bin/echo','shell':false`, "/bin/echo", false, []string{"/bin/echo"}},
		{"program with arguments", `'command':'/bin/echo','shell':false,'arguments':['-n','b c']`, "/bin/echo", false, []string{"/bin/echo", "-n", "b c"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := task(t, `{'name':'j',`+tt.job+`,'schedule':'R1//P1D'}`).GetCommand()
			if got.GetValue() != tt.value || got.GetShell() != tt.shell || !cmp.Equal(got.GetArguments(), tt.argv) || got.GetUser() != "root" {
				t.Errorf("command = %v, want %q, shell %v, %q by root", got, tt.value, tt.shell, tt.argv)
			}
		})
	}
}

func TestManualArgumentsOfAProgram(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.connect()
	w.put(`{'name':'j','command':'/bin/echo','shell':false,'arguments':['own'],` + never + `}`)
	if err := w.call(Run{Job: "j", Arguments: "a  b", Given: true}); err != nil {
		t.Fatal(err)
	}
	w.launched()
	if diff := cmp.Diff([]string{"/bin/echo", "a", "b"}, w.tasks[0].GetCommand().GetArguments()); diff != "" {
		t.Errorf("argv differs (-want +got):\n%s", diff)
	}
}

func TestEnvironment(t *testing.T) {
	info := task(t, `{'name':'AJob','command':'noop','owner':'foo@bar.com','cpus':2,'disk':3,'mem':5,'schedule':'R1//P1D',
		'environmentVariables':[{'name':'CHRONOS_RESOURCE_MEM','value':'10000'},{'name':'FOO','value':'BAR'}]}`)
	got := make(map[string]string)
	for _, v := range info.GetCommand().GetEnvironment().GetVariables() {
		if _, twice := got[v.GetName()]; twice {
			t.Errorf("variable %s is there twice", v.GetName())
		}
		got[v.GetName()] = v.GetValue()
	}
	ms := clock(t, "2026-03-04T05:00:00Z").UnixMilli()
	id := fmt.Sprintf("ct:%d:0:AJob:", ms)
	want := map[string]string{
		"mesos_task_id": id, "MESOS_TASK_ID": id, "CHRONOS_JOB_OWNER": "foo@bar.com", "CHRONOS_JOB_NAME": "AJob", "HOST": "host1",
		"CHRONOS_RESOURCE_MEM": "5.0", "CHRONOS_RESOURCE_CPU": "2.0", "CHRONOS_RESOURCE_DISK": "3.0",
		"CHRONOS_JOB_RUN_TIME": fmt.Sprint(ms), "CHRONOS_JOB_RUN_ATTEMPT": "0", "FOO": "BAR",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment differs (-want +got):\n%s", diff)
	}
}

func TestTaskInfo(t *testing.T) {
	info := task(t, `{'name':'j','command':'x','cpus':0.5,'mem':64,'disk':0,'maxCompletionTime':90,'schedule':'R1//P1D'}`)
	if info.GetName() != "ChronosTask:j" || info.GetAgentId().GetValue() != "a1" || info.GetMaxCompletionTime().GetNanoseconds() != int64(90*time.Second) {
		t.Errorf("task = %v, want Chronos' name, the offer's agent and the limit", info)
	}
	got := make(map[string]float64)
	for _, r := range info.GetResources() {
		got[r.GetName()] += r.GetScalar().GetValue()
	}
	if diff := cmp.Diff(map[string]float64{"cpus": 0.5, "mem": 64, "disk": 256}, got); diff != "" {
		t.Errorf("resources differ (-want +got):\n%s", diff)
	}
}

// TestTaskIDsAreAcceptable: whatever the arguments, Mesos takes the id, and
// Chronos' own pattern finds the parts.
func TestTaskIDsAreAcceptable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[\w.-]{1,150}`).Draw(t, "name")
		arguments := rapid.String().Draw(t, "arguments")
		r := &record{job: &Job{Name: name}}
		req := &request{Due: time.UnixMilli(rapid.Int64Range(0, 253402300799999).Draw(t, "due")), Attempt: rapid.Int64Range(0, 1e6).Draw(t, "attempt"), Arguments: arguments, Given: true}
		id := r.taskID(req)
		if err := mesos.CheckID(string(id)); err != nil {
			t.Fatalf("CheckID(%q) = %v, want nil", id, err)
		}
		parts := strings.SplitN(string(id), ":", 5)
		if len(parts) != 5 || parts[0] != "ct" || parts[1] != fmt.Sprint(req.Due.UnixMilli()) || parts[2] != fmt.Sprint(req.Attempt) || parts[3] != name || strings.Contains(parts[4], ";") {
			t.Fatalf("id = %q, want ct:<millis>:<attempt>:%s:<arguments>", id, name)
		}
		r.history = []*RunRecord{{TaskID: id}}
		if second := r.taskID(req); second == id {
			t.Fatalf("id %q was given out twice", id)
		}
	})
}

func TestConstraints(t *testing.T) {
	number := &mesospb.Attribute{Name: new("n"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: new(3.0)}}
	set := &mesospb.Attribute{Name: new("s"), Type: mesospb.Value_SET.Enum(), Set: &mesospb.Value_Set{Item: []string{"x", "y"}}}
	ranges := &mesospb.Attribute{Name: new("r"), Type: mesospb.Value_RANGES.Enum(), Ranges: &mesospb.Value_Ranges{}}
	attributes := []*mesospb.Attribute{text("rack", "rack-1"), number, set, ranges}
	tests := []struct {
		placing Placing
		want    bool
	}{
		{Placing{"rack", "EQUALS", "rack-1"}, true},
		{Placing{"rack", "EQUALS", "rack-2"}, false},
		{Placing{"rack", "EQUALS", "rack-"}, false},
		{Placing{"absent", "EQUALS", ""}, false},
		{Placing{"rack", "LIKE", "rack-[1-3]"}, true},
		{Placing{"rack", "LIKE", "rack"}, false},
		{Placing{"rack", "LIKE", "a|rack-1"}, true},
		{Placing{"rack", "UNLIKE", "rack-[1-3]"}, false},
		{Placing{"rack", "UNLIKE", "x"}, true},
		{Placing{"absent", "UNLIKE", "x"}, false},
		{Placing{"n", "LIKE", `3\.0`}, true},
		{Placing{"n", "UNLIKE", "4.0"}, true},
		{Placing{"n", "EQUALS", "3.0"}, false},
		{Placing{"s", "LIKE", "y"}, true},
		{Placing{"s", "LIKE", "z"}, false},
		{Placing{"s", "UNLIKE", "z"}, true},
		{Placing{"s", "UNLIKE", "x"}, false},
		{Placing{"r", "LIKE", ".*"}, false},
		{Placing{"hostname", "EQUALS", "host1"}, true},
		{Placing{"hostname", "UNLIKE", "host[0-9]"}, false},
		{Placing{"rack", "GROUP_BY", "whatever"}, true},
	}
	for _, tt := range tests {
		c, bad := readConstraint(tt.placing)
		if bad != nil {
			t.Fatal(bad)
		}
		if got := c.matches(attributes, "host1"); got != tt.want {
			t.Errorf("%v matches = %v, want %v", tt.placing, got, tt.want)
		}
	}
}

func TestConstraintsChooseTheAgent(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.connect()
	w.put(`{'name':'j','command':'x','constraints':[['rack','EQUALS','r2'],['hostname','LIKE','host.*']],'schedule':'R1//P1D'}`)
	w.idle()
	w.offer(text("rack", "r1"))
	if len(w.tasks) != 0 {
		t.Fatal("launched on rack r1, want rack r2 alone")
	}
	w.offer(text("rack", "r2"))
	if len(w.tasks) != 1 {
		t.Fatal("not launched on rack r2")
	}
}
