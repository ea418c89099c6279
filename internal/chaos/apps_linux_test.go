package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/soukproject/souk/internal/chaos/checker"
)

const mostInstances = 5

// deploy creates, scales, changes and deletes apps, one after the other, until
// ctx ends. Some stay until the next one does.
func (w *workload) deploy(ctx context.Context, line int, rng *rand.Rand) {
	kept := ""
	for generation := 0; ; generation++ {
		id := fmt.Sprintf("/app-%d-%d", line, generation)
		version := 0
		set := func(n int) bool {
			version++
			return w.app(ctx, rng, id, n, version)
		}
		ok := set(1 + rng.IntN(mostInstances-1))
		for range rng.IntN(4) {
			ok = ok && pause(ctx, rng, 2*time.Second, 9*time.Second) && set(rng.IntN(mostInstances+1))
		}
		ok = ok && pause(ctx, rng, 2*time.Second, 9*time.Second)
		if rng.IntN(4) == 0 {
			id, kept = kept, id
		}
		if id != "" {
			ok = ok && set(checker.Absent)
		}
		if !ok || !pause(ctx, rng, time.Second, 2*time.Second) {
			return
		}
	}
}

// pause reports whether ctx lasted a time between least and most.
func pause(ctx context.Context, rng *rand.Rand, least, most time.Duration) bool {
	return sleep(ctx, least+time.Duration(rng.Int64N(int64(most-least))))
}

// app makes id have n instances, and sometimes another environment, which
// replaces all of them. It insists until it has an answer; false: ctx ended.
func (w *workload) app(ctx context.Context, rng *rand.Rand, id string, n, version int) bool {
	body := fmt.Sprintf(`{"cmd":"exec %s %s serve","cpus":0.1,"mem":16,"disk":0,"instances":%d,"env":{"VERSION":"%d"},"backoffSeconds":1,"maxLaunchDelaySeconds":3,"taskKillGracePeriodSeconds":3}`,
		w.c.script(), w.c.logs(), n, version/2)
	return w.insist(ctx, checker.Write{Key: id, Value: n}, func() attempt {
		url := w.anyone(rng, Marathon) + "/v2/apps" + id + "?force=true"
		if n == checker.Absent {
			return attempt{http.MethodDelete, url, ""}
		}
		return attempt{http.MethodPut, url, body}
	})
}

// weigh sets weights of roles that nobody has, until ctx ends: an operator's
// writes, which the masters' registry must keep.
func (w *workload) weigh(ctx context.Context, rng *rand.Rand) {
	for pause(ctx, rng, 2*time.Second, 6*time.Second) {
		role, n := fmt.Sprintf("role%d", rng.IntN(3)), 1+rng.IntN(99)
		w.insist(ctx, checker.Write{Key: role, Value: n}, func() attempt {
			return attempt{http.MethodPut, w.anyone(rng, Master) + "/weights", fmt.Sprintf(`[{"role":%q,"weight":%d}]`, role, n)}
		})
	}
}
