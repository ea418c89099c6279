package checker_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/soukproject/souk/internal/chaos/checker"
)

// at is so many seconds after the beginning.
func at(seconds float64) time.Time {
	return time.Unix(1_800_000_000, 0).Add(time.Duration(seconds * float64(time.Second)))
}

// ran is a task of a job that took a second.
func ran(job string, due float64, attempt, code int) checker.Task {
	start := due + 0.5 + 3*float64(attempt)
	return checker.Task{
		ID: fmt.Sprintf("%s:%v:%d", job, due, attempt), Job: job, Due: at(due), Attempt: attempt,
		Starts: []time.Time{at(start)}, Ends: []checker.End{{At: at(start + 1), Code: code}},
	}
}

func told(t checker.Task, state string) checker.Run {
	return checker.Run{Task: t.ID, State: state, Due: t.Due, Attempt: t.Attempt}
}

// sound is a history without violations: an app with two instances, one that
// was deleted, and jobs of every kind. Trouble lasts from 30 to 60.
func sound() *checker.History {
	once, flaky0, flaky1 := ran("once", 20, 0, 0), ran("flaky", 40, 0, 1), ran("flaky", 40, 1, 0)
	parent, child := ran("parent", 50, 0, 0), ran("child", 51.5, 0, 0)
	h := &checker.History{
		Epsilon:  20 * time.Second,
		Quiet:    at(100),
		Troubles: []checker.Window{{From: at(30), To: at(60)}},
		Writes: []checker.Write{
			{Key: "/a", Value: 3, Asked: at(1), Answered: at(2), Outcome: checker.Done},
			{Key: "/a", Value: 2, Asked: at(3), Answered: at(13), Outcome: checker.Unknown},
			{Key: "/a", Value: 2, Asked: at(13), Answered: at(14), Outcome: checker.Done},
			{Key: "/b", Value: 1, Asked: at(1), Answered: at(2), Outcome: checker.Done},
			{Key: "/b", Value: checker.Absent, Asked: at(5), Answered: at(6), Outcome: checker.Done},
			{Key: "weight", Value: 7, Asked: at(5), Answered: at(6), Outcome: checker.Done},
		},
		Jobs: []checker.Job{
			{Name: "once", Known: at(10), Due: at(20), Retries: 2},
			{Name: "flaky", Known: at(10), Due: at(40), Retries: 2, Fails: 1},
			{Name: "parent", Known: at(10), Due: at(50), Retries: 2},
			{Name: "child", Known: at(11), Parent: "parent", Retries: 2},
			{Name: "beat", Known: at(5), Due: at(10), Period: 10 * time.Second, Retries: 2},
			{Name: "gone", Known: at(5), Due: at(30), Retries: 2, Removed: at(20), Gone: at(21)},
			{Name: "maybe", Due: at(30), Retries: 2},
		},
		Crashed: map[string]bool{},
		Ended:   map[string]bool{"b1": true},
		Agents:  []string{"S1", "S2"},
		Final: checker.View{
			Values:    map[string]int{"/a": 2, "weight": 7},
			Instances: map[string][]string{"/a": {"a1", "a2"}},
			Runs:      map[string][]checker.Run{},
			Master:    map[string]string{"a1": "TASK_RUNNING", "a2": "TASK_RUNNING"},
			OnAgents:  map[string]string{"a1": "TASK_RUNNING", "a2": "TASK_RUNNING"},
			Processes: map[string]bool{"a1": true, "a2": true},
			Active:    []string{"S1", "S2"},
		},
	}
	for _, t := range []checker.Task{once, flaky0, flaky1, parent, child} {
		h.Final.Runs[t.Job] = append(h.Final.Runs[t.Job], told(t, map[bool]string{true: "TASK_FINISHED", false: "TASK_FAILED"}[t.Ends[0].Code == 0]))
		h.Tasks = append(h.Tasks, t)
	}
	for due := 10.0; due <= 100; due += 10 {
		if due == 40 { // missed in the trouble
			continue
		}
		t := ran("beat", due, 0, 0)
		h.Final.Runs["beat"] = append(h.Final.Runs["beat"], told(t, "TASK_FINISHED"))
		h.Tasks = append(h.Tasks, t)
	}
	for _, t := range h.Tasks {
		h.Ended[t.ID] = true
	}
	for _, id := range []string{"a1", "a2", "b1"} {
		h.Tasks = append(h.Tasks, checker.Task{ID: id, App: "/" + id[:1], Starts: []time.Time{at(3)}})
	}
	return h
}

func task(h *checker.History, id string) *checker.Task {
	i := slices.IndexFunc(h.Tasks, func(t checker.Task) bool { return t.ID == id })
	return &h.Tasks[i]
}

// forget takes a task out of logs and history, as if it had never been.
func forget(h *checker.History, id string) {
	job := task(h, id).Job
	h.Tasks = slices.DeleteFunc(h.Tasks, func(t checker.Task) bool { return t.ID == id })
	h.Final.Runs[job] = slices.DeleteFunc(h.Final.Runs[job], func(r checker.Run) bool { return r.Task == id })
}

// again adds another task to logs and history, ended well.
func again(h *checker.History, t checker.Task, id string) {
	t.ID = id
	h.Tasks = append(h.Tasks, t)
	h.Ended[id] = true
	if _, kept := h.Final.Runs[t.Job]; kept {
		h.Final.Runs[t.Job] = append(h.Final.Runs[t.Job], told(t, "TASK_FINISHED"))
	}
}

func TestSoundHistoriesPass(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(h *checker.History)
	}{
		{"as it is", func(*checker.History) {}},
		{"an unanswered write happened", func(h *checker.History) {
			h.Writes = append(h.Writes, checker.Write{Key: "weight", Value: 9, Asked: at(7)})
			h.Final.Values["weight"] = 9
		}},
		{"an unanswered write did not happen", func(h *checker.History) {
			h.Writes = append(h.Writes, checker.Write{Key: "weight", Value: 9, Asked: at(7)})
		}},
		{"an unacknowledged job ran", func(h *checker.History) {
			h.Final.Runs["maybe"] = nil
			again(h, ran("maybe", 30, 0, 0), "m")
		}},
		{"a run on the way to a deleted job", func(h *checker.History) { again(h, ran("gone", 30, 0, 0), "g") }},
		{"a run was killed to its last attempt", func(h *checker.History) {
			crashed := ran("flaky", 40, 2, 9)
			again(h, crashed, crashed.ID)
			task(h, "flaky:40:1").Ends = nil
			h.Crashed["flaky:40:1"], h.Crashed[crashed.ID] = true, true
			h.Final.Runs["flaky"][1].State, h.Final.Runs["flaky"][2].State = "TASK_FAILED", "TASK_FAILED"
		}},
		{"a run was killed after its last word", func(h *checker.History) { h.Crashed["once:20:0"] = true }},
		{"a killed run had ended well, and ran again", func(h *checker.History) {
			h.Crashed["once:20:0"] = true
			h.Final.Runs["once"][0].State = "TASK_FAILED"
			again(h, ran("once", 20, 1, 0), "once:20:1")
		}},
		{"a task that nobody saw said that it ends", func(h *checker.History) {
			delete(h.Ended, "b1")
			task(h, "b1").Ends = []checker.End{{At: at(6)}}
		}},
		{"a later run supersedes a retry", func(h *checker.History) {
			task(h, "beat:70:0").Ends = nil
			h.Crashed["beat:70:0"] = true
			i := slices.IndexFunc(h.Final.Runs["beat"], func(r checker.Run) bool { return r.Task == "beat:70:0" })
			h.Final.Runs["beat"][i].State = "TASK_FAILED"
		}},
		{"an attempt failed before it could write", func(h *checker.History) {
			h.Tasks = slices.DeleteFunc(h.Tasks, func(t checker.Task) bool { return t.ID == "flaky:40:0" })
		}},
		{"an occurrence while the one before went on", func(h *checker.History) {
			forget(h, "beat:80:0")
			task(h, "beat:70:0").Ends[0].At = at(90.1)
		}},
		{"a run due at the end", func(h *checker.History) { h.Quiet = at(99.9); forget(h, "beat:100:0") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := sound()
			tt.change(h)
			if got := checker.Check(*h); len(got) > 0 {
				t.Errorf("Check() = %v, want none", got)
			}
		})
	}
}

func TestEveryViolationIsFound(t *testing.T) {
	for _, tt := range []struct {
		name   string
		rule   checker.Rule
		change func(h *checker.History)
	}{
		{"a task started twice", checker.StartsOnce, func(h *checker.History) { task(h, "a1").Starts = []time.Time{at(3), at(9)} }},
		{"an attempt under two ids", checker.RunsOnce, func(h *checker.History) { again(h, ran("flaky", 40, 1, 0), "other") }},
		{"two successes", checker.RunsOnce, func(h *checker.History) { again(h, ran("once", 20, 1, 0), "other") }},
		{"a child ran twice", checker.RunsOnce, func(h *checker.History) { again(h, ran("child", 55, 0, 0), "other") }},
		{"a job never ran", checker.RunsAll, func(h *checker.History) { forget(h, "once:20:0") }},
		{"a child never ran", checker.RunsAll, func(h *checker.History) { forget(h, "child:51.5:0") }},
		{"a retry is missing", checker.RunsAll, func(h *checker.History) { forget(h, "flaky:40:1") }},
		{"a run ends without a word", checker.RunsAll, func(h *checker.History) {
			task(h, "beat:80:0").Ends = nil
			i := slices.IndexFunc(h.Final.Runs["beat"], func(r checker.Run) bool { return r.Task == "beat:80:0" })
			h.Final.Runs["beat"][i].State = "TASK_FAILED"
		}},
		{"an occurrence is missing in peace", checker.RunsAll, func(h *checker.History) { forget(h, "beat:80:0") }},
		{"the last occurrence is missing", checker.RunsAll, func(h *checker.History) { forget(h, "beat:100:0") }},
		{"too late", checker.RunsInTime, func(h *checker.History) { task(h, "once:20:0").Starts[0] = at(41) }},
		{"too early", checker.RunsInTime, func(h *checker.History) { task(h, "once:20:0").Starts[0] = at(19) }},
		{"another time", checker.RunsAsked, func(h *checker.History) { again(h, ran("once", 60, 0, 0), "other") }},
		{"between two occurrences", checker.RunsAsked, func(h *checker.History) { again(h, ran("beat", 75, 0, 0), "other") }},
		{"a job nobody knows", checker.RunsAsked, func(h *checker.History) { again(h, ran("ghost", 60, 0, 0), "ghost") }},
		{"a deleted job runs on", checker.RunsAsked, func(h *checker.History) { again(h, ran("gone", 60, 0, 0), "other") }},
		{"a child before its parent", checker.RunsAsked, func(h *checker.History) { task(h, "child:51.5:0").Starts[0] = at(51) }},
		{"a retry after success", checker.RetriesFailure, func(h *checker.History) { again(h, ran("once", 20, 1, 0), "other") }},
		{"a retry after nothing", checker.RetriesFailure, func(h *checker.History) { forget(h, "flaky:40:0") }},
		{"history claims a run", checker.TellsTruth, func(h *checker.History) {
			h.Final.Runs["once"] = append(h.Final.Runs["once"], checker.Run{Task: "claimed", State: "TASK_FINISHED", Due: at(20)})
		}},
		{"history has no such run", checker.TellsTruth, func(h *checker.History) { h.Final.Runs["once"] = nil }},
		{"history calls success failure", checker.TellsTruth, func(h *checker.History) { h.Final.Runs["once"][0].State = "TASK_LOST" }},
		{"a write is lost", checker.KeepsWrites, func(h *checker.History) { h.Final.Values["weight"] = 3 }},
		{"an app is lost", checker.KeepsWrites, func(h *checker.History) { delete(h.Final.Values, "/a") }},
		{"an old value is back", checker.KeepsWrites, func(h *checker.History) { h.Final.Values["/a"] = 3 }},
		{"a deleted app is back", checker.KeepsWrites, func(h *checker.History) { h.Final.Values["/b"] = 1 }},
		{"a job is lost", checker.KeepsWrites, func(h *checker.History) { delete(h.Final.Runs, "parent") }},
		{"a deleted job is back", checker.KeepsWrites, func(h *checker.History) { h.Final.Runs["gone"] = nil }},
		{"a refusal", checker.RefusesNothing, func(h *checker.History) {
			h.Writes = append(h.Writes, checker.Write{Key: "/a", Value: 4, Asked: at(20), Outcome: checker.Refused, Answer: "404"})
		}},
		{"an instance too few", checker.CountsMatch, func(h *checker.History) { h.Final.Instances["/a"] = []string{"a1"} }},
		{"tasks of a deleted app", checker.CountsMatch, func(h *checker.History) { h.Final.Instances["/b"] = []string{"b1"} }},
		{"a process nobody knows", checker.KnowsTasks, func(h *checker.History) { h.Final.Processes["b1"] = true }},
		{"a task only the master knows", checker.KnowsTasks, func(h *checker.History) { h.Final.Master["x"] = "TASK_RUNNING" }},
		{"a task only an agent knows", checker.KnowsTasks, func(h *checker.History) { h.Final.OnAgents["x"] = "TASK_RUNNING" }},
		{"a task without a process", checker.KnowsTasks, func(h *checker.History) { delete(h.Final.Processes, "a1") }},
		{"a run only Chronos believes in", checker.KnowsTasks, func(h *checker.History) { h.Final.Runs["beat"][0].State = "TASK_RUNNING" }},
		{"an end nobody heard of", checker.KnowsEnds, func(h *checker.History) { delete(h.Ended, "b1") }},
		{"an agent is lost", checker.KeepsAgents, func(h *checker.History) { h.Final.Active = []string{"S1"} }},
		{"an agent has a new id", checker.KeepsAgents, func(h *checker.History) { h.Final.Active[1] = "S3" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := sound()
			tt.change(h)
			got := checker.Check(*h)
			if !slices.ContainsFunc(got, func(v checker.Violation) bool { return v.Rule == tt.rule }) {
				t.Errorf("Check() = %v, want a violation of %q", got, tt.rule)
			}
		})
	}
}
