package chaos

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func sizes() Sizes { return Sizes{Master: 3, ZooKeeper: 3, Agent: 5, Marathon: 2, Chronos: 2} }

func TestPlansFollowFromTheirSeeds(t *testing.T) {
	one, same, other := Draw(1, time.Hour, sizes()), Draw(1, time.Hour, sizes()), Draw(2, time.Hour, sizes())
	if diff := cmp.Diff(one, same); diff != "" {
		t.Errorf("two plans of one seed differ:\n%s", diff)
	}
	if cmp.Equal(one, other) {
		t.Error("two seeds have the same plan")
	}
}

func TestPlansLeaveTimeToRecover(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		run := time.Duration(rapid.IntRange(15, 1800).Draw(t, "seconds")) * time.Second
		plan := Draw(rapid.Uint64().Draw(t, "seed"), run, sizes())
		if len(plan) == 0 {
			t.Fatalf("nothing breaks in %v", run)
		}
		for i, f := range plan {
			if i > 0 && f.At < plan[i-1].At {
				t.Errorf("fault %d begins before the one before it", i)
			}
			if end := f.At + f.For; end > run || f.For <= 0 || end%Round > latest+longest || f.At/Round != end/Round {
				t.Errorf("fault %d lasts from %v to %v, want within the first %v of a round", i, f.At, end, latest+longest)
			}
			if (f.What == Sever) != (len(f.Whom) > 0) {
				t.Errorf("fault %d: %s from %v", i, f.What, f.Whom)
			}
			for _, who := range slices.Concat(f.Who, f.Whom) {
				if who.Index >= sizes()[who.Role] || who.Index < Leading {
					t.Errorf("fault %d hits %v, which is not there", i, who)
				}
			}
		}
	})
}

func TestPlansHitEveryone(t *testing.T) {
	plan := Draw(1, 10*time.Hour, sizes())
	for _, what := range []What{Kill, Stop, Isolate, Mute, Deafen, Split, Sever, Crash, Reboot} {
		if !slices.ContainsFunc(plan, func(f Fault) bool { return f.What == what }) {
			t.Errorf("nobody is hit by %s", what)
		}
	}
	for role, n := range sizes() {
		for i := Leading; i < n; i++ {
			if role == Agent && i == Leading {
				continue
			}
			if !slices.ContainsFunc(plan, func(f Fault) bool { return slices.Contains(f.Who, Target{role, i}) }) {
				t.Errorf("%s %d is never hit", role, i)
			}
		}
	}
}
