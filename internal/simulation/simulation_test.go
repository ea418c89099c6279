package simulation

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	agentcore "github.com/soukproject/souk/agent/core"
	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

var seeds = flag.Uint64("seeds", 600, "how many seeds TestSeeds runs")

// TestSeeds runs clusters through the faults that seeds draw.
func TestSeeds(t *testing.T) {
	n := *seeds
	if testing.Short() {
		n = 20
	}
	total := Result{}
	for seed := uint64(1); seed <= n; seed++ {
		result, err := Run(Options{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		total = total.Add(result)
	}
	t.Logf("%d seeds: %v", n, total)
	for kind, count := range total {
		if count == 0 && !testing.Short() {
			t.Errorf("of %v there were none: what never happens shows nothing", Kind(kind))
		}
	}
	if total[Reigns] <= int(n) {
		t.Errorf("%d leaders in %d seeds: none ever followed another", total[Reigns], n)
	}
}

// TestRegressions runs seeds that once failed. What they showed has a test of its
// own where it was mended, since a seed plays something else whenever the
// simulation changes.
func TestRegressions(t *testing.T) {
	for _, tt := range []struct {
		seed uint64
		why  string
	}{
		{177, "an agent sent an update whose acknowledgement was not stored again after later ones"},
		{1709, "the same"},
	} {
		if _, err := Run(Options{Seed: tt.seed}); err != nil {
			t.Errorf("seed %d (%s): %v", tt.seed, tt.why, err)
		}
	}
}

// calmFaults is not the zero value, which asks for the seed's.
func calmFaults() Faults { return Faults{Cut: 1000 * time.Hour} }

// TestCalm: without faults every task that is launched is launched quickly, and nothing crashes.
func TestCalm(t *testing.T) {
	result, err := Run(Options{Seed: 7, Faults: calmFaults(), Frameworks: Neither})
	if err != nil {
		t.Fatal(err)
	}
	if result[Launches]-result[Executors] > 20 || result[Launches] == 0 || result[Crashes] != 0 || result[Reigns] != 1 {
		t.Errorf("Run(calm) = %v, want each of 20 tasks launched once, no crash and one leader", result)
	}
}

// TestOptimisticOffers: schedulers race for the same agents through all faults. After every step of a master its Check
// sees to it that no resource is used twice and that every offer is wholly free.
func TestOptimisticOffers(t *testing.T) {
	rescinds, late := 0, 0
	for seed := range uint64(15) {
		_, err := Run(Options{Seed: 5 * (seed + 1000), Schedulers: 4, Trace: func(line string) {
			if strings.Contains(line, "framework") && strings.Contains(line, "<- ") {
				rescinds += strings.Count(line, "RESCIND")
				late += strings.Count(line, "is no longer valid")
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if rescinds == 0 || late == 0 {
		t.Errorf("%d rescinds, %d accepts that came too late: want some of both", rescinds, late)
	}
}

// TestFrameworksTakePart: Marathon and Chronos do what is asked of them.
func TestFrameworksTakePart(t *testing.T) {
	result, err := Run(Options{Seed: 7, Faults: calmFaults(), Frameworks: Both})
	if err != nil {
		t.Fatal(err)
	}
	if result[Launches] < 2+int(calm/tickPeriod) || result[Reigns] != 3 || result[Crashes] != 0 {
		t.Errorf("Run(calm, both) = %v, want more launches than without, three leaders and no crash", result)
	}
}

// TestSameSeedSameRun to the last event: otherwise no failure can be replayed.
func TestSameSeedSameRun(t *testing.T) {
	hash := func() string {
		h := sha256.New()
		_, err := Run(Options{Seed: 3, Frameworks: Both, Trace: func(line string) { fmt.Fprintln(h, line) }})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%x", h.Sum(nil))
	}
	if a, b := hash(), hash(); a != b {
		t.Errorf("two runs of one seed differ: %s, %s", a, b)
	}
}

// TestTwoBelieveThatTheyLead: sessions end before their masters hear of it, and
// the registry refuses whom it must.
func TestTwoBelieveThatTheyLead(t *testing.T) {
	both := 0
	for seed := uint64(1); seed <= 30 && both == 0; seed++ {
		c := newCluster(Options{Seed: seed, Masters: 3, Frameworks: Neither, Faults: Faults{Expiry: 5 * time.Second, Operate: time.Second}})
		c.boot()
		for c.failed == nil && c.now.Before(c.start.Add(c.opts.Trouble)) {
			c.run(c.now.Add(50 * time.Millisecond))
			leading := 0
			for _, m := range c.masters {
				if m.core != nil {
					leading++
				}
			}
			if leading > 1 {
				both++
			}
		}
		if c.failed != nil {
			t.Fatal(c.failed)
		}
	}
	if both == 0 {
		t.Error("no two masters ever believed that they lead: the election is too kind")
	}
}

// TestFenceIsNeeded: if everybody may write, what was granted gets lost.
func TestFenceIsNeeded(t *testing.T) {
	r := &registry{disk: disk{c: newCluster(Options{Seed: 1})}}
	old, fresh := r.fence.takeOver(), r.fence.takeOver()
	if r.fence.admits(old) || !r.fence.admits(fresh) {
		t.Errorf("the fence admits epochs %d: %v, %d: %v; want the second alone", old, r.fence.admits(old), fresh, r.fence.admits(fresh))
	}
}

// TestMutantsAreFound: clusters that forget what they confirmed, or let two leaders
// write, do not get through a few seeds.
func TestMutantsAreFound(t *testing.T) {
	for name, m := range map[string]mutant{
		"the registry forgets": forgetfulMaster, "stores of frameworks forget": forgetfulLeader, "disks of agents forget": forgetfulAgent,
		"deposed leaders write": openFence,
	} {
		t.Run(name, func(t *testing.T) {
			for seed := uint64(1); seed <= 100; seed++ {
				if _, err := Run(Options{Seed: seed, Masters: 3, Frameworks: Both, Heal: 5 * time.Minute, mutant: m}); err != nil {
					t.Logf("found with seed %d: %v", seed, err)
					return
				}
			}
			t.Error("not found in 100 seeds")
		})
	}
}

// TestViolationsAreSeen breaks what the cores rely on and expects to be told:
// an invariant that cannot fail shows nothing.
func TestViolationsAreSeen(t *testing.T) {
	bare := func() *Cluster { return newCluster(Options{Seed: 1, Tasks: 1}) }
	agentOf := func(c *Cluster) *agentNode {
		a := newAgentNode(c, 0)
		c.agents = append(c.agents, a)
		return a
	}
	for _, tt := range []struct {
		name   string
		broken func(*Cluster)
	}{
		{"a container launched twice", func(c *Cluster) {
			a := agentOf(c)
			launch := &agentcore.Launch{
				Run:  agentcore.Run{Framework: "f", Container: "c"},
				Task: &mesospb.TaskInfo{TaskId: &mesospb.TaskID{Value: new("t")}},
			}
			a.run(launch)
			a.run(launch)
		}},
		{"a task that runs unknown to all", func(c *Cluster) {
			agentOf(c).containers = []*container{{id: "c", task: taskKey{"f", "t"}, running: true}}
			c.checkWhole()
		}},
		{"a task believed to run", func(c *Cluster) {
			s := newScheduler(c, 0)
			s.id, s.link = &mesospb.FrameworkID{Value: new("f")}, &client{stream: &stream{}}
			s.tasks = []*record{{id: "t", state: mesospb.TaskState_TASK_RUNNING}}
			c.checkScheduler(s, map[taskKey]string{})
		}},
		{"a run begun twice", func(c *Cluster) {
			u := newChronosUser(c, newService(c, "chronos", wakeChronos))
			u.begun(&container{task: taskKey{"f", "ct:1:0:j:"}})
			u.begun(&container{task: taskKey{"f", "ct:1:0:j:"}})
		}},
		{"two runs of a job at once", func(c *Cluster) {
			u := newChronosUser(c, newService(c, "chronos", wakeChronos))
			c.registry.put([]*registrypb.Operation{{
				Type: registrypb.Operation_ADMIT_AGENT.Enum(), Agent: &registrypb.Agent{Info: &mesospb.AgentInfo{Id: &mesospb.AgentID{Value: new("S0")}}},
			}})
			u.begun(&container{task: taskKey{"f", "ct:1:0:j:"}, agent: "S0", running: true})
			u.begun(&container{task: taskKey{"f", "ct:2:0:j:"}, running: true})
		}},
		{"a grant that is forgotten", func(c *Cluster) {
			c.operator.expect("weight of r", "2")()
			c.operator.check()
		}},
		{"an agent that comes back from the dead", func(c *Cluster) {
			c.operator.gone["S0"] = true
			c.operator.check()
		}},
		{"a drained agent that runs something", func(c *Cluster) {
			a := agentOf(c)
			a.disk.Put(agentRecord("S0"))
			c.registry.put([]*registrypb.Operation{{
				Type: registrypb.Operation_ADMIT_AGENT.Enum(), Agent: &registrypb.Agent{
					Info: &mesospb.AgentInfo{Id: &mesospb.AgentID{Value: new("S0")}}, DrainInfo: &mesospb.DrainInfo{},
				},
			}})
			a.link = &link{}
			a.containers = []*container{{id: "c", running: true}}
			c.checkAgents()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := bare()
			if tt.broken(c); c.failed == nil {
				t.Error("no violation")
			}
		})
	}
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

// BenchmarkSeed is what one seed costs.
func BenchmarkSeed(b *testing.B) {
	seed, total := uint64(0), Result{}
	for b.Loop() {
		seed++
		result, err := Run(Options{Seed: seed})
		if err != nil {
			b.Fatal(err)
		}
		total = total.Add(result)
	}
	b.ReportMetric(float64(total[Steps])/float64(b.N), "steps/seed")
}

func agentRecord(id string) *checkpointpb.Record {
	return &checkpointpb.Record{Agent: &checkpointpb.Agent{Info: &mesospb.AgentInfo{Id: &mesospb.AgentID{Value: &id}}}}
}
