package core

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const never = `'schedule':'R/2099-01-01T00:00:00Z/P1D'`

// family creates parents a and b and their child c.
func family(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.connect()
	w.put(`{'name':'a','command':'A',`+never+`}`, `{'name':'b','command':'B',`+never+`}`, `{'name':'c','command':'C','parents':['a','b']}`)
	return w
}

// drive runs a job by hand to the given end.
func (w *world) drive(job string, ok bool) {
	w.t.Helper()
	if err := w.call(Run{Job: job}); err != nil {
		w.t.Fatal(err)
	}
	id := w.launched()
	if !strings.Contains(string(id), ":"+job+":") {
		w.t.Fatalf("launched %s, want job %s", id, job)
	}
	end := failed
	if ok {
		end = finished
	}
	w.run(id, end)
	for !ok { // until the retries are used up
		w.pass(time.Minute)
		before := len(w.tasks)
		w.offer()
		if len(w.tasks) == before {
			return
		}
		id := w.c.Runs(job)[0].TaskID
		w.run(id, failed)
	}
}

func (w *world) wantState(job, want string) {
	w.t.Helper()
	if got := w.job(job).State; got != want {
		w.t.Errorf("state of %s = %q, want %q", job, got, want)
	}
}

func TestChildRunsWhenAllParentsSucceeded(t *testing.T) {
	w := family(t)
	w.drive("a", true)
	w.wantState("c", "idle")
	w.drive("a", true)
	w.wantState("c", "idle")
	w.drive("b", true)
	w.wantState("c", "queued")
	w.run(w.launched(), finished)
	w.drive("b", true)
	w.wantState("c", "idle")
	w.drive("a", true)
	w.wantState("c", "queued")
}

// TestChildWaitsForTheNewRound is chronos #543: in one round a fails and b
// succeeds; in the next, a's success alone must not start the child.
func TestChildWaitsForTheNewRound(t *testing.T) {
	w := family(t)
	w.drive("a", false)
	w.drive("b", true)
	w.wantState("c", "idle")
	for _, job := range []string{"a", "b"} {
		if err := w.call(Run{Job: job}); err != nil {
			t.Fatal(err)
		}
	}
	before := len(w.tasks)
	w.offer()
	if len(w.tasks) != before+2 {
		t.Fatalf("launched %d tasks, want a and b", len(w.tasks)-before)
	}
	a, b := w.c.Runs("a")[0].TaskID, w.c.Runs("b")[0].TaskID
	w.run(a, finished)
	w.wantState("c", "idle")
	w.run(b, finished)
	w.wantState("c", "queued")
}

func TestChildOfOneParentRunsEachTime(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.connect()
	w.put(`{'name':'a','command':'A','schedule':'R3/2026-03-04T06:00:00Z/PT1H'}`, `{'name':'c','command':'C','parents':['a']}`)
	for range 3 {
		w.pass(time.Hour)
		w.run(w.launched(), finished)
		w.wantState("c", "queued")
		w.run(w.launched(), finished)
	}
	if got := w.job("c").SuccessCount; got != 3 {
		t.Errorf("successes of c = %d, want 3", got)
	}
}

func TestWhatFiresChildren(t *testing.T) {
	tests := []struct {
		name  string
		child string
		do    func(*testing.T, *world)
		want  string
	}{
		{"a failure does not", ``, func(t *testing.T, w *world) { w.drive("a", false) }, "idle"},
		{"marking by hand does", ``, func(t *testing.T, w *world) {
			if err := w.call(MarkSuccess{Job: "a"}); err != nil {
				t.Fatal(err)
			}
		}, "queued"},
		{"a disabled child is not fired", `'disabled':true,`, func(t *testing.T, w *world) { w.drive("a", true) }, "idle"},
		{"a failure of a soft parent does", ``, func(t *testing.T, w *world) {
			w.put(`{'name':'a','command':'A','softError':true,'retries':0,` + never + `}`)
			if err := w.call(Run{Job: "a"}); err != nil {
				t.Fatal(err)
			}
			w.run(w.launched(), failed)
		}, "queued"},
		{"killing the parent does not", ``, func(t *testing.T, w *world) {
			if err := w.call(Run{Job: "a"}); err != nil {
				t.Fatal(err)
			}
			w.run(w.launched(), killed)
		}, "idle"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, "2026-03-04T05:00:00Z")
			w.connect()
			w.put(`{'name':'a','command':'A',`+never+`}`, `{'name':'c','command':'C',`+tt.child+`'parents':['a']}`)
			tt.do(t, w)
			w.wantState("c", tt.want)
		})
	}
}

func TestTriggersSurviveARestart(t *testing.T) {
	w := family(t)
	w.drive("a", true)
	w.restart()
	w.connect()
	w.drive("b", true)
	w.wantState("c", "queued")
	w.restart()
	w.connect()
	w.wantState("c", "queued")
	w.run(w.launched(), finished)
}

func TestGraphIsChecked(t *testing.T) {
	w := family(t)
	w.put(`{'name':'d','command':'D','parents':['c']}`)
	tests := []struct{ name, job, field string }{
		{"cycle over three", `{'name':'a','command':'A','parents':['d']}`, "parents"},
		{"cycle of two", `{'name':'c','command':'C','parents':['d','a']}`, "parents"},
		{"missing parent", `{'name':'e','command':'E','parents':['a','zz']}`, "parents"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := w.call(Put{Job: w.read(strings.ReplaceAll(tt.job, "'", `"`))})
			var bad *Invalid
			if !errors.As(err, &bad) || bad.Field != tt.field {
				t.Errorf("Put(%s) = %v, want an *Invalid of %s", tt.job, err, tt.field)
			}
		})
	}
	want := []Link{{"a", "c"}, {"b", "c"}, {"c", "d"}}
	if diff := cmp.Diff(want, w.c.Links()); diff != "" {
		t.Errorf("links differ (-want +got):\n%s", diff)
	}
}

func TestReplaceBetweenKinds(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.connect()
	w.put(`{'name':'a','command':'A',`+never+`}`, `{'name':'x','command':'X','schedule':'R/2026-03-04T06:00:00Z/PT1H'}`)
	w.pass(90 * time.Minute)
	w.wantState("x", "queued")
	w.put(`{'name':'x','command':'X','parents':['a']}`) // chronos #627: it kept firing
	w.wantState("x", "idle")
	w.pass(24 * time.Hour)
	w.wantState("x", "idle")
	w.drive("a", true)
	w.wantState("x", "queued")
	w.put(`{'name':'x','command':'X','schedule':'R/2026-03-06T06:00:00Z/PT1H'}`)
	w.wantState("x", "idle")
	if links := w.c.Links(); links != nil {
		t.Errorf("links = %v, want none", links)
	}
}

func TestDeletingAParent(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.connect()
	w.put(`{'name':'a','command':'A','schedule':'R7/2099-01-01T05:00:00Z/P1D','scheduleTimeZone':'Europe/Paris'}`,
		`{'name':'b','command':'B',`+never+`}`,
		`{'name':'only','command':'O','parents':['a'],'environmentVariables':[{'name':'K','value':'V'}]}`,
		`{'name':'both','command':'2','parents':['a','b']}`,
		`{'name':'mid','command':'M','parents':['a','b']}`,
		`{'name':'leaf','command':'L','parents':['mid']}`)
	if err := w.call(Delete{Job: "mid"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, w.job("leaf").Parents); diff != "" {
		t.Errorf("parents of leaf differ (-want +got):\n%s", diff)
	}
	if err := w.call(Delete{Job: "a"}); err != nil {
		t.Fatal(err)
	}
	w.restart()
	only := w.job("only")
	if only.Dependent() || only.Schedule != "R7/2099-01-01T05:00:00Z/P1D" || only.ScheduleTimeZone != "Europe/Paris" || len(only.Environment) != 1 {
		t.Errorf("only = %+v, want the schedule of its parent and all of its own", only.Job)
	}
	for _, name := range []string{"both", "leaf"} {
		if diff := cmp.Diff([]string{"b"}, w.job(name).Parents); diff != "" {
			t.Errorf("parents of %s differ (-want +got):\n%s", name, diff)
		}
	}
	if err := w.call(Delete{Job: "a"}); err != ErrUnknownJob {
		t.Errorf("Delete(a) again = %v, want ErrUnknownJob", err)
	}
}

func TestDeletingAJobKillsItsRuns(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.connect()
	w.put(`{'name':'a','command':'A','schedule':'R1//P1D'}`)
	id := w.launched()
	w.report(id, running)
	w.heard()
	if err := w.call(Delete{Job: "a"}); err != nil {
		t.Fatal(err)
	}
	w.restart() // before the kill arrived
	w.connect()
	w.report(id, running) // the answer to the reconciliation
	if got := w.heard(); !cmp.Equal(got[len(got)-1], "kill "+string(id)) {
		t.Errorf("said %q, want a kill of the stray task", got)
	}
	w.report(id, killed)
	if len(w.disk) != 1 {
		t.Errorf("disk holds %d records, want the framework's alone", len(w.disk))
	}
}
