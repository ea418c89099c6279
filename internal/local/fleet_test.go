package local_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/soukproject/souk/agent/containerizer/containerizertest"
	"github.com/soukproject/souk/framework/scheduler"
	"github.com/soukproject/souk/internal/zookeeper/zookeepertest"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// A fleet is a cluster of processes of their own, as on several machines: three
// masters, two agents, and two of each framework. Its cluster's addresses are
// those of one process; the leading one is found as a user finds it.
type fleet struct {
	*cluster
	zk        string
	addresses map[string][]string // host:port, by role
	processes map[string]*member  // by host:port
	program   string              // that start starts
}

// A member is one process, and what it was started with.
type member struct {
	*daemon
	args []string
}

// roles of processes; the commands that start them are named alike.
const (
	roleMaster, roleAgent, roleMarathon, roleChronos = "master", "agent", "marathon", "chronos"
)

// newFleet starts everything, with sessions of two seconds.
func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{
		program: binary(t),
		cluster: &cluster{t: t, dir: t.TempDir(), out: &bytes.Buffer{}}, zk: zookeepertest.Start(t, 1).URL(t),
		addresses: map[string][]string{}, processes: map[string]*member{},
	}
	containerizertest.LeaveNothing(t, f.dir)
	ports := freePorts(t, 9)
	for i, role := range []string{roleMaster, roleMaster, roleMaster, roleAgent, roleAgent, roleMarathon, roleMarathon, roleChronos, roleChronos} {
		address := fmt.Sprint("127.0.0.1:", ports[i])
		f.addresses[role] = append(f.addresses[role], address)
		f.processes[address] = &member{args: f.args(role, ports[i])}
		f.start(address)
	}
	f.master = "http://" + f.addresses[roleMaster][0]
	f.marathon, f.chrono = "http://"+f.addresses[roleMarathon][0], "http://"+f.addresses[roleChronos][0]
	f.whole(2)
	return f
}

func (f *fleet) args(role string, port int) []string {
	masters := f.zk + "-masters"
	args := []string{role}
	switch role {
	case roleMaster:
		args = append(args, "--zk="+masters, "--zk_session_timeout=2secs", "--cluster=fleet", "--no-hostname_lookup", "--ip=127.0.0.1", fmt.Sprint("--port=", port))
	case roleAgent:
		args = append(args, "--master="+masters, "--ip=127.0.0.1", fmt.Sprint("--port=", port), "--hostname=127.0.0.1", "--containerizer=posix",
			"--work_dir="+filepath.Join(f.dir, fmt.Sprint("agent", port)), "--resources=cpus:4;mem:4096;disk:4096;ports:[31000-31999]")
	case roleMarathon:
		args = append(args, "--master="+masters, "--zk="+f.zk+"-marathon", "--zk_session_timeout=2000")
	case roleChronos:
		args = append(args, "--master="+masters, "--zk="+f.zk+"-chronos", "--zk_timeout=2000")
	}
	if role == roleMarathon || role == roleChronos {
		args = append(args, "--hostname=127.0.0.1", "--http_address=127.0.0.1", fmt.Sprint("--http_port=", port))
	}
	return args
}

// start runs a process that does not run.
func (f *fleet) start(address string) {
	f.t.Helper()
	p := f.processes[address]
	p.daemon = startProgram(f.t, f.program, p.args...)
}

// end signals a process and waits for its end.
func (f *fleet) end(address string, sig syscall.Signal) {
	f.t.Helper()
	f.processes[address].end(f.t, sig)
}

// whole waits until a master leads that has all agents and n frameworks, and
// follows it from then on.
func (f *fleet) whole(n float64) {
	f.t.Helper()
	f.eventually("a master leads, and all are with it", func() error {
		at, err := f.leader()
		if err != nil {
			return err
		}
		f.master = "http://" + at
		var m map[string]float64
		if err := f.get(f.master+"/metrics/snapshot", &m); err != nil {
			return err
		}
		if m["master/elected"] != 1 || m["master/slaves_connected"] != float64(len(f.addresses[roleAgent])) || m["master/frameworks_active"] != n {
			return fmt.Errorf("%v agents, %v frameworks", m["master/slaves_connected"], m["master/frameworks_active"])
		}
		return nil
	})
}

// leader is the leading master, as any other one tells.
func (f *fleet) leader() (string, error) {
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var last error
	for _, address := range f.addresses[roleMaster] {
		resp, err := client.Get("http://" + address + "/redirect")
		if err != nil {
			last = err
			continue
		}
		resp.Body.Close()
		if at, err := url.Parse(resp.Header.Get("Location")); err == nil && at.Host != "" {
			return at.Host, nil
		}
		last = fmt.Errorf("%s answers %s", address, resp.Status)
	}
	return "", last
}

// A witness is a framework of this process that reserves a CPU, launches a task,
// and notes what it is told.
type witness struct {
	name string

	mu      sync.Mutex
	session *scheduler.Session
	began   bool
	done    bool     // it needs nothing more
	told    []string // states of its task, in order
	held    []*mesospb.Offer
}

// watch runs a witness until the test ends. It keeps all offers: whoever else
// needs some begins before.
func (f *fleet) watch(name string) *witness {
	w := &witness{name: name}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := scheduler.Run(ctx, scheduler.Config{
			Master: f.zk + "-masters",
			Framework: &mesospb.FrameworkInfo{
				User: new(user()), Name: &name, Roles: []string{name}, Checkpoint: new(true), FailoverTimeout: new(3600.0),
				Capabilities: []*mesospb.FrameworkInfo_Capability{
					{Type: mesospb.FrameworkInfo_Capability_MULTI_ROLE.Enum()},
					{Type: mesospb.FrameworkInfo_Capability_PARTITION_AWARE.Enum()},
					{Type: mesospb.FrameworkInfo_Capability_RESERVATION_REFINEMENT.Enum()},
				},
			},
		}, w)
		if ctx.Err() == nil {
			f.t.Errorf("witness: %v", err)
		}
	}()
	f.t.Cleanup(func() { cancel(); <-ended })
	return w
}

func (w *witness) note(what func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	what()
}

// Subscribed implements scheduler.Scheduler.
func (w *witness) Subscribed(_ context.Context, s *scheduler.Session) error {
	w.note(func() { w.session, w.held = s, nil })
	return nil
}

// Offers implements scheduler.Scheduler: the first is used, all others are kept.
func (w *witness) Offers(ctx context.Context, s *scheduler.Session, offers []*mesospb.Offer) error {
	for _, o := range offers {
		first, done := w.take(o)
		if done {
			if err := s.Decline(ctx, scheduler.OfferIDs(o), scheduler.RefuseFor(1000)); err != nil {
				return err
			}
		}
		if !first {
			continue
		}
		cpu := func(n float64) *mesospb.Resource {
			return &mesospb.Resource{
				Name: new("cpus"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: &n},
				AllocationInfo: o.GetAllocationInfo(),
			}
		}
		kept := cpu(1)
		kept.Reservations = []*mesospb.Resource_ReservationInfo{{Type: mesospb.Resource_ReservationInfo_DYNAMIC.Enum(), Role: &w.name}}
		task := &mesospb.TaskInfo{
			Name: &w.name, TaskId: &mesospb.TaskID{Value: &w.name}, AgentId: o.GetAgentId(),
			Resources: []*mesospb.Resource{cpu(0.1)},
			Command: &mesospb.CommandInfo{Value: new("exec sleep 1000"), Environment: &mesospb.Environment{
				Variables: []*mesospb.Environment_Variable{{Name: new("MESOS_TASK_ID"), Value: &w.name}}, // as Marathon does; pid looks for it
			}},
		}
		err := s.Accept(ctx, scheduler.OfferIDs(o), scheduler.RefuseFor(0), scheduler.Named("keep", scheduler.Reserve(kept)), scheduler.Launch(task))
		if err != nil {
			return err
		}
	}
	return nil
}

// take keeps an offer, but for the first, which is used, and those after release.
func (w *witness) take(o *mesospb.Offer) (first, done bool) {
	w.note(func() {
		if first, done = !w.began, w.done; !first && !done {
			w.held = append(w.held, o)
		}
		w.began = true
	})
	return first, done
}

// release gives all offers back, for good.
func (w *witness) release(ctx context.Context) error {
	var held []*mesospb.Offer
	var s *scheduler.Session
	w.note(func() { w.done, held, w.held, s = true, w.held, nil, w.session })
	return s.Decline(ctx, scheduler.OfferIDs(held...), scheduler.RefuseFor(1000))
}

// cpus are those of an offer, with whose they are.
func cpus(o *mesospb.Offer) string {
	var all []string
	for _, r := range o.GetResources() {
		if r.GetName() != "cpus" {
			continue
		}
		owner := "*"
		for _, reservation := range r.GetReservations() {
			owner = reservation.GetRole()
		}
		all = append(all, fmt.Sprintf("%s:%g", owner, r.GetScalar().GetValue()))
	}
	slices.Sort(all)
	return o.GetAgentId().GetValue() + " " + strings.Join(all, " ")
}

// Update implements scheduler.Scheduler.
func (w *witness) Update(_ context.Context, _ *scheduler.Session, u *mesospb.TaskStatus) error {
	w.note(func() { w.told = append(w.told, strings.TrimSuffix(u.GetState().String()+" "+u.GetMessage(), " ")) })
	return nil
}

// Rescinded implements scheduler.Rescinder.
func (w *witness) Rescinded(_ context.Context, _ *scheduler.Session, id *mesospb.OfferID) error {
	w.note(func() {
		w.held = slices.DeleteFunc(w.held, func(o *mesospb.Offer) bool { return o.GetId().GetValue() == id.GetValue() })
	})
	return nil
}

// heard is what it was told of its task.
func (w *witness) heard() (told []string) {
	w.note(func() { told = slices.Clone(w.told) })
	return told
}

// offers are the CPUs that it holds.
func (w *witness) offers() (held []string) {
	w.note(func() {
		for _, o := range w.held {
			held = append(held, cpus(o))
		}
	})
	slices.Sort(held)
	return held
}

// settled waits until the witness' task runs and the rest of all agents that
// may be offered is offered to it.
func (f *fleet) settled(w *witness) {
	f.t.Helper()
	f.eventually("the witness has its task and its offers", func() error {
		var m map[string]float64
		if err := f.get(f.master+"/metrics/snapshot", &m); err != nil {
			return err
		}
		told, held := w.heard(), w.offers()
		if !slices.ContainsFunc(told, func(s string) bool { return strings.HasPrefix(s, "TASK_RUNNING") }) || len(held) == 0 || len(held) < int(m["master/slaves_active"]) {
			return fmt.Errorf("it was told %q and holds %q", told, held)
		}
		return nil
	})
}

// onlyRuns: after a task has begun, nothing is told of it but that it runs.
func (f *fleet) onlyRuns(w *witness) {
	f.t.Helper()
	for _, s := range w.heard() {
		if !strings.HasPrefix(s, "TASK_STARTING") && !strings.HasPrefix(s, "TASK_RUNNING") {
			f.t.Errorf("the witness was told %q, want that its task starts and runs", w.heard())
			return
		}
	}
}

// begun are the processes of tasks and when they began, by task.
func (f *fleet) begun(tasks []string) map[string]string {
	f.t.Helper()
	all := map[string]string{}
	for _, id := range tasks {
		pid := f.pid(id)
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			f.t.Fatal(err)
		}
		rest := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		all[id] = fmt.Sprintf("process %d since %s", pid, rest[19])
	}
	return all
}
