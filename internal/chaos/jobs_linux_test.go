package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/soukproject/souk/internal/chaos/checker"
)

const retries = 2

// A wish is a job to be asked for.
type wish struct {
	checker.Job
	seconds float64 // how long a run takes
}

// body is the job as Chronos reads it.
func (w *workload) body(j wish) (path, body string) {
	when := fmt.Sprintf(`"schedule":"R1/%s/PT1H"`, stamp(j.Due))
	path = "/v1/scheduler/iso8601"
	switch {
	case j.Parent != "":
		path, when = "/v1/scheduler/dependency", fmt.Sprintf(`"parents":[%q]`, j.Parent)
	case j.Period > 0:
		when = fmt.Sprintf(`"schedule":"R/%s/PT%dS"`, stamp(j.Due), int(j.Period.Seconds()))
	}
	return path, fmt.Sprintf(`{"name":%q,"command":"exec %s %s run %d %.1f",%s,"retries":%d,"cpus":0.1,"mem":16,"disk":1}`,
		j.Name, w.c.script(), w.c.logs(), j.Fails, j.seconds, when, retries)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// soon is a whole second between least and most from now.
func soon(rng *rand.Rand, least, most time.Duration) time.Time {
	return time.Now().Add(least + time.Duration(rng.Int64N(int64(most-least)))).Truncate(time.Second).Add(time.Second)
}

// propose asks for a job once: to repeat a request whose first one may have
// arrived would ask for a second run. It reports whether it was acknowledged.
func (w *workload) propose(rng *rand.Rand, j wish) (*checker.Job, bool) {
	job := j.Job
	job.Retries = retries
	w.mu.Lock()
	w.jobs = append(w.jobs, &job)
	w.mu.Unlock()
	path, body := w.body(j)
	asked := time.Now()
	outcome, _, answer := w.try(attempt{http.MethodPost, w.anyone(rng, Chronos) + path, body})
	w.mu.Lock()
	defer w.mu.Unlock()
	switch outcome {
	case checker.Done:
		job.Known = time.Now()
	case checker.Refused:
		w.wrong = append(w.wrong, fmt.Sprintf("job %s: %s", j.Name, answer))
	}
	w.tell.say("job %s, due %s, every %v, after %q: %s after %v", j.Name, job.Due.UTC().Format(time.TimeOnly), j.Period, j.Parent, answer, time.Since(asked).Round(time.Millisecond))
	return &job, outcome == checker.Done
}

// remove deletes a job; like insist, it asks until it has an answer.
func (w *workload) remove(ctx context.Context, rng *rand.Rand, job *checker.Job) {
	unsure := false
	w.mu.Lock()
	job.Removed = time.Now()
	w.mu.Unlock()
	for ctx.Err() == nil {
		outcome, status, answer := w.try(attempt{http.MethodDelete, w.anyone(rng, Chronos) + "/v1/scheduler/job/" + job.Name, ""})
		if outcome == checker.Refused && status == http.StatusBadRequest && unsure { // so it names unknown jobs
			outcome = checker.Done
		}
		w.tell.say("job %s, deleted: %s", job.Name, answer)
		w.mu.Lock()
		switch outcome {
		case checker.Done:
			job.Gone = time.Now()
		case checker.Refused:
			w.wrong = append(w.wrong, fmt.Sprintf("job %s: %s", job.Name, answer))
		}
		w.mu.Unlock()
		if outcome != checker.Unknown {
			return
		}
		unsure = true
		sleep(ctx, 500*time.Millisecond)
	}
}

// schedule asks for jobs until ctx ends: some that repeat, then many that run
// once, fail at first, or follow another one.
func (w *workload) schedule(ctx context.Context, rng *rand.Rand) {
	for _, seconds := range []int{6, 11, 23} {
		w.propose(rng, wish{checker.Job{Name: fmt.Sprint("every-", seconds), Due: soon(rng, time.Second, 3*time.Second), Period: time.Duration(seconds) * time.Second}, 1})
	}
	for i := 0; pause(ctx, rng, time.Second, 3*time.Second); i++ {
		seconds := float64(rng.IntN(30)) / 10
		switch rng.IntN(6) {
		case 0, 1, 2:
			w.propose(rng, wish{checker.Job{Name: fmt.Sprint("once-", i), Due: soon(rng, 2*time.Second, 15*time.Second)}, seconds})
		case 3:
			w.propose(rng, wish{checker.Job{Name: fmt.Sprint("flaky-", i), Due: soon(rng, 2*time.Second, 15*time.Second), Fails: 1}, seconds})
		default:
			parent := fmt.Sprint("parent-", i)
			if _, ok := w.propose(rng, wish{checker.Job{Name: parent, Due: soon(rng, 12*time.Second, 20*time.Second)}, seconds}); ok {
				w.propose(rng, wish{checker.Job{Name: fmt.Sprint("child-", i), Parent: parent}, seconds})
			}
		}
	}
}

// comeAndGo asks for jobs that repeat, and deletes them again.
func (w *workload) comeAndGo(ctx context.Context, rng *rand.Rand) {
	for i := 0; pause(ctx, rng, time.Second, 5*time.Second); i++ {
		job, ok := w.propose(rng, wish{checker.Job{Name: fmt.Sprint("passing-", i), Due: soon(rng, time.Second, 5*time.Second), Period: 5 * time.Second}, 1})
		if ok && pause(ctx, rng, 8*time.Second, 20*time.Second) {
			w.remove(ctx, rng, job)
		}
	}
}
