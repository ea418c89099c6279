package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/framework/scheduler"
	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// Calls of one framework that may be under way at a time, and wait for that.
const (
	callWorkers = 4
	callQueue   = 4096
)

// A framework launches its tasks as offers come, and notes when each was
// launched and when its TASK_RUNNING had been acknowledged.
type framework struct {
	cfg    *config
	name   string
	failed func(error)
	calls  chan func()
	done   chan struct{} // closed when it is through

	// Used by the methods that Run calls, one at a time.
	waiting    []int // numbers of tasks to launch, the next one last
	suppressed bool

	mu    sync.Mutex
	tasks []record
	left  int // neither seen nor failed
	tally tally
}

// A record is what is known of one task.
type record struct {
	attempt  int
	launched time.Time // when the ACCEPT was sent
	seen     time.Time // when TASK_RUNNING was acknowledged
	failed   bool
	ended    bool
}

// tally counts what happened.
type tally struct{ Offers, Accepts, Updates, Finished, Failed, Relaunched int }

func newFramework(cfg *config, n int, failed func(error)) *framework {
	f := &framework{
		cfg: cfg, name: frameworkName(n), done: make(chan struct{}), failed: failed,
		calls: make(chan func(), callQueue), tasks: make([]record, cfg.Tasks), left: cfg.Tasks,
	}
	for i := cfg.Tasks - 1; i >= 0; i-- {
		f.waiting = append(f.waiting, i)
	}
	return f
}

func frameworkName(n int) string { return fmt.Sprintf("bench-framework-%d", n) }

// run is the framework's life: until its tasks are through, or ctx ends.
func (f *framework) run(ctx context.Context) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	defer close(f.calls)
	for range callWorkers {
		workers.Go(func() {
			for call := range f.calls {
				call()
			}
		})
	}
	info := &mesospb.FrameworkInfo{
		User: proto.String(f.cfg.User), Name: proto.String(f.name), Roles: []string{f.cfg.Role},
		Capabilities: []*mesospb.FrameworkInfo_Capability{
			{Type: mesospb.FrameworkInfo_Capability_MULTI_ROLE.Enum()},
			{Type: mesospb.FrameworkInfo_Capability_RESERVATION_REFINEMENT.Enum()},
		},
	}
	if f.cfg.Principal != "" {
		info.Principal = proto.String(f.cfg.Principal)
	}
	if f.cfg.Failover != "" {
		info.FailoverTimeout, info.Checkpoint = proto.Float64(60), proto.Bool(true)
	}
	err := scheduler.Run(ctx, scheduler.Config{
		Detect: f.cfg.detector.Detect, Framework: info, JSON: f.cfg.JSON,
		Principal: f.cfg.Principal, Secret: f.cfg.Secret,
	}, f)
	if err != nil {
		return fmt.Errorf("framework %s: %w", f.name, err)
	}
	return nil
}

// Subscribed implements scheduler.Scheduler. A framework that lost its
// connection while ending ends now.
func (f *framework) Subscribed(ctx context.Context, s *scheduler.Session) error {
	f.cfg.absence.back(f.name, &f.cfg.absence.frameworks)
	if f.ends() {
		return s.Teardown(ctx)
	}
	return nil
}

// ends: a framework that is through leaves, unless it waits for a master to be killed.
func (f *framework) ends() bool { return f.through() && f.cfg.Failover == "" }

// less notes that one task fewer is waited for. The caller holds mu.
func (f *framework) less() {
	if f.left--; f.left == 0 {
		close(f.done)
	}
}

func (f *framework) through() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.left == 0
}

// Disconnected implements scheduler.Disconnecter: in a measurement that is worth knowing.
func (f *framework) Disconnected(ctx context.Context, _ *scheduler.Session, why error) {
	if ctx.Err() == nil && !f.through() {
		f.failed(fmt.Errorf("framework disconnected: %w", why))
	}
}

// Offers implements scheduler.Scheduler: as many tasks on each as fit.
func (f *framework) Offers(ctx context.Context, s *scheduler.Session, offers []*mesospb.Offer) error {
	f.count(func(t *tally) { t.Offers += len(offers) })
	var unused []*mesospb.OfferID
	for _, o := range offers {
		n := min(f.room(o), len(f.waiting))
		if n == 0 {
			unused = append(unused, o.GetId())
			continue
		}
		f.launch(ctx, s, o, f.waiting[len(f.waiting)-n:])
		f.waiting = f.waiting[:len(f.waiting)-n]
	}
	if len(unused) > 0 {
		f.calls <- func() { f.check(s.Decline(ctx, unused, nil)) }
	}
	if len(f.waiting) == 0 && !f.suppressed {
		f.suppressed = true
		f.calls <- func() { f.check(s.Suppress(ctx)) }
	}
	return nil
}

// room is how many tasks fit an offer.
func (f *framework) room(o *mesospb.Offer) int {
	has := map[string]float64{}
	for _, r := range o.GetResources() {
		has[r.GetName()] += r.GetScalar().GetValue()
	}
	n := int64(f.cfg.Tasks)
	for name, needs := range map[string]float64{"cpus": f.cfg.TaskCPUs, "mem": f.cfg.TaskMem} {
		if needs > 0 {
			n = min(n, thousandths(has[name])/thousandths(needs))
		}
	}
	return int(n)
}

// launch accepts an offer for the tasks of the given numbers.
func (f *framework) launch(ctx context.Context, s *scheduler.Session, o *mesospb.Offer, numbers []int) {
	infos := make([]*mesospb.TaskInfo, 0, len(numbers))
	f.mu.Lock()
	f.tally.Accepts++
	for i := len(numbers) - 1; i >= 0; i-- {
		infos = append(infos, f.info(numbers[i], o))
	}
	f.mu.Unlock()
	f.calls <- func() {
		now := time.Now()
		f.mu.Lock()
		for _, info := range infos {
			if n, _, ok := parseTaskID(info.GetTaskId().GetValue()); ok {
				f.tasks[n].launched = now
			}
		}
		f.mu.Unlock()
		f.check(s.Accept(ctx, scheduler.OfferIDs(o), nil, scheduler.Launch(infos...)))
	}
}

func (f *framework) info(n int, o *mesospb.Offer) *mesospb.TaskInfo {
	t := &mesospb.TaskInfo{
		Name:    proto.String("bench"),
		TaskId:  &mesospb.TaskID{Value: proto.String(taskID(n, f.tasks[n].attempt))},
		AgentId: o.GetAgentId(),
		Command: &mesospb.CommandInfo{Value: proto.String(f.cfg.Command)},
	}
	for _, r := range []struct {
		name  string
		needs float64
	}{{"cpus", f.cfg.TaskCPUs}, {"mem", f.cfg.TaskMem}} {
		if r.needs > 0 {
			t.Resources = append(t.Resources, &mesospb.Resource{
				Name: proto.String(r.name), Type: mesospb.Value_SCALAR.Enum(),
				Scalar:         &mesospb.Value_Scalar{Value: proto.Float64(r.needs)},
				AllocationInfo: o.GetAllocationInfo(),
			})
		}
	}
	return t
}

// taskID holds the task's number, and which attempt at it this is.
func taskID(n, attempt int) string { return fmt.Sprintf("t%d.%d", n, attempt) }

func parseTaskID(id string) (n, attempt int, ok bool) {
	number, rest, ok := strings.Cut(strings.TrimPrefix(id, "t"), ".")
	if !ok {
		return 0, 0, false
	}
	n, err := strconv.Atoi(number)
	attempt, err2 := strconv.Atoi(rest)
	return n, attempt, err == nil && err2 == nil && n >= 0
}

// Update implements scheduler.Scheduler. It acknowledges by itself, to know when.
func (f *framework) Update(ctx context.Context, s *scheduler.Session, u *mesospb.TaskStatus) error {
	n, attempt, ok := parseTaskID(u.GetTaskId().GetValue())
	if !ok || n >= len(f.tasks) {
		return nil
	}
	f.count(func(t *tally) { t.Updates++ })
	if mesos.Terminal(u.GetState()) && f.ended(n, attempt, u) {
		f.again(ctx, s, n)
	}
	f.calls <- func() {
		if err := s.Acknowledge(ctx, u); err != nil {
			f.check(err)
			return // the update comes again
		}
		if u.GetState() == mesospb.TaskState_TASK_RUNNING || u.GetState() == mesospb.TaskState_TASK_FINISHED {
			f.saw(n)
		}
		if f.ends() {
			f.check(s.Teardown(ctx))
		}
	}
	return scheduler.ErrLater
}

// again puts a task back to those that wait for an offer.
func (f *framework) again(ctx context.Context, s *scheduler.Session, n int) {
	f.waiting = append(f.waiting, n)
	if f.suppressed {
		f.suppressed = false
		f.calls <- func() { f.check(s.Revive(ctx)) }
	}
}

// saw notes that a task ran and that the agent will know we know.
func (f *framework) saw(n int) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if r := &f.tasks[n]; r.seen.IsZero() && !r.failed {
		r.seen = now
		f.less()
	}
}

// ended notes a terminal update, and tells whether the task should be launched
// again because its offer had gone.
func (f *framework) ended(n, attempt int, u *mesospb.TaskStatus) (again bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := &f.tasks[n]
	if r.ended || attempt != r.attempt {
		return false // a repeat
	}
	switch {
	case u.GetState() == mesospb.TaskState_TASK_FINISHED:
		r.ended = true
		f.tally.Finished++
	case u.GetReason() == mesospb.TaskStatus_REASON_INVALID_OFFERS:
		r.attempt++
		f.tally.Relaunched++
		return true
	case f.left > 0: // not what our own teardown did
		r.ended = true
		f.tally.Failed++
		f.failed(fmt.Errorf("task ended as %v: %s", u.GetState(), u.GetMessage()))
		if r.seen.IsZero() {
			r.failed = true
			f.less()
		}
	}
	return false
}

func (f *framework) count(what func(*tally)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	what(&f.tally)
}

// check notes a call that failed, but for those that were under way when the
// framework ended.
func (f *framework) check(err error) {
	if err != nil && !f.through() {
		f.failed(err)
	}
}
