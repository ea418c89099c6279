package chaos

import (
	"context"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/soukproject/souk/internal/chaos/checker"
)

// A breaker carries a plan out.
type breaker struct {
	c        *cluster
	tell     *trace
	recovery time.Duration // how long after a fault the cluster may need until it works again

	mu       sync.Mutex
	troubles []checker.Window
	crashed  map[string]bool
}

// carryOut returns when all faults of the plan are over, however ctx ends.
func (b *breaker) carryOut(ctx context.Context, plan []Fault) {
	var wg sync.WaitGroup
	start := time.Now()
	for _, f := range plan {
		wg.Go(func() {
			if sleep(ctx, time.Until(start.Add(f.At))) {
				b.inflict(ctx, f)
			}
		})
	}
	wg.Wait()
}

// sleep reports whether ctx lasted as long.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (b *breaker) inflict(ctx context.Context, f Fault) {
	if f.What == Crash {
		b.crash(f)
		return
	}
	victims, names := b.victims(f.Who)
	if len(victims) == 0 {
		b.tell.say("%s nobody: who was chosen is in trouble already", f.What)
		return
	}
	names += b.from(f.Whom)
	b.tell.say("%s %s for %v", f.What, names, f.For.Round(time.Millisecond))
	from := time.Now()
	undo := b.do(f, victims)
	sleep(ctx, f.For)
	undo()
	b.tell.say("%s %s is over", f.What, names)
	for _, v := range victims {
		v.release()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.troubles = append(b.troubles, checker.Window{From: from, To: time.Now().Add(b.recovery)})
}

// victims claims those chosen that no other fault has.
func (b *breaker) victims(chosen []Target) (list []victim, names string) {
	var labels []string
	for _, who := range chosen {
		v := b.c.victim(who)
		if v == nil || slices.Contains(list, v) || !v.claim() {
			continue
		}
		list = append(list, v)
		label := v.label()
		if who.Index == Leading {
			label += " (leading)"
		}
		labels = append(labels, label)
	}
	return list, strings.Join(labels, ", ")
}

// from names whom victims are cut off from.
func (b *breaker) from(whom []Target) string {
	var labels []string
	for _, who := range whom {
		labels = append(labels, b.c.victim(who).label())
	}
	if len(labels) == 0 {
		return ""
	}
	return " from " + strings.Join(labels, ", ")
}

// do does it, and returns what ends it.
func (b *breaker) do(f Fault, victims []victim) (undo func()) {
	switch f.What {
	case Kill:
		each(victims, victim.kill)
		return func() { each(victims, victim.restart) }
	case Stop:
		each(victims, victim.stop)
		return func() { each(victims, victim.resume) }
	case Reboot:
		each(victims, b.powerOff)
		return func() { each(victims, victim.restart) }
	}
	return b.c.network.cut(b.paths(f, victims))
}

// each is for all at the same time, as far as possible.
func each(victims []victim, f func(victim)) {
	var wg sync.WaitGroup
	for _, v := range victims {
		wg.Go(func() { f(v) })
	}
	wg.Wait()
}

// powerOff kills all that runs on a host, also the tasks of an agent, and waits
// for the end of it.
func (b *breaker) powerOff(v victim) {
	v.kill()
	killed := make(map[int]bool)
	for {
		processes := hostProcesses(v.label())
		if len(processes) == 0 {
			return
		}
		fresh := slices.DeleteFunc(processes, func(pid int) bool { return killed[pid] })
		b.giveUp(tasksOf(fresh))
		for _, pid := range fresh {
			killed[pid] = true
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// giveUp notes tasks whose processes are killed, and those whose end may not be
// on record yet.
func (b *breaker) giveUp(tasks []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range slices.Concat(tasks, endedSince(b.c.logs(), time.Now().Add(-time.Second))) {
		b.crashed[id] = true
	}
}

// paths are those that a cut of members is about.
func (b *breaker) paths(f Fault, victims []victim) []path {
	what := f.What
	var list []path
	between := func(one, other string) { list = append(list, path{one, other}, path{other, one}) }
	for _, v := range victims {
		if what == Isolate || what == Mute {
			list = append(list, path{v.address(), "all"})
		}
		if what == Isolate || what == Deafen {
			list = append(list, path{"all", v.address()})
		}
		if what == Split {
			for _, other := range b.others(victims) {
				between(v.address(), other)
			}
		}
		for _, other := range f.Whom {
			between(v.address(), b.c.victim(other).address())
		}
	}
	return list
}

// others are the addresses of members that are not among these.
func (b *breaker) others(victims []victim) []string {
	var list []string
	add := func(v victim) {
		if !slices.ContainsFunc(victims, func(one victim) bool { return one.address() == v.address() }) {
			list = append(list, v.address())
		}
	}
	for _, m := range b.c.all() {
		add(m)
	}
	for _, k := range b.c.keepers {
		add(k)
	}
	return list
}

// crash kills the first process of a task that has not noted its end.
func (b *breaker) crash(f Fault) {
	processes := taskProcesses()
	ids := slices.DeleteFunc(sorted(processes), func(id string) bool { return len(readTask(b.c.logs(), id).Ends) > 0 })
	if len(ids) == 0 {
		b.tell.say("crash nothing: no task runs")
		return
	}
	id := ids[f.Lot%uint64(len(ids))]
	b.mu.Lock()
	b.crashed[id] = true
	b.mu.Unlock()
	err := syscall.Kill(processes[id], syscall.SIGKILL)
	b.tell.say("crash task %s: %v", id, err)
}
