package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/soukproject/souk/internal/chaos/checker"
)

// A workload is what users do to the cluster meanwhile, and what they were told.
type workload struct {
	c    *cluster
	tell *trace

	mu     sync.Mutex
	writes []checker.Write
	jobs   []*checker.Job
	wrong  []string // sound requests that were refused
}

// An attempt is one request.
type attempt struct{ method, url, body string }

// anyone is the URL of some member: who does not lead passes requests on.
func (w *workload) anyone(rng *rand.Rand, role Role) string {
	list := w.c.members[role]
	return list[rng.IntN(len(list))].url
}

// try makes a request, and says what is known after it.
func (w *workload) try(a attempt) (checker.Outcome, int, string) {
	status, answer, err := w.c.ask(a.method, a.url, a.body)
	switch {
	case err != nil && os.IsTimeout(err):
		return checker.Unknown, 0, "timeout"
	case err != nil:
		if inner := errors.Unwrap(err); inner != nil {
			err = inner
		}
		return checker.Unknown, 0, err.Error()
	case status >= 500:
		return checker.Unknown, status, fmt.Sprintf("%d %.100s", status, answer)
	case status >= 300:
		return checker.Refused, status, fmt.Sprintf("%s %s: %d %.200s", a.method, a.url, status, answer)
	}
	return checker.Done, status, fmt.Sprint(status)
}

// insist repeats a write until it is answered, to whomever next says. To delete
// what an attempt without an answer has deleted is no refusal. It is false if
// ctx ended first, or the write was refused.
func (w *workload) insist(ctx context.Context, write checker.Write, next func() attempt) bool {
	unsure := false
	for ctx.Err() == nil {
		write.Asked = time.Now()
		a := next()
		outcome, status, answer := w.try(a)
		if outcome == checker.Refused && a.method == http.MethodDelete && status == http.StatusNotFound && unsure {
			outcome = checker.Done
		}
		write.Outcome, write.Answered, write.Answer = outcome, time.Now(), answer
		w.note(write)
		if outcome != checker.Unknown {
			return outcome == checker.Done
		}
		unsure = true
		sleep(ctx, 500*time.Millisecond)
	}
	return false
}

func (w *workload) note(write checker.Write) {
	w.tell.say("%s = %d: %s after %v", write.Key, write.Value, write.Answer, write.Answered.Sub(write.Asked).Round(time.Millisecond))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes = append(w.writes, write)
}

// run works until ctx ends.
func (w *workload) run(ctx context.Context, seed uint64) {
	var wg sync.WaitGroup
	worker := func(i uint64, work func(rng *rand.Rand)) {
		wg.Go(func() { work(rand.New(rand.NewPCG(seed, i))) })
	}
	for line := range 3 {
		worker(uint64(line), func(rng *rand.Rand) { w.deploy(ctx, line, rng) })
	}
	worker(10, func(rng *rand.Rand) { w.weigh(ctx, rng) })
	worker(11, func(rng *rand.Rand) { w.schedule(ctx, rng) })
	worker(12, func(rng *rand.Rand) { w.comeAndGo(ctx, rng) })
	wg.Wait()
}
