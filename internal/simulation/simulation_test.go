package simulation

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"testing"
	"time"

	agentcore "github.com/soukproject/souk/agent/core"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

var seeds = flag.Uint64("seeds", 200, "how many seeds TestSeeds runs")

// TestSeeds runs clusters through the faults that seeds draw.
func TestSeeds(t *testing.T) {
	n := *seeds
	if testing.Short() {
		n = 10
	}
	total := Result{}
	for seed := uint64(1); seed <= n; seed++ {
		result, err := Run(Options{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		total = total.Add(result)
	}
	t.Logf("%d seeds: %+v", n, total)
	if total.Launches == 0 || total.Crashes == 0 || total.Cuts == 0 {
		t.Errorf("%+v: a simulation in which nothing happens shows nothing", total)
	}
}

// TestRegressions runs seeds that once failed.
func TestRegressions(t *testing.T) {
	for _, tt := range []struct {
		seed uint64
		why  string
	}{
		{10442, "an agent lost its id before it was durable; the tasks of the old id stayed unreachable"},
		{10901, "the same, with another framework"},
		{11652, "the same, before any launch arrived"},
	} {
		if _, err := Run(Options{Seed: tt.seed}); err != nil {
			t.Errorf("seed %d (%s): %v", tt.seed, tt.why, err)
		}
	}
}

// TestCalm: without faults every task that is launched is launched quickly, and nothing crashes.
func TestCalm(t *testing.T) {
	calm := Faults{Cut: 1000 * time.Hour} // not the zero value, which asks for the seed's
	result, err := Run(Options{Seed: 7, Faults: calm})
	if err != nil {
		t.Fatal(err)
	}
	if result.Launches != 40 || result.Crashes != 0 {
		t.Errorf("Run(calm) = %+v, want 40 launches and no crash", result)
	}
}

// TestSameSeedSameRun to the last event: otherwise no failure can be replayed.
func TestSameSeedSameRun(t *testing.T) {
	hash := func() string {
		h := sha256.New()
		_, err := Run(Options{Seed: 3, Trouble: 3 * time.Minute, Heal: 15 * time.Minute, Trace: func(line string) { fmt.Fprintln(h, line) }})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%x", h.Sum(nil))
	}
	if a, b := hash(), hash(); a != b {
		t.Errorf("two runs of one seed differ: %s, %s", a, b)
	}
}

// TestViolationsAreSeen breaks what the cores rely on and expects to be told:
// an invariant that cannot fail shows nothing.
func TestViolationsAreSeen(t *testing.T) {
	t.Run("a container launched twice", func(t *testing.T) {
		c := newCluster(Options{Seed: 1})
		a := newAgentNode(c, 0)
		launch := &agentcore.Launch{
			Run:  agentcore.Run{Framework: "f", Container: "c"},
			Task: &mesospb.TaskInfo{TaskId: &mesospb.TaskID{Value: new("t")}},
		}
		a.run(launch)
		a.run(launch)
		if c.failed == nil {
			t.Error("no violation")
		}
	})
	t.Run("a task that runs unknown to all", func(t *testing.T) {
		c := newCluster(Options{Seed: 1})
		a := newAgentNode(c, 0)
		a.link = &link{}
		a.containers = []*container{{id: "c", task: taskKey{"f", "t"}, running: true}}
		c.master, c.agents = &masterNode{c: c}, []*agentNode{a}
		c.checkEnd()
		if c.failed == nil {
			t.Error("no violation")
		}
	})
	t.Run("a task believed to run", func(t *testing.T) {
		c := newCluster(Options{Seed: 1, Tasks: 1})
		s := newScheduler(c, 0)
		s.id, s.stream = &mesospb.FrameworkID{Value: new("f")}, &stream{}
		s.tasks = []*record{{id: "t", state: mesospb.TaskState_TASK_RUNNING}}
		c.checkScheduler(s, map[taskKey]string{})
		if c.failed == nil {
			t.Error("no violation")
		}
	})
}

// TestLinkFaultsHappen: messages are really lost and doubled, and the numbers of
// the link are what makes it harmless.
func TestLinkFaultsHappen(t *testing.T) {
	c := newCluster(Options{Seed: 1, Faults: Faults{Lose: 0.3, Double: 0.3, Reorder: 0.3}})
	var p pipe
	var got []uint64
	for seq := range uint64(1000) {
		e := &linkpb.Event{Seq: &seq}
		p.push(c, true, func() { got = append(got, e.GetSeq()) })
	}
	c.run(c.start.Add(time.Minute))
	distinct, late := make(map[uint64]bool), 0
	for i, seq := range got {
		distinct[seq] = true
		if i > 0 && seq < got[i-1] {
			late++
		}
	}
	if len(distinct) > 800 || len(got) == len(distinct) || late == 0 {
		t.Errorf("of 1000 messages %d came, %d of them distinct, %d late: want some lost, doubled and late", len(got), len(distinct), late)
	}
}
