package core_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/soukproject/souk/frameworks/marathon/core"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// watched is a world with one running task of /web, and what is said to the
// master about tasks from now on.
func watched(t *testing.T) (w *world, only *task, said *[]string) {
	w = newWorld(t)
	w.create(`{"id":"/web","cmd":"sleep 100"}`)
	w.heal()
	for _, k := range w.tasks {
		only = k
	}
	said = &[]string{}
	w.made = func(e core.Effect) {
		switch e := e.(type) {
		case core.Kill:
			*said = append(*said, "kill")
		case core.Reconcile:
			*said = append(*said, fmt.Sprintf("reconcile %d", len(e.Tasks)))
		}
	}
	return w, only, said
}

// silence is a master that hears calls and answers none: it recovers.
func (w *world) silence() {
	for w.persist() || w.call() {
		w.updates = nil
	}
}

// TestKillIsSentAgainWhenTheTaskGoesOn: a kill that a recovering master lost is
// repeated as soon as it says that the task runs, not when the retry is due.
func TestKillIsSentAgainWhenTheTaskGoesOn(t *testing.T) {
	w, only, said := watched(t)
	w.ask(core.KillTasks{TaskIDs: []string{only.id}})
	only.state = mesospb.TaskState_TASK_RUNNING // the kill was lost
	w.subscribe()
	w.silence()
	only.state = mesospb.TaskState_TASK_RUNNING // and so was this one
	*said = nil
	w.answer(only.id, only.agent)
	w.perform()
	if got := fmt.Sprint(*said); got != "[kill]" {
		t.Errorf("an answer that the task runs made the scheduler say %s, want a kill", got)
	}
	w.answer(only.id, only.agent) // now TASK_KILLING
	w.perform()
	if got := fmt.Sprint(*said); got != "[kill]" {
		t.Errorf("a task that is being killed made the scheduler say %s, want no more", got)
	}
}

// TestSilentMasterIsAskedAgain: with growing pauses and for what it has not
// answered; once it has, at the interval.
func TestSilentMasterIsAskedAgain(t *testing.T) {
	w, only, said := watched(t)
	w.subscribe()
	w.silence()
	started := w.now
	var when []int
	*said = nil
	for w.now.Sub(started) < 40*time.Second {
		w.tick(time.Second)
		w.silence()
		if len(*said) > 0 {
			if got := fmt.Sprint(*said); got != "[reconcile 1]" {
				t.Fatalf("the scheduler says %s, want one question for the one task", got)
			}
			when, *said = append(when, int(w.now.Sub(started).Seconds())), nil
		}
	}
	if got := fmt.Sprint(when); got != "[5 15 35]" {
		t.Errorf("a silent master is asked after %s seconds, want 5, 15 and 35", got)
	}
	w.answer(only.id, only.agent)
	w.perform()
	for w.now.Sub(started) < 10*time.Minute {
		w.tick(time.Second)
		w.perform()
	}
	if len(*said) != 0 {
		t.Errorf("after its answer the scheduler says %s within the interval, want nothing", *said)
	}
}
