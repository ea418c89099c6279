package core_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/soukproject/souk/frameworks/marathon/core"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// repeat does 150 random actions, and the one without a name after each. What
// keeps things moving is done more often than what disturbs them.
func repeat(t *rapid.T, actions map[string]func(*rapid.T)) {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(actions)) {
		switch name {
		case "":
		case "persist", "call", "deliver", "offer", "progress":
			names = append(names, name, name, name, name)
		default:
			names = append(names, name)
		}
	}
	for range 150 {
		actions[rapid.SampledFrom(names).Draw(t, "action")](t)
		if check := actions[""]; check != nil {
			check(t)
		}
	}
}

// TestNoInstanceIsLostOrDoubled ends the scheduler between any two effects, in
// any order of writes and calls, while tasks fail and are killed: never do more
// than the wanted instances run, and when all is calm exactly those do.
func TestNoInstanceIsLostOrDoubled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const wanted = 3
		w := newWorld(t)
		w.create(`{"id":"/web","cmd":"sleep 100","instances":3}`)
		kills := map[uint64]string{} // task ids by the token of the request
		pick := func() *task {
			var some []*task
			for _, id := range slices.Sorted(maps.Keys(w.tasks)) {
				if w.tasks[id].active() {
					some = append(some, w.tasks[id])
				}
			}
			if len(some) == 0 {
				return nil
			}
			return rapid.SampledFrom(some).Draw(t, "task")
		}
		repeat(t, map[string]func(*rapid.T){
			"persist":  func(*rapid.T) { w.persist() },
			"call":     func(*rapid.T) { w.call() },
			"deliver":  func(*rapid.T) { w.deliver() },
			"offer":    func(*rapid.T) { w.offer("h1", 100) },
			"progress": func(*rapid.T) { w.progress() },
			"tick":     func(t *rapid.T) { w.tick(time.Duration(rapid.IntRange(1, 400).Draw(t, "s")) * time.Second) },
			"crash":    func(*rapid.T) { w.crash() },
			"failover": func(*rapid.T) { w.subscribe() },
			"fail": func(*rapid.T) {
				if x := pick(); x != nil {
					w.report(x, mesospb.TaskState_TASK_FAILED)
				}
			},
			"kill": func(*rapid.T) {
				if x := pick(); x != nil {
					kills[w.command(core.KillTasks{TaskIDs: []string{x.id}})] = x.id
				}
			},
			"": func(t *rapid.T) {
				if got := w.active("/web"); got > wanted {
					t.Fatalf("%d tasks are active, want at most %d", got, wanted)
				}
			},
		})
		w.heal()
		if got := w.running("/web"); got != wanted {
			t.Fatalf("%d tasks run after all has calmed down, want %d", got, wanted)
		}
		for token, id := range kills {
			if reply, ok := w.replies[token]; ok && len(reply.Result.Tasks) > 0 && w.tasks[id].active() {
				t.Fatalf("%s is still active, though its kill was confirmed", id)
			}
		}
	})
}

// TestDeploymentsSurviveCrashes replaces, scales and deletes apps while the
// scheduler is ended at any point. In the end each app has what its latest
// definition says.
func TestDeploymentsSurviveCrashes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.create(`{"id":"/web","cmd":"sleep 100","instances":3}`)
		w.create(`{"id":"/db","cmd":"sleep 200","instances":1}`)
		w.heal()
		update := func(body string) {
			w.command(core.UpdateApps{Updates: []core.AppUpdate{{ID: "/web", Object: object(t, body)}}, Partial: true, Create: true, Force: true})
		}
		repeat(t, map[string]func(*rapid.T){
			"persist":  func(*rapid.T) { w.persist() },
			"call":     func(*rapid.T) { w.call() },
			"deliver":  func(*rapid.T) { w.deliver() },
			"offer":    func(*rapid.T) { w.offer("h1", 100) },
			"progress": func(*rapid.T) { w.progress() },
			"tick":     func(t *rapid.T) { w.tick(time.Duration(rapid.IntRange(1, 60).Draw(t, "s")) * time.Second) },
			"crash":    func(*rapid.T) { w.crash() },
			"scale": func(t *rapid.T) {
				update(rapid.SampledFrom([]string{`{"instances":1}`, `{"instances":5}`, `{"instances":0}`}).Draw(t, "n"))
			},
			"config": func(t *rapid.T) {
				update(rapid.SampledFrom([]string{`{"cmd":"sleep 1","instances":2}`, `{"cmd":"sleep 2","instances":3}`}).Draw(t, "c"))
			},
			"restart": func(*rapid.T) { w.command(core.RestartApp{ID: "/web", Force: true}) },
			"delete":  func(*rapid.T) { w.command(core.DeleteApp{ID: "/web", Force: true}) },
			"undo": func(t *rapid.T) {
				all := w.core.Deployments()
				if len(all) > 0 {
					w.command(core.CancelDeployment{ID: all[0].ID, Force: rapid.Bool().Draw(t, "force")})
				}
			},
		})
		w.heal()
		for _, id := range []string{"/web", "/db"} {
			want := 0
			info, exists := w.core.App(id)
			if exists {
				want = info.Instances
			}
			if got := w.running(id); got != want || w.active(id) != want {
				t.Fatalf("%s: %d tasks run and %d are active, want %d", id, got, w.active(id), want)
			}
		}
		if got := w.core.Deployments(); len(got) != 0 {
			t.Fatalf("deployments = %v, want none", got)
		}
		checkStore(t, w)
	})
}

// checkStore: a scheduler started anew knows what this one knows.
func checkStore(t *rapid.T, w *world) {
	before := w.core.Tasks()
	apps := w.core.Apps()
	w.crash()
	if got := w.core.Apps(); len(got) != len(apps) {
		t.Fatalf("%d apps are stored, want %d", len(got), len(apps))
	}
	if got := w.core.Tasks(); len(got) != len(before) {
		t.Fatalf("%d tasks are stored, want %d", len(got), len(before))
	}
	after := w.core.Apps()
	for i := range apps {
		if string(after[i].JSON()) != string(apps[i].JSON()) {
			t.Fatalf("stored app is %s, want %s", after[i].JSON(), apps[i].JSON())
		}
	}
}

// TestRollingUpdateKeepsItsBounds replaces all instances under random
// strategies: enough serve at any time, and never too many exist.
func TestRollingUpdateKeepsItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "n")
		strategy := rapid.SampledFrom([]struct {
			json             string
			healthy, overCap float64
		}{
			{`{"minimumHealthCapacity":1,"maximumOverCapacity":1}`, 1, 1},
			{`{"minimumHealthCapacity":1,"maximumOverCapacity":0}`, 1, 0},
			{`{"minimumHealthCapacity":0.5,"maximumOverCapacity":0}`, 0.5, 0},
			{`{"minimumHealthCapacity":0,"maximumOverCapacity":0}`, 0, 0},
			{`{"minimumHealthCapacity":0.7,"maximumOverCapacity":0.3}`, 0.7, 0.3},
		}).Draw(t, "strategy")
		w := newWorld(t)
		w.create(`{"id":"/web","cmd":"sleep 100","instances":` + string(rune('0'+n)) + `,"upgradeStrategy":` + strategy.json + `}`)
		w.heal()
		version := w.put("/web", `{"cmd":"sleep 200"}`).Version.String()
		least, most := bounds(n, strategy.healthy, strategy.overCap)
		repeat(t, map[string]func(*rapid.T){
			"persist":  func(*rapid.T) { w.persist() },
			"call":     func(*rapid.T) { w.call() },
			"deliver":  func(*rapid.T) { w.deliver() },
			"offer":    func(*rapid.T) { w.offer("h1", 100) },
			"crash":    func(*rapid.T) { w.crash() },
			"tick":     func(*rapid.T) { w.tick(6 * time.Second) },
			"progress": func(*rapid.T) { w.progress() },
			"": func(t *rapid.T) {
				if got := w.active("/web"); got > most {
					t.Fatalf("%d tasks are active, want at most %d", got, most)
				}
				serving := w.count("/web", func(x *task) bool { return x.state == mesospb.TaskState_TASK_RUNNING })
				if serving < least {
					t.Fatalf("%d tasks serve, want at least %d", serving, least)
				}
			},
		})
		w.heal()
		fresh := w.count("/web", func(x *task) bool { return x.version == version && x.state == mesospb.TaskState_TASK_RUNNING })
		if fresh != n || w.active("/web") != n {
			t.Fatalf("%d of %d active tasks are new, want %d", fresh, w.active("/web"), n)
		}
	})
}

// bounds by the formulas of the reference, in tenths: 3 × 0.7 is 2.1.
func bounds(n int, healthy, over float64) (least, most int) {
	least = (n*int(healthy*10+0.5) + 9) / 10
	most = n * (10 + int(over*10+0.5)) / 10
	if least == most {
		most++
	}
	return least, most
}
