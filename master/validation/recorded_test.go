package validation_test

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/soukproject/souk/master/validation"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// The files in testdata are what a Mesos master was asked and what it answered:
// "text" is the refusal, "" if there was none.

func recorded[T any](t *testing.T, file string) []T {
	t.Helper()
	f, err := os.Open("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []T
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var x T
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			t.Fatal(err)
		}
		list = append(list, x)
	}
	if len(list) < 50 {
		t.Fatalf("%s has %d lines, want more", file, len(list))
	}
	return list
}

// lenient reads what Mesos' parser accepts: unknown names are skipped.
var lenient = protojson.UnmarshalOptions{DiscardUnknown: true, AllowPartial: true}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestRecordedCalls(t *testing.T) {
	for _, x := range recorded[struct {
		Name string
		Call json.RawMessage
		Text string
	}](t, "calls.jsonl") {
		t.Run(x.Name, func(t *testing.T) {
			call := &schedulerpb.Call{}
			if err := lenient.Unmarshal(x.Call, call); err != nil {
				t.Skipf("not for this parser: %v", err)
			}
			if got := textOf(validation.ValidateCall(call)); got != x.Text {
				t.Errorf("ValidateCall(%s) = %q, want %q", x.Call, got, x.Text)
			}
		})
	}
}

func TestRecordedSubscriptions(t *testing.T) {
	for _, x := range recorded[struct {
		Name      string
		Subscribe json.RawMessage
		Roles     []string
		NoRoot    bool
		Text      string
	}](t, "frameworks.jsonl") {
		t.Run(x.Name, func(t *testing.T) {
			call := &schedulerpb.Call_Subscribe{}
			if err := lenient.Unmarshal(x.Subscribe, call); err != nil {
				t.Fatal(err)
			}
			if got := textOf(subscription(call, validation.FrameworkRules{Roles: x.Roles, RootSubmissions: !x.NoRoot})); got != x.Text {
				t.Errorf("%s\nrefused with %q, want %q", x.Subscribe, got, x.Text)
			}
		})
	}
}

func subscription(call *schedulerpb.Call_Subscribe, rules validation.FrameworkRules) error {
	if err := validation.Framework(call.GetFrameworkInfo(), rules); err != nil {
		return err
	}
	roles := validation.Roles(call.GetFrameworkInfo())
	if err := validation.SuppressedRoles(call.GetSuppressedRoles(), roles); err != nil {
		return err
	}
	_, err := validation.OfferConstraints(call.GetOfferConstraints(), roles)
	return err
}

// TestRecordedTasks: an unreadable resource spoils a whole LAUNCH, which is why the
// other tasks of each are recorded with it.
func TestRecordedTasks(t *testing.T) {
	offered, err := resources.Parse("cpus:8;mem:8192;disk:10000;ports:[31000-32000]", "*")
	if err != nil {
		t.Fatal(err)
	}
	active := map[mesos.TaskID]bool{}
	for _, x := range recorded[struct {
		Task json.RawMessage
		With []json.RawMessage
		Text string
	}](t, "tasks.jsonl") {
		task := taskOf(t, x.Task)
		name := task.GetTaskId().GetValue()
		t.Run(name, func(t *testing.T) {
			got := launchError(t, task, x.With, validation.TaskRules{
				Framework: "M-0000", Agent: "M-S0", Offered: offered.Allocate("dev"), Limits: true,
				Executor: func(mesos.ExecutorID) *mesospb.ExecutorInfo { return nil },
				Active:   func(id mesos.TaskID) bool { return active[id] }, Lost: func(mesos.TaskID) bool { return false },
			})
			if want := x.Text; !sameText(got, want) {
				t.Errorf("%s\nrefused with %q, want %q", x.Task, got, want)
			}
			if got == "" {
				active[mesos.TaskID(name)] = true
			}
		})
	}
}

func taskOf(t *testing.T, text []byte) *mesospb.TaskInfo {
	t.Helper()
	task := &mesospb.TaskInfo{}
	if err := lenient.Unmarshal(text, task); err != nil {
		t.Fatal(err)
	}
	return task
}

func launchError(t *testing.T, task *mesospb.TaskInfo, with []json.RawMessage, rules validation.TaskRules) string {
	for _, other := range append([]*mesospb.TaskInfo{task}, tasksOf(t, with)...) {
		if _, err := resources.FromProto(append(slices.Clone(other.GetResources()), other.GetExecutor().GetResources()...)); err != nil {
			return err.Error()
		}
	}
	used, _ := resources.FromProto(task.GetResources())
	rules.Used = used.Filter(func(r resources.Resource) bool { return r.Allocation != "" }).
		Add(used.Filter(func(r resources.Resource) bool { return r.Allocation == "" }).Allocate("dev"))
	return textOf(validation.Task(task, rules))
}

func tasksOf(t *testing.T, list []json.RawMessage) (tasks []*mesospb.TaskInfo) {
	for _, text := range list {
		tasks = append(tasks, taskOf(t, text))
	}
	return tasks
}

// sameText: Mesos lists what is left in an order of its own; how much is left
// depends on the tasks before. What Infinity looks like in a refusal is an accident.
func sameText(got, want string) bool {
	const available = " is more than available "
	got, _, _ = strings.Cut(got, available)
	want, _, _ = strings.Cut(want, available)
	if strings.Contains(want, "e+15' is invalid: Invalid scalar resource") {
		return strings.Contains(got, "is invalid: Invalid scalar resource")
	}
	return got == want
}
