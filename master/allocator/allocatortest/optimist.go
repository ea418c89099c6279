package allocatortest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
)

// rivals is how many frameworks of the suite see the same resources at a time.
const rivals = 2

// RunOptimist tests a policy that can show the same resources to several frameworks: the contract of
// allocator.Optimist.
func RunOptimist(t *testing.T, policy allocator.New) {
	for name, test := range map[string]func(*testing.T, *theatre){
		"several see the same":                  severalSee,
		"nobody is charged for what is shown":   shownIsFree,
		"the first to claim wins":               firstWins,
		"what is left stays shown":              whatIsLeftStays,
		"what was refused is not shown again":   refuseFilters,
		"what was withdrawn is shown again":     withdrawn,
		"a limit is kept by who claims":         claimsKeepLimits,
		"headroom is kept by who claims":        claimsKeepHeadroom,
		"who is owed a guarantee sees it first": owedFirst,
		"everybody has a turn":                  turns,
	} {
		t.Run(name, func(t *testing.T) { test(t, newTheatre(t, policy, 1)) })
	}
	t.Run("nothing is claimed twice", func(t *testing.T) {
		for seed := range uint64(100) {
			newTheatre(t, policy, seed).crowd(t)
		}
	})
}

// theatre is a world in which offers are optimistic.
type theatre struct {
	*world
	allocator.Optimist
}

func newTheatre(t *testing.T, policy allocator.New, seed uint64) *theatre {
	w := newWorld(func(cfg allocator.Config) allocator.Allocator {
		cfg.Rivals = rivals
		return policy(cfg)
	}, seed)
	o, ok := w.Allocator.(allocator.Optimist)
	if !ok {
		t.Fatalf("%T is no allocator.Optimist", w.Allocator)
	}
	return &theatre{w, o}
}

func (w *theatre) claim(x allocator.Allocation) bool {
	return w.Claim(w.now, x.Framework, x.Role, x.Agent)
}

// cast brings three frameworks of as many roles and an agent.
func (w *theatre) cast() []allocator.Allocation {
	for i := range 3 {
		w.framework(fmt.Sprint("f", i), fmt.Sprint("r", i))
	}
	w.agent("a1", "cpus:4;mem:4096")
	return w.wait(2 * time.Second)
}

func severalSee(t *testing.T, w *theatre) {
	list := w.cast()
	if len(list) != rivals {
		t.Fatalf("%d are shown the agent, want %d", len(list), rivals)
	}
	for _, x := range list {
		want(t, []allocator.Allocation{x}, "", "cpus:4;mem:4096")
	}
	if again := w.wait(5 * time.Second); len(again) > 0 {
		t.Errorf("%v is shown on top, though nothing happened", again)
	}
}

func (w *theatre) charged() (n int) {
	for _, r := range w.Roles() {
		if !r.Held.IsEmpty() {
			n++
		}
	}
	return n
}

func shownIsFree(t *testing.T, w *theatre) {
	list := w.cast()
	if n := w.charged(); n != 0 {
		t.Errorf("%d roles are charged for what they are shown, want none", n)
	}
	if !w.claim(list[1]) {
		t.Fatal("Claim = false of what is free")
	}
	if n := w.charged(); n != 1 {
		t.Errorf("%d roles are charged, want the one that claimed", n)
	}
	w.Recover(w.now, list[1].Framework, list[1].Agent, list[1].Resources)
	if n := w.charged(); n != 0 {
		t.Errorf("%d roles are charged after all was given back, want none", n)
	}
}

func firstWins(t *testing.T, w *theatre) {
	list := w.cast()
	if !w.claim(list[0]) {
		t.Fatal("Claim = false of what is free")
	}
	stale := w.Stale()
	if len(stale) != 1 || stale[0].Framework != list[1].Framework || !stale[0].Resources.Equal(list[1].Resources) {
		t.Errorf("stale is %v, want what the other was shown", stale)
	}
	if w.claim(list[1]) {
		t.Error("Claim = true of what somebody else has claimed")
	}
	if w.claim(list[0]) {
		t.Error("Claim = true of what is no longer shown")
	}
	if more := w.wait(5 * time.Second); len(more) > 0 {
		t.Errorf("%v is shown, though nothing is free", more)
	}
}

func whatIsLeftStays(t *testing.T, w *theatre) {
	list := w.cast()
	w.claim(list[0])
	w.Recover(w.now, list[0].Framework, list[0].Agent, list[0].Resources)
	if stale := w.Stale(); len(stale) > 0 {
		t.Errorf("stale is %v, though all is free again", stale)
	}
	if !w.claim(list[1]) {
		t.Error("Claim = false of what is free again")
	}
}

func refuseFilters(t *testing.T, w *theatre) {
	w.framework("f1", "r1")
	w.agent("a1", "cpus:4;mem:4096")
	for _, x := range w.wait(2 * time.Second) {
		w.Refuse(w.now, x.Framework, x.Role, x.Agent, 30*time.Second)
	}
	want(t, w.wait(29*time.Second), "", "")
	want(t, w.wait(3*time.Second), "", "cpus:4;mem:4096")
}

func withdrawn(t *testing.T, w *theatre) {
	w.framework("f1", "r1")
	w.agent("a1", "cpus:4;mem:4096")
	for _, x := range w.wait(2 * time.Second) {
		w.Withdraw(w.now, x.Framework, x.Role, x.Agent)
		w.Withdraw(w.now, x.Framework, x.Role, x.Agent) // it is over already
	}
	want(t, w.wait(2*time.Second), "", "cpus:4;mem:4096")
}

// claimAll claims one after another, giving stale ones back, and says how much was claimed.
func (w *theatre) claimAll(list []allocator.Allocation) (claimed []allocator.Allocation) {
	for _, x := range list {
		if w.claim(x) {
			claimed = append(claimed, x)
		}
		w.withdrawStale()
	}
	return claimed
}

func (w *theatre) withdrawStale() {
	for _, x := range w.Stale() {
		w.Withdraw(w.now, x.Framework, x.Role, x.Agent)
	}
}

func claimsKeepLimits(t *testing.T, w *theatre) {
	most := parse("cpus:3;mem:3072").Quantities()
	w.SetQuota(w.now, "r1", allocator.Quota{Limits: most.Limits()})
	w.framework("f1", "r1")
	w.framework("f2", "r1/below")
	for i := range 3 {
		w.agent(fmt.Sprint("a", i), "cpus:2;mem:2048")
	}
	var all []allocator.Allocation
	for range 5 {
		all = append(all, w.claimAll(w.wait(2*time.Second))...)
	}
	if got := sum(all, "").Quantities(); !got.Equal(most) {
		t.Errorf("a branch with limit %s claimed %s, want all of it", most, got)
	}
}

func claimsKeepHeadroom(t *testing.T, w *theatre) {
	owed := parse("cpus:2;mem:2048").Quantities()
	w.SetQuota(w.now, "r1", allocator.Quota{Guarantees: owed})
	w.framework("f2", "r2")
	for i := range 3 {
		w.agent(fmt.Sprint("a", i), "cpus:2;mem:2048")
	}
	for range 5 {
		w.claimAll(w.wait(2 * time.Second))
	}
	w.framework("f1", "r1")
	if got := sum(w.claimAll(w.wait(5*time.Second)), "r1").Quantities(); !got.Contains(owed) {
		t.Errorf("a role that was guaranteed %s could claim %s", owed, got)
	}
}

func owedFirst(t *testing.T, w *theatre) {
	w.SetQuota(w.now, "r9", allocator.Quota{Guarantees: parse("cpus:4;mem:4096").Quantities()})
	w.framework("f9", "r9")
	list := w.cast()
	if len(list) != 1 || list[0].Role != "r9" {
		t.Errorf("%v is shown, want all to the role that is guaranteed it", list)
	}
}

// turns: not all can see the agent at a time.
func turns(t *testing.T, w *theatre) {
	seen := map[mesos.FrameworkID]bool{}
	list := w.cast()
	for range 20 {
		for _, x := range list {
			seen[x.Framework] = true
			w.Withdraw(w.now, x.Framework, x.Role, x.Agent)
		}
		list = w.wait(time.Second)
	}
	if len(seen) != 3 {
		t.Errorf("in 20 turns only %v have seen the agent, want all three", seen)
	}
}

// crowd lets random frameworks claim, refuse, keep and give back, and checks that nothing is claimed twice.
func (w *theatre) crowd(t *testing.T) {
	for i := range 2 + w.IntN(4) {
		w.agent(fmt.Sprint("a", i), fmt.Sprintf("cpus:%d;mem:%d;ports:[1-9]", 1+w.IntN(8), 64+w.IntN(8000)))
	}
	for i := range 1 + w.IntN(6) {
		w.framework(fmt.Sprint("f", i), []string{"*", "r1", "r1/x", "r2"}[w.IntN(4)])
	}
	var shown, held []allocator.Allocation
	for range 30 {
		shown = append(shown, w.wait(time.Duration(1+w.IntN(3000))*time.Millisecond)...)
		for range 5 {
			shown, held = w.move(shown, held)
		}
		for _, id := range w.agentIDs() {
			w.checkClaims(t, id, shown, held)
		}
	}
}

func (w *theatre) agentIDs() (list []mesos.AgentID) {
	for i := range len(w.totals) {
		list = append(list, mesos.AgentID(fmt.Sprint("a", i)))
	}
	return list
}

// move is something one framework does.
func (w *theatre) move(shown, held []allocator.Allocation) (_, _ []allocator.Allocation) {
	switch {
	case len(held) > 0 && w.IntN(3) == 0:
		i := w.IntN(len(held))
		w.Recover(w.now, held[i].Framework, held[i].Agent, held[i].Resources)
		held = slices.Delete(held, i, i+1)
	case len(shown) > 0:
		i := w.IntN(len(shown))
		x := shown[i]
		shown = slices.Delete(shown, i, i+1)
		switch w.IntN(3) {
		case 0:
			w.Refuse(w.now, x.Framework, x.Role, x.Agent, time.Duration(w.IntN(5))*time.Second)
		case 1:
			w.Withdraw(w.now, x.Framework, x.Role, x.Agent)
		default:
			if w.claim(x) {
				held = append(held, x)
			}
		}
	}
	for _, x := range w.Stale() {
		w.Withdraw(w.now, x.Framework, x.Role, x.Agent)
		shown = slices.DeleteFunc(shown, func(y allocator.Allocation) bool {
			return x.Framework == y.Framework && x.Role == y.Role && x.Agent == y.Agent
		})
	}
	return shown, held
}

// checkClaims: what is held on an agent fits it, what is shown fits what is left, and not to too many.
func (w *theatre) checkClaims(t *testing.T, id mesos.AgentID, shown, held []allocator.Allocation) {
	t.Helper()
	of := func(list []allocator.Allocation) []allocator.Allocation {
		return slices.DeleteFunc(slices.Clone(list), func(x allocator.Allocation) bool { return x.Agent != id })
	}
	free, ok := w.totals[id].Sub(sum(of(held), ""))
	if !ok {
		t.Fatalf("%s is claimed of %s, which has %s", sum(of(held), ""), id, w.totals[id])
	}
	seen := map[string]bool{}
	for _, x := range of(shown) {
		key := string(x.Framework) + "@" + x.Role
		if seen[key] || !free.Contains(x.Resources.Unallocated()) {
			t.Fatalf("%v is shown, where %s is free; shown twice: %v", x, free, seen[key])
		}
		seen[key] = true
	}
	if len(seen) > rivals {
		t.Fatalf("%v are shown %s, want %d at most", seen, id, rivals)
	}
}
