package core

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOffersAreWantedOnlyWhenSomethingIsDue(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.connect()
	w.put(`{'name':'j','command':'C','schedule':'R/2026-03-04T06:00:00Z/PT1H'}`)
	w.pass(59 * time.Minute)
	if diff := cmp.Diff([]string{"reconcile", "suppress"}, w.heard()); diff != "" {
		t.Errorf("before the run (-want +got):\n%s", diff)
	}
	w.pass(time.Minute)
	if diff := cmp.Diff([]string{"revive"}, w.heard()); diff != "" {
		t.Errorf("when it is due (-want +got):\n%s", diff)
	}
	id := w.launched()
	w.report(id, running)
	if err := w.call(Run{Job: "j"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"launch " + string(id), "suppress"}, w.heard()); diff != "" {
		t.Errorf("while a queued run waits for one under way (-want +got):\n%s", diff)
	}
	w.report(id, finished)
	if diff := cmp.Diff([]string{"revive"}, w.heard()); diff != "" {
		t.Errorf("when that ended (-want +got):\n%s", diff)
	}
}

func TestFiltersAreLiftedForNewRunsButNotTooOften(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.connect()
	w.put(`{'name':'huge','command':'C','cpus':99,'schedule':'R1//P1D'}`)
	w.idle()
	w.heard()
	w.pass(time.Second)
	w.put(`{'name':'a','command':'C','schedule':'R1//P1D'}`, `{'name':'b','command':'C','schedule':'R1//P1D'}`)
	if got := w.heard(); len(got) != 0 {
		t.Errorf("a second after the last REVIVE said %q, want nothing", got)
	}
	w.pass(time.Minute)
	if diff := cmp.Diff([]string{"revive"}, w.heard()); diff != "" {
		t.Errorf("later (-want +got):\n%s", diff)
	}
}

func TestReconciliationIsRepeatedUntilAnswered(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.connect()
	w.put(`{'name':'a','command':'C','schedule':'R1//P1D'}`)
	a := w.launched()
	w.report(a, running)
	w.put(`{'name':'b','command':'C','schedule':'R1//P1D'}`)
	b := w.launched()
	w.report(b, running)
	w.restart()
	w.heard()
	w.connect()
	both := "reconcile " + string(a) + "," + string(b)
	if diff := cmp.Diff([]string{both, "reconcile", "suppress"}, w.heard()); diff != "" {
		t.Errorf("at once (-want +got):\n%s", diff)
	}
	w.report(a, running)
	w.pass(50 * time.Second) // asked again after 15 s and 30 s more
	if diff := cmp.Diff([]string{"reconcile " + string(b), "reconcile " + string(b)}, w.heard()); diff != "" {
		t.Errorf("in the next seconds (-want +got):\n%s", diff)
	}
	w.report(b, running)
	w.pass(31 * time.Minute)
	if got := w.heard(); len(got) < 3 || len(got) > 4 || slices.ContainsFunc(got, func(s string) bool { return s != both }) {
		t.Errorf("in half an hour said %q, want both asked for every ten minutes", got)
	}
}

func TestDisconnectedMeansSilence(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.put(`{'name':'a','command':'C','schedule':'R/2026-03-04T06:00:00Z/PT1H'}`)
	w.pass(2 * time.Hour)
	w.connect()
	w.heard()
	w.step(Disconnected{})
	w.step(Interrupted{})
	w.pass(24 * time.Hour)
	if got := w.heard(); len(got) != 0 {
		t.Errorf("while disconnected said %q, want nothing", got)
	}
	w.connect()
	if diff := cmp.Diff([]string{"reconcile", "revive"}, w.heard()); diff != "" {
		t.Errorf("when connected again (-want +got):\n%s", diff)
	}
}

func TestAFailedCallIsMadeUpFor(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.connect()
	w.put(`{'name':'a','command':'C','schedule':'R1//P1D'}`)
	id := w.launched()
	w.heard()
	w.step(Interrupted{}) // ACCEPT and SUPPRESS may not have arrived
	w.pass(2 * time.Second)
	if diff := cmp.Diff([]string{"reconcile " + string(id), "suppress"}, w.heard()); diff != "" {
		t.Errorf("a second later (-want +got):\n%s", diff)
	}
}

func TestNothingIsSaidBeforeItIsDurable(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.connect()
	w.heard()
	w.stall = true
	w.calls = 100
	if err := w.call(Put{Job: w.read(`{"name":"a","command":"C","schedule":"R1//P1D"}`)}); err != nil {
		t.Fatal(err)
	}
	w.offer()
	w.step(Tick{})
	if _, replied := w.replies[101]; replied || len(w.said) != 0 || len(w.tasks) != 0 {
		t.Fatalf("said %q and replied %v before anything was written", w.said, replied)
	}
	if len(w.disk) != 1 {
		t.Fatalf("disk holds %d records, want the framework's alone", len(w.disk))
	}
	w.release()
	if _, replied := w.replies[101]; !replied || len(w.tasks) != 1 {
		t.Errorf("launched %d tasks and replied %v after the writes, want both", len(w.tasks), replied)
	}
	if diff := cmp.Diff([]string{"revive", "launch " + w.tasks[0].GetTaskId().GetValue(), "suppress"}, w.heard()); diff != "" {
		t.Errorf("said differs (-want +got):\n%s", diff)
	}
}

func TestARemovedFrameworkKeepsItsJobs(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.connect()
	w.put(`{'name':'a','command':'C','schedule':'R1//P1D'}`)
	w.step(Removed{})
	w.restart()
	if got := w.c.Framework(); got != "" {
		t.Errorf("framework id = %q, want none", got)
	}
	w.step(Subscribed{Framework: "f2"})
	w.restart()
	if got := w.c.Framework(); got != "f2" {
		t.Errorf("framework id = %q, want f2", got)
	}
	w.job("a")
}
