package statusupdate

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

func at(s int) time.Time { return time.Unix(int64(s), 0) }

func status(uuid string, state mesospb.TaskState) *mesospb.TaskStatus {
	return &mesospb.TaskStatus{TaskId: &mesospb.TaskID{Value: new("t")}, State: state.Enum(), Uuid: []byte(uuid)}
}

const (
	running  = mesospb.TaskState_TASK_RUNNING
	finished = mesospb.TaskState_TASK_FINISHED
)

func TestOneAtATimeAndInOrder(t *testing.T) {
	var s Stream
	a, b := status("a", running), status("b", finished)
	if send, added := s.Add(at(0), a); send != nil || !added {
		t.Errorf("Add while paused = %v, %v, want nothing to send", send, added)
	}
	if send := s.Resume(at(1)); send != a {
		t.Errorf("Resume = %v, want a", send)
	}
	if send, added := s.Add(at(2), b); send != nil || !added {
		t.Errorf("Add of a second = %v, %v, want that it waits", send, added)
	}
	if send, ok := s.Acknowledge(at(3), []byte("b")); send != nil || ok {
		t.Errorf("Acknowledge of what was not sent = %v, %v, want neither", send, ok)
	}
	if send, ok := s.Acknowledge(at(4), []byte("a")); send != b || !ok {
		t.Errorf("Acknowledge(a) = %v, %v, want b", send, ok)
	}
	if s.Done() {
		t.Error("Done before the terminal update is acknowledged")
	}
	if send, ok := s.Acknowledge(at(5), []byte("b")); send != nil || !ok || !s.Done() {
		t.Errorf("Acknowledge(b) = %v, %v, Done = %v, want the end", send, ok, s.Done())
	}
	if _, ok := s.Acknowledge(at(6), []byte("b")); ok {
		t.Error("a second acknowledgement counts")
	}
}

func TestBackoffDoublesUpToTenMinutes(t *testing.T) {
	var s Stream
	s.Resume(at(0))
	s.Add(at(0), status("a", running))
	now := at(0)
	var waits []time.Duration
	for range 9 {
		due, ok := s.Deadline()
		if !ok {
			t.Fatal("Deadline = none, want one")
		}
		if send := s.Tick(due.Add(-1)); send != nil {
			t.Errorf("Tick before %v sends", due)
		}
		if send := s.Tick(due); send == nil {
			t.Errorf("Tick at %v sends nothing", due)
		}
		waits = append(waits, due.Sub(now))
		now = due
	}
	want := []time.Duration{10, 20, 40, 80, 160, 320, 600, 600, 600}
	for i := range want {
		want[i] *= time.Second
	}
	if !slices.Equal(waits, want) {
		t.Errorf("waits = %v, want %v", waits, want)
	}
	s.Pause()
	if _, ok := s.Deadline(); ok {
		t.Error("a paused stream has a deadline")
	}
	if s.Resume(now); s.due != now.Add(MinBackoff) {
		t.Errorf("after Resume it is sent again after %v, want %v", s.due.Sub(now), MinBackoff)
	}
}

func TestRestoreKnowsWhatWasAcknowledged(t *testing.T) {
	s := Restore(status("a", running), []*mesospb.TaskStatus{status("b", running)})
	if _, added := s.Add(at(0), status("a", running)); added {
		t.Error("an update acknowledged before is added again")
	}
	if _, added := s.Add(at(0), status("b", running)); added {
		t.Error("a pending update is added again")
	}
	if got := string(s.Latest().GetUuid()); got != "b" {
		t.Errorf("Latest = %s, want b", got)
	}
}

// Whatever happens, updates arrive in order, none is skipped, and in the end
// each was delivered.
func TestDelivery(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Stream
		now := at(0)
		var added, received []string
		take := func(u *mesospb.TaskStatus) {
			if u == nil {
				return
			}
			if id := string(u.GetUuid()); !slices.Contains(received, id) {
				received = append(received, id)
			}
		}
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 6).Draw(t, "step") {
			case 0, 1:
				id := string(rune('a' + i))
				send, ok := s.Add(now, status(id, running))
				if !ok {
					t.Fatalf("Add(%s) = false", id)
				}
				added = append(added, id)
				take(send)
			case 2:
				take(s.Resume(now))
			case 3:
				s.Pause()
			case 4:
				now = now.Add(time.Duration(rapid.IntRange(0, 700).Draw(t, "seconds")) * time.Second)
				take(s.Tick(now))
			default:
				if len(received) > 0 {
					send, _ := s.Acknowledge(now, []byte(rapid.SampledFrom(received).Draw(t, "uuid")))
					take(send)
				}
			}
			if !slices.Equal(received, added[:len(received)]) {
				t.Fatalf("received %v of %v", received, added)
			}
			if n := len(received); n > 0 && len(s.Pending()) < len(added)-n {
				t.Fatalf("%d of %d updates are pending, and %d were received", len(s.Pending()), len(added), n)
			}
		}
		take(s.Resume(now))
		for len(s.Pending()) > 0 {
			send, _ := s.Acknowledge(now, s.Pending()[0].GetUuid())
			take(send)
		}
		if !slices.Equal(received, added) {
			t.Fatalf("received %v, want %v", received, added)
		}
	})
}

func TestTerminalStatesEndAStream(t *testing.T) {
	for number := range mesospb.TaskState_name {
		state := mesospb.TaskState(number)
		s := Restore(status("a", state), nil)
		if s.Done() != mesos.Terminal(state) {
			t.Errorf("Done after %v = %v, want %v", state, s.Done(), mesos.Terminal(state))
		}
	}
}
