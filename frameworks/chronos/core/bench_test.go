package core

import (
	"fmt"
	"testing"
	"time"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// BenchmarkManyJobsDueAtOnce is the top of the hour: all jobs come due, are
// launched on one large offer, run and finish. One op is one run of one job.
func BenchmarkManyJobsDueAtOnce(b *testing.B) {
	const jobs = 10_000
	w := newWorld(b, "2026-03-04T05:00:00Z")
	w.connect()
	for i := range jobs {
		w.put(fmt.Sprintf(`{'name':'job-%d','command':'C','schedule':'R/2026-03-04T06:00:00Z/PT1H'}`, i))
	}
	b.ResetTimer()
	for done := 0; done < b.N; {
		w.now = w.now.Add(time.Hour)
		w.step(Tick{})
		before := len(w.tasks)
		w.step(Offers{Offers: []*mesospb.Offer{anOffer("o", jobs, jobs*1024, jobs*1024)}})
		for _, task := range w.tasks[before:] {
			for _, state := range []mesospb.TaskState{running, finished} {
				w.step(Update{Status: &mesospb.TaskStatus{TaskId: task.TaskId, State: state.Enum()}})
			}
		}
		done += len(w.tasks) - before
		w.tasks, w.said, w.acked = nil, nil, nil
	}
}
