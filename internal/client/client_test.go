package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/callevent"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	agentpb "github.com/soukproject/souk/proto/mesos/v1/agent"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
)

// do runs a command as it is typed.
func do(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	for _, c := range Commands() {
		if c.Name == name {
			var out, complaints bytes.Buffer
			err := c.Run(t.Context(), args, nil, Terminal{In: strings.NewReader(""), Out: &out, Err: &complaints})
			return out.String(), err
		}
	}
	t.Fatalf("there is no command %s", name)
	return "", nil
}

// fakeMaster answers every call by its type.
func fakeMaster(t *testing.T, answers map[string]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := &masterpb.Call{}
		if err := callevent.ReadCall(w, r, call, callevent.ReadOptions{}); err != nil {
			callevent.WriteError(w, err)
			return
		}
		body, ok := answers[call.GetType().String()]
		if !ok {
			http.Error(w, "not for\nyou", http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, `{"type":%q,%s}`, call.GetType(), body)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func task(id, name, state string) string {
	return fmt.Sprintf(`{"name":%q,"task_id":{"value":%q},"framework_id":{"value":"F"},"agent_id":{"value":"S"},"state":%q,
		"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.5}}],
		"statuses":[{"task_id":{"value":%[2]q},"state":%[3]q,"message":"so\u001b[2Jit goes"}]}`, name, id, state)
}

func TestLists(t *testing.T) {
	leader := fakeMaster(t, map[string]string{
		"GET_TASKS": `"get_tasks":{"tasks":[` + task("web.1", "web", "TASK_RUNNING") + `],"completed_tasks":[` + task("old.1", "old", "TASK_FAILED") + `]}`,
		"GET_AGENTS": `"get_agents":{"agents":[{"agent_info":{"hostname":"one","id":{"value":"S"}},"active":true,"pid":"slave(1)@10.0.0.1:5051","version":"1",
			"total_resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":4}}],"allocated_resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.1}},{"name":"cpus","type":"SCALAR","scalar":{"value":0.2}}]}]}`,
		"GET_FRAMEWORKS": `"get_frameworks":{"frameworks":[{"framework_info":{"user":"","name":"shop","id":{"value":"F"},"roles":["a","b"]},"active":true,"connected":false,"recovered":false}]}`,
	})
	follower := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "//"+leader+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer follower.Close()
	tests := []struct {
		name string
		args []string
		want []string
		not  string
	}{
		{"agents", nil, []string{"one", "10.0.0.1:5051", "active", "0.3/4"}, "\x00"},
		{"frameworks", nil, []string{"shop", "a,b", "disconnected"}, "\x00"},
		{"tasks", nil, []string{"web.1", "shop", "one", "TASK_RUNNING", "0.5", "so?[2Jit goes"}, "old.1"},
		{"tasks", []string{"--all"}, []string{"web.1", "old.1"}, "\x00"},
		{"tasks", []string{"--framework=other"}, []string{"TASK"}, "web.1"},
		{"tasks", []string{"--agent=one"}, []string{"web.1"}, "\x00"},
		{"tasks", []string{"--json"}, []string{`"completed_tasks":[`}, "SINCE"},
	}
	for _, tt := range tests {
		t.Run(tt.name+strings.Join(tt.args, " "), func(t *testing.T) {
			out, err := do(t, tt.name, append(tt.args, "--master", strings.TrimPrefix(follower.URL, "http://"))...)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in:\n%s", want, out)
				}
			}
			if strings.Contains(out, tt.not) {
				t.Errorf("%q in:\n%s", tt.not, out)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	address := fakeMaster(t, nil)
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"tasks", []string{"--master=nowhere"}, "is not host:port"},
		{"tasks", []string{"--master=zk://"}, "flag --master"},
		{"tasks", []string{"--master=127.0.0.1:1"}, "is it running?"},
		{"tasks", []string{"--master", address}, "answers 403 Forbidden: not for?you"},
		{"tasks", []string{"web"}, `unexpected argument "web"`},
		{"logs", nil, "name one task"},
		{"logs", []string{"a", "b"}, "name one task"},
		{"logs", []string{"--stderr", "--file=x", "a"}, "give one"},
		{"exec", []string{"a"}, "name one task and a command"},
		{"exec", []string{"--env=A", "a", "--", "b"}, `"A" is not NAME=VALUE`},
		{"exec", []string{"-t", "a", "--", "b"}, "needs a terminal"},
		{"exec", []string{"-x", "a", "--", "b"}, `unexpected argument "-x"`},
		{"run", nil, "name a command"},
		{"run", []string{"--cpus=0", "--", "x"}, "cpus and mem"},
		{"run", []string{"--cpus=NaN", "--", "x"}, "is not an amount"},
		{"run", []string{"--disk=-1", "--", "x"}, "is not an amount"},
	}
	for _, tt := range tests {
		t.Run(tt.name+" "+strings.Join(tt.args, " "), func(t *testing.T) {
			_, err := do(t, tt.name, tt.args...)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error is %v, want one line with %q", err, tt.want)
			}
		})
	}
}

func TestChoose(t *testing.T) {
	named := func(id, name string) *mesospb.Task {
		return &mesospb.Task{TaskId: &mesospb.TaskID{Value: &id}, Name: &name}
	}
	running := []*mesospb.Task{named("web.1", "web"), named("web.11", "web"), named("db.1", "db")}
	ended := []*mesospb.Task{named("db.0", "db"), named("old.1", "old")}
	tests := []struct{ word, want, err string }{
		{"web.1", "web.1", ""}, // not the beginning of web.11
		{"db", "db.1", ""},     // not the one that has ended
		{"db.0", "db.0", ""},
		{"ol", "old.1", ""},
		{"web", "", "2 tasks are called \"web\": give the id of one, such as web.1, web.11"},
		{"x", "", `there is no task "x"`},
	}
	for _, tt := range tests {
		k, err := choose(tt.word, running, ended)
		if k.GetTaskId().GetValue() != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("choose(%q) = %v, %v, want %q, %q", tt.word, k.GetTaskId().GetValue(), err, tt.want, tt.err)
		}
	}
}

func TestSandboxOf(t *testing.T) {
	k := &mesospb.Task{TaskId: &mesospb.TaskID{Value: new("T")}, FrameworkId: &mesospb.FrameworkID{Value: new("F")}}
	if got, want := sandboxOf(k), "/frameworks/F/executors/T/runs/latest"; got != want {
		t.Errorf("sandbox of a command task is %s, want %s", got, want)
	}
	k.ExecutorId = &mesospb.ExecutorID{Value: new("E")}
	k.Statuses = []*mesospb.TaskStatus{{ContainerStatus: &mesospb.ContainerStatus{ContainerId: &mesospb.ContainerID{
		Value: new("c"), Parent: &mesospb.ContainerID{Value: new("p")},
	}}}}
	if got, want := sandboxOf(k), "/frameworks/F/executors/E/runs/latest/tasks/T"; got != want {
		t.Errorf("sandbox of a task of a group is %s, want %s", got, want)
	}
}

func TestExitOf(t *testing.T) {
	tests := []struct {
		wait *int32
		want int // -1: an error of another kind
	}{{new(int32(0)), 0}, {new(int32(7 << 8)), 7}, {new(int32(255 << 8)), 255}, {new(int32(9)), 137}, {new(int32(11 | 0x80)), 139}, {nil, -1}}
	for _, tt := range tests {
		err := exitOf(&agentpb.Response_WaitContainer{ExitStatus: tt.wait})
		got := 0
		if exit := (*Exit)(nil); errors.As(err, &exit) {
			got = exit.Status
		} else if err != nil {
			got = -1
		}
		if got != tt.want {
			t.Errorf("exit of %v is %d (%v), want %d", tt.wait, got, err, tt.want)
		}
	}
}

// TestTake: what is reserved for the role goes first, and too little is nothing.
func TestTake(t *testing.T) {
	scalar := func(name string, v float64, reserved bool) *mesospb.Resource {
		r := &mesospb.Resource{Name: &name, Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: &v}}
		if reserved {
			r.Reservations = []*mesospb.Resource_ReservationInfo{{Role: new("r")}}
		}
		return r
	}
	offer := &mesospb.Offer{Resources: []*mesospb.Resource{
		scalar("cpus", 2, false), scalar("cpus", 0.5, true), scalar("mem", 64, false), scalar("gpus", 1, false),
	}}
	before := proto.Clone(offer)
	r := &run{needs: map[string]float64{"cpus": 1, "mem": 64}}
	taken := r.take(offer)
	if got := amounts(scalars(taken)); got != "cpus:1;mem:64" || len(taken[0].GetReservations()) != 1 {
		t.Errorf("take = %v, want 1 CPU, the reserved part first, and 64 MB", taken)
	}
	if !proto.Equal(offer, before) {
		t.Error("take changes the offer")
	}
	r.needs["mem"] = 65
	if taken := r.take(offer); taken != nil {
		t.Errorf("take = %v of too little memory, want nothing", taken)
	}
}

// TestFollow: what is written while the writer ends is still printed.
func TestFollow(t *testing.T) {
	content := "one"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := &agentpb.Call{}
		if err := callevent.ReadCall(w, r, call, callevent.ReadOptions{Agent: true}); err != nil {
			callevent.WriteError(w, err)
			return
		}
		rest := content[min(len(content), int(call.GetReadFile().GetOffset())):]
		callevent.WriteMessage(w, r, callevent.Protobuf, &agentpb.Response{
			Type: agentpb.Response_READ_FILE.Enum(), ReadFile: &agentpb.Response_ReadFile{Size: new(uint64(len(content))), Data: []byte(rest)},
		})
	}))
	defer s.Close()
	f := &remoteFile{agent: agentAPI{strings.TrimPrefix(s.URL, "http://"), s.Client()}, path: "/x"}
	var out bytes.Buffer
	looks := 0
	err := f.follow(t.Context(), &out, func(context.Context) (bool, error) {
		if looks++; looks == 2 {
			content = "one, two"
		}
		return looks < 2, nil
	})
	if err != nil || out.String() != "one, two" {
		t.Errorf("follow = %v, prints %q, want %q", err, out.String(), "one, two")
	}
	last := &remoteFile{agent: f.agent, path: "/x"}
	out.Reset()
	if err := errors.Join(last.end(t.Context(), 3), last.copy(t.Context(), &out)); err != nil || out.String() != "two" {
		t.Errorf("the last 3 bytes are %q, %v, want %q", out.String(), err, "two")
	}
}
