package core

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

func TestResults(t *testing.T) {
	tests := []struct {
		name   string
		end    mesospb.TaskState
		reason []mesospb.TaskStatus_Reason
		counts string // successes, errors, in a row
		again  bool   // a retry is launched a minute later
	}{
		{"finished", finished, nil, "1 0 0", false},
		{"failed", failed, nil, "0 0 0", true},
		{"killed is neither", killed, nil, "0 0 0", false},
		{"lost", mesospb.TaskState_TASK_LOST, nil, "0 0 0", true},
		{"error", mesospb.TaskState_TASK_ERROR, nil, "0 0 0", true},
		{"gone", mesospb.TaskState_TASK_GONE, nil, "0 0 0", true},
		{"gone by operator", mesospb.TaskState_TASK_GONE_BY_OPERATOR, nil, "0 0 0", true},
		{"gone on reconciliation, after it ran", mesospb.TaskState_TASK_GONE, []mesospb.TaskStatus_Reason{mesospb.TaskStatus_REASON_RECONCILIATION}, "0 0 0", true},
		{"unknown to the master", mesospb.TaskState_TASK_UNKNOWN, []mesospb.TaskStatus_Reason{mesospb.TaskStatus_REASON_RECONCILIATION}, "0 0 0", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, "2026-03-04T05:00:00Z")
			w.connect()
			w.put(`{'name':'j','command':'C','schedule':'R1//P1D'}`)
			id := w.launched()
			w.report(id, running)
			w.report(id, tt.end, tt.reason...)
			w.idle()
			job := w.job("j")
			if got := fmt.Sprintf("%d %d %d", job.SuccessCount, job.ErrorCount, job.ErrorsInARow); got != tt.counts {
				t.Errorf("counts = %s, want %s", got, tt.counts)
			}
			w.pass(time.Minute)
			before := len(w.tasks)
			w.offer()
			if got := len(w.tasks) > before; got != tt.again {
				t.Errorf("retried = %v, want %v", got, tt.again)
			}
			if got := w.c.Runs("j"); got[len(got)-1].State != tt.end.String() {
				t.Errorf("history = %s, want %v", got[len(got)-1].State, tt.end)
			}
		})
	}
}

func TestRetriesAndFinalFailure(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.connect()
	w.put(`{'name':'j','command':'C','retries':2,'schedule':'R/2026-03-04T06:00:00Z/P1D'}`)
	w.pass(time.Hour)
	due := w.now.UnixMilli()
	var ids []mesos.TaskID
	for range 3 {
		id := w.launched()
		ids = append(ids, id)
		w.run(id, failed)
		w.restart() // a retry survives
		w.connect()
		w.idle()
		w.pass(time.Minute)
	}
	want := []mesos.TaskID{
		mesos.TaskID(fmt.Sprintf("ct:%d:0:j:", due)), mesos.TaskID(fmt.Sprintf("ct:%d:1:j:", due)), mesos.TaskID(fmt.Sprintf("ct:%d:2:j:", due)),
	}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("attempts differ (-want +got):\n%s", diff)
	}
	w.idle()
	job := w.job("j")
	if job.ErrorCount != 1 || job.ErrorsInARow != 1 || job.Outcome() != "failure" || job.LastError == "" {
		t.Errorf("job = %d errors, %d in a row, %s; want 1, 1, failure", job.ErrorCount, job.ErrorsInARow, job.Outcome())
	}

	// A job whose last result was a failure gets no retries until it succeeds once.
	w.pass(24 * time.Hour)
	w.run(w.launched(), failed)
	w.pass(10 * time.Minute)
	w.idle()
	if got := w.job("j").ErrorCount; got != 2 {
		t.Errorf("errors = %d, want 2", got)
	}
	w.pass(24 * time.Hour)
	w.run(w.launched(), finished)
	if job := w.job("j"); job.ErrorsInARow != 0 || job.Outcome() != "success" {
		t.Errorf("job = %d in a row, %s; want 0, success", job.ErrorsInARow, job.Outcome())
	}
	w.pass(24 * time.Hour)
	w.run(w.launched(), failed)
	w.pass(time.Minute)
	w.launched() // retried again
}

func TestANewerRunSupersedesARetry(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:59:50Z")
	w.connect()
	w.put(`{'name':'j','command':'C','schedule':'R/2026-03-04T05:59:55Z/PT30S'}`)
	w.pass(10 * time.Second)
	w.run(w.launched(), failed)
	w.pass(30 * time.Second)
	id := w.launched()
	w.report(id, running)
	w.pass(35 * time.Second) // past the time of the retry
	w.report(id, finished)
	if got := w.launched(); !strings.HasSuffix(string(got), ":0:j:") {
		t.Errorf("launched %s, want the next occurrence rather than the retry of an old one", got)
	}
}

func TestDisableAfterFailures(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.cfg.DisableAfterFailures = 2
	w.restart()
	w.connect()
	w.put(`{'name':'j','command':'C','retries':0,'schedule':'R/2026-03-04T06:00:00Z/PT1H'}`)
	for range 2 {
		w.pass(time.Hour)
		w.run(w.launched(), failed)
	}
	if job := w.job("j"); !job.Disabled || job.ErrorsInARow != 2 {
		t.Errorf("job = disabled %v after %d failures, want disabled after 2", job.Disabled, job.ErrorsInARow)
	}
	w.pass(3 * time.Hour)
	w.idle()
}

func TestKillTasks(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.connect()
	w.put(`{'name':'j','command':'C','schedule':'R/2026-03-04T06:00:00Z/PT1H'}`)
	w.pass(time.Hour)
	id := w.launched()
	w.report(id, running)
	w.heard()
	if err := w.call(KillTasks{Job: "j"}); err != nil {
		t.Fatal(err)
	}
	w.restart()
	w.connect()
	want := []string{"kill " + string(id), "reconcile " + string(id), "reconcile", "kill " + string(id), "suppress"}
	if diff := cmp.Diff(want, w.heard()); diff != "" {
		t.Errorf("said differs (-want +got):\n%s", diff)
	}
	w.report(id, failed) // as an executor may put it
	if job := w.job("j"); job.ErrorCount != 0 || job.State != "idle" {
		t.Errorf("job = %d errors, %s; want none, idle", job.ErrorCount, job.State)
	}
	w.pass(time.Minute)
	w.idle() // no retry
	w.pass(time.Hour)
	w.launched() // the schedule goes on
}

func TestADroppedLaunchIsRepeated(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.connect()
	w.put(`{'name':'j','command':'C','schedule':'R1//P1D'}`)
	seen := make(map[mesos.TaskID]bool)
	for _, pause := range []time.Duration{0, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute, time.Minute} {
		id := w.launched()
		if seen[id] {
			t.Fatalf("task id %s was used twice", id)
		}
		seen[id] = true
		w.report(id, mesospb.TaskState_TASK_DROPPED, mesospb.TaskStatus_REASON_INVALID_OFFERS)
		if pause > 0 {
			w.pass(pause - time.Millisecond)
			w.idle()
			w.pass(time.Millisecond)
		}
	}
	w.run(w.launched(), finished)
	if job := w.job("j"); !job.Disabled || job.SuccessCount != 1 || job.ErrorCount != 0 || len(w.c.Runs("j")) != 1 {
		t.Errorf("job = %d successes, %d errors, disabled %v, %d runs; want one success, exhausted", job.SuccessCount, job.ErrorCount, job.Disabled, len(w.c.Runs("j")))
	}
}

func TestKillingALaunchThatNeverBegan(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.connect()
	w.put(`{'name':'j','command':'C','schedule':'R1//P1D'}`)
	id := w.launched()
	if err := w.call(KillTasks{Job: "j"}); err != nil {
		t.Fatal(err)
	}
	w.report(id, mesospb.TaskState_TASK_DROPPED)
	w.pass(time.Hour)
	w.idle()
	if got := w.c.Runs("j"); len(got) != 1 || got[0].State != "TASK_KILLED" {
		t.Errorf("history = %+v, want one killed run", got)
	}
}

func TestUnreachable(t *testing.T) {
	for _, timeout := range []time.Duration{0, 10 * time.Minute} {
		t.Run(fmt.Sprint(timeout), func(t *testing.T) {
			w := newWorld(t, "2026-03-04T05:00:00Z")
			w.cfg.UnreachableTimeout = timeout
			w.restart()
			w.connect()
			w.put(`{'name':'j','command':'C','schedule':'R1//P1D'}`)
			id := w.launched()
			w.report(id, running)
			w.report(id, mesospb.TaskState_TASK_UNREACHABLE)
			w.pass(9 * time.Minute)
			w.wantState("j", "1 running")
			w.pass(5 * time.Minute)
			w.heard()
			if timeout == 0 {
				w.idle()
				w.report(id, running)
				w.run(id, finished)
				return
			}
			second := w.launched()
			w.report(id, running) // the agent came back
			if got := w.heard(); got[len(got)-1] != "kill "+string(id) {
				t.Errorf("said %q, want a kill of the run that was given up", got)
			}
			w.report(id, killed)
			w.run(second, finished)
		})
	}
}

func TestConcurrentRunsHaveABound(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.connect()
	w.put(`{'name':'j','command':'C','cpus':0.001,'mem':1,'disk':1,'concurrent':true,'schedule':'R/2026-03-04T05:00:00Z/PT1S'}`)
	for range maxActive + 10 {
		w.pass(time.Second)
		w.offer()
	}
	if got := len(w.tasks); got != maxActive {
		t.Errorf("launched %d runs, want %d", got, maxActive)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.connect()
	w.put(`{'name':'j','command':'C','schedule':'R/2026-03-04T05:00:00Z/PT1M'}`)
	for range w.cfg.HistoryLimit + 10 {
		w.pass(time.Minute)
		w.run(w.launched(), finished)
	}
	if got := len(w.c.Runs("j")); got != w.cfg.HistoryLimit {
		t.Errorf("history holds %d runs, want %d", got, w.cfg.HistoryLimit)
	}
	if got := w.c.Times("j").Count; got != int64(w.cfg.HistoryLimit+10) {
		t.Errorf("times count %d runs, want %d", got, w.cfg.HistoryLimit+10)
	}
}

func TestQuantiles(t *testing.T) {
	times := Times{Milliseconds: []float64{40, 10, 30, 20}}
	for q, want := range map[float64]float64{0: 10, 0.5: 25, 0.75: 37.5, 0.99: 40, 1: 40} {
		if got := times.Quantile(q); got != want {
			t.Errorf("Quantile(%v) = %v, want %v", q, got, want)
		}
	}
	if got := times.Mean(); got != 25 {
		t.Errorf("Mean = %v, want 25", got)
	}
}

// TestTheLargestRecordFitsIntoAStore fills every part of a record.
func TestTheLargestRecordFitsIntoAStore(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.cfg.HistoryLimit = 200
	w.restart()
	w.connect()
	name := strings.Repeat("n", 150)
	fill := func(n int) string { return strings.Repeat(`"`, n) }
	body := fmt.Sprintf(`{"name":%q,"command":%q,"concurrent":true,"cpus":0.001,"mem":1,"disk":1,"retries":1000,"schedule":"R/2026-03-04T05:00:00Z/PT1S"}`, name, fill(MaxJobBytes/2-1000))
	if err := w.call(Put{Job: w.read(body)}); err != nil {
		t.Fatal(err)
	}
	message := new(strings.Repeat("\x01\"", 5000))
	for i := range 400 {
		if err := w.call(Run{Job: name, Arguments: fill(MaxArguments), Given: true}); err != nil {
			t.Fatal(err)
		}
		w.offer()
		w.pass(time.Second)
		if runs := w.c.jobs[name].active; len(runs) > 0 && i%3 == 0 {
			s := status(runs[0].TaskID, failed)
			s.Message = message
			w.step(Update{Status: s})
		}
	}
	if got := len(w.c.jobs[name].active); got < maxActive-1 {
		t.Errorf("%d runs are under way, want about %d", got, maxActive)
	}
	w.restart()
}
