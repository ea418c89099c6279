package chaos

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/soukproject/souk/internal/chaos/checker"
)

var (
	seed     = flag.Uint64("seed", 1, "of the plan of faults")
	duration = flag.Duration("duration", 70*time.Second, "of the faults; starting and healing come on top")
)

// starts is the time for the cluster to come up.
const starts = 2 * time.Minute

// A patience is how long things may take, on this machine and with all else
// that it does: how long the cluster takes to come up says how fast it is.
type patience struct {
	epsilon  time.Duration // until a run that is due starts: three rounds
	heals    time.Duration // until everything is as it should after the last fault
	recovery time.Duration // until the cluster works again after a fault
}

func patienceFor(start time.Duration) patience {
	slow := max(1, start.Seconds()/15)
	scaled := func(d time.Duration) time.Duration { return time.Duration(slow * float64(d)) }
	return patience{epsilon: scaled(80 * time.Second), heals: scaled(75 * time.Second), recovery: scaled(20 * time.Second)}
}

// TestChaos breaks a cluster while it works, and looks for what was lost or
// doubled. See docs/explanation/chaos.md.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes two minutes")
	}
	if os.Getenv(stage) != inside {
		limit := *duration + 20*time.Minute // a slow machine is given time
		confined(t, limit, fmt.Sprint("-seed=", *seed), fmt.Sprint("-duration=", *duration))
		return
	}
	dir, err := os.MkdirTemp("", "souk-chaos-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			fmt.Println("logs and sandboxes are kept in", dir)
		} else {
			os.RemoveAll(dir)
		}
	})
	members := Sizes{Master: 3, ZooKeeper: 3, Agent: 5, Marathon: 2, Chronos: 2}
	tell := &trace{to: os.Stdout, start: time.Now()}
	tell.say("seed %d, %v of faults", *seed, *duration)
	c := startCluster(t, dir, tell, members)
	c.prepareTasks()
	if err := eventually(starts, c.whole); err != nil {
		t.Fatalf("the cluster did not come up within %v: %v", starts, err)
	}
	allowed := patienceFor(time.Since(tell.start))
	tell.say("the cluster is up; a run may start %v late", allowed.epsilon.Round(time.Second))
	r := c.endure(Draw(*seed, *duration, members), allowed)
	r.judge(t)
}

// A run is what is written down about one.
type run struct {
	allowed  patience
	workload *workload
	breaker  *breaker
	observer *observer
	agents   []string
}

// endure carries the plan out while users work and somebody watches, and
// returns when everything is mended and nobody asks for anything any more.
func (c *cluster) endure(plan []Fault, allowed patience) *run {
	c.t.Helper()
	agents, err := c.activeAgents()
	if err != nil {
		c.t.Fatal(err)
	}
	r := &run{
		allowed:  allowed,
		workload: &workload{c: c, tell: c.tell},
		breaker:  &breaker{c: c, tell: c.tell, recovery: allowed.recovery, crashed: make(map[string]bool)},
		observer: newObserver(c),
		agents:   agents,
	}
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { r.workload.run(ctx, *seed) })
	wg.Go(func() { r.observer.watch(ctx) })
	sleep(ctx, 5*time.Second) // users come first
	r.breaker.carryOut(ctx, plan)
	c.tell.say("everything is mended")
	sleep(ctx, 5*time.Second)
	stop()
	wg.Wait()
	return r
}

// history is what is known now.
func (r *run) history(quiet time.Time) (checker.History, error) {
	view, err := r.observer.view()
	if err != nil {
		return checker.History{}, err
	}
	tasks, err := readTasks(r.observer.c.logs())
	h := checker.History{
		Epsilon: r.allowed.epsilon, Quiet: quiet, Troubles: r.breaker.troubles, Writes: r.workload.writes, Tasks: tasks,
		Crashed: r.breaker.crashed, Ended: r.observer.seen(), Agents: r.agents, Final: view,
	}
	for _, j := range r.workload.jobs {
		h.Jobs = append(h.Jobs, *j)
	}
	return h, err
}

// judge waits until the history is as it should be, and says what is not.
func (r *run) judge(t *testing.T) {
	t.Helper()
	c, quiet := r.observer.c, time.Now()
	var h checker.History
	var found, lasting []checker.Violation // the latter were there a moment before, too
	err := eventually(r.allowed.heals, func() (err error) {
		if h, err = r.history(quiet); err != nil {
			return err
		}
		before := found
		if found, lasting = checker.Check(h), nil; len(found) == 0 {
			return nil
		}
		lasting = slices.DeleteFunc(slices.Clone(found), func(v checker.Violation) bool { return !slices.Contains(before, v) })
		return fmt.Errorf("%d violations, of which %d are no matter of a moment", len(found), len(lasting))
	})
	c.tell.say("healed after %v: %d writes, %d jobs, %d tasks started, %d crashed, %d run",
		time.Since(quiet).Round(time.Millisecond), len(h.Writes), len(h.Jobs), len(h.Tasks), len(h.Crashed), len(h.Final.Processes))
	if err != nil {
		t.Errorf("%v after everything was mended: %v", r.allowed.heals, err)
	}
	for _, v := range lasting {
		t.Error(v)
	}
	for _, m := range c.all() {
		for _, end := range m.faltered() {
			t.Error(end)
		}
	}
	for _, what := range append(c.panics(), r.workload.wrong...) {
		t.Error(what)
	}
}
