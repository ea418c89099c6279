package core_test

import (
	"fmt"
	"testing"

	"github.com/soukproject/souk/frameworks/marathon/core"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// BenchmarkLaunch creates 200 apps of 10 instances each and runs them all.
func BenchmarkLaunch(b *testing.B) {
	for b.Loop() {
		w := newWorld(b)
		w.cfg.MaxRunningDeployments = 1000
		w.crash()
		for i := range 200 {
			w.create(fmt.Sprintf(`{"id":"/g%d/app%d","cmd":"sleep 1","cpus":0.01,"mem":1,"instances":10}`, i%10, i))
		}
		for running := 0; running < 2000; {
			w.tick(6e9)
			w.perform()
			for range 100 {
				w.offer("h1", 1000)
			}
			w.perform()
			w.progress()
			w.perform()
			running = w.core.Totals().Running
		}
	}
}

// BenchmarkUpdates reports one app's 10,000 tasks as running.
func BenchmarkUpdates(b *testing.B) {
	w := newWorld(b)
	w.cfg.LaunchTokens, w.cfg.MaxInstancesPerOffer = 1<<20, 1<<20
	w.crash()
	w.create(`{"id":"/big","cmd":"sleep 1","cpus":0.01,"mem":0.1,"ports":[],"instances":10000}`)
	w.offer("h1", 1000)
	w.perform()
	if w.active("/big") != 10000 {
		b.Fatalf("%d tasks, want 10000", w.active("/big"))
	}
	states := []mesospb.TaskState{mesospb.TaskState_TASK_RUNNING, mesospb.TaskState_TASK_KILLING}
	n := 0
	var ids []string
	for _, t := range w.core.Tasks() {
		ids = append(ids, t.ID)
	}
	for b.Loop() {
		w.step(core.Updated{Status: status(ids[n%len(ids)], "a", states[n/len(ids)%2])})
		w.calls, w.persists = nil, nil
		n++
	}
}
