package executor

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	executorpb "github.com/soukproject/souk/proto/mesos/v1/executor"
)

// ErrDisconnected is why a message fails while the executor is not subscribed.
var ErrDisconnected = errors.New("not subscribed at an agent")

// A Session reports to the agent. There is one per Run; it stays the same through
// lost connections. It may be used from any goroutine.
type Session struct {
	framework *mesospb.FrameworkID
	executor  *mesospb.ExecutorID

	wake chan struct{} // holds one token when there is something to send, or nothing left to wait for

	mu       sync.Mutex
	client   *client               // nil while not subscribed
	tasks    []*mesospb.TaskInfo   // whose first update is not acknowledged
	updates  []*mesospb.TaskStatus // not acknowledged, oldest first
	sent     int                   // how many of updates went over the connection there is
	stopping bool
}

// Update reports the state of a task. It needs task_id and state; uuid, source and
// time are filled in. The update is kept, and sent again after a lost connection,
// until the agent has stored it.
func (s *Session) Update(status *mesospb.TaskStatus) {
	status = proto.CloneOf(status)
	id := uuid.New()
	status.Uuid = id[:]
	status.Source = mesospb.TaskStatus_SOURCE_EXECUTOR.Enum()
	status.ExecutorId = s.executor
	if status.Timestamp == nil {
		status.Timestamp = new(float64(time.Now().UnixMicro()) / 1e6)
	}
	s.mu.Lock()
	s.updates = append(s.updates, status)
	s.mu.Unlock()
	s.notify()
}

// Message sends data to the scheduler; there is no promise that it arrives.
func (s *Session) Message(ctx context.Context, data []byte) error {
	s.mu.Lock()
	c := s.client
	s.mu.Unlock()
	if c == nil {
		return ErrDisconnected
	}
	return c.Send(ctx, s.call(executorpb.Call_MESSAGE, func(c *executorpb.Call) {
		c.Message = &executorpb.Call_Message{Data: data}
	}))
}

// Stop makes Run return nil once the agent has stored all updates.
func (s *Session) Stop() {
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	s.notify()
}

func (s *Session) notify() {
	select {
	case s.wake <- struct{}{}:
	default: // a token is there already
	}
}

func (s *Session) call(kind executorpb.Call_Type, fill func(*executorpb.Call)) *executorpb.Call {
	c := &executorpb.Call{Type: kind.Enum(), FrameworkId: s.framework, ExecutorId: s.executor}
	fill(c)
	return c
}

// subscribe is the call that tells the agent what it may not have stored.
func (s *Session) subscribe() *executorpb.Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = len(s.updates)
	return s.call(executorpb.Call_SUBSCRIBE, func(c *executorpb.Call) {
		c.Subscribe = &executorpb.Call_Subscribe{UnacknowledgedTasks: slices.Clone(s.tasks)}
		for _, u := range s.updates {
			c.Subscribe.UnacknowledgedUpdates = append(c.Subscribe.UnacknowledgedUpdates, &executorpb.Call_Update{Status: u})
		}
	})
}

func (s *Session) connect(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client = c
}

// next is an update that this connection has not carried yet; nil if there is none.
func (s *Session) next() *executorpb.Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sent == len(s.updates) {
		return nil
	}
	u := s.updates[s.sent]
	s.sent++
	return s.call(executorpb.Call_UPDATE, func(c *executorpb.Call) { c.Update = &executorpb.Call_Update{Status: u} })
}

// launched remembers tasks until the agent has stored something of them.
func (s *Session) launched(tasks ...*mesospb.TaskInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tasks = append(s.tasks, tasks...)
}

// acknowledged lets go of an update that the agent has stored.
func (s *Session) acknowledged(e *executorpb.Event_Acknowledged) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tasks = slices.DeleteFunc(s.tasks, func(t *mesospb.TaskInfo) bool {
		return t.GetTaskId().GetValue() == e.GetTaskId().GetValue()
	})
	i := slices.IndexFunc(s.updates, func(u *mesospb.TaskStatus) bool { return bytes.Equal(u.GetUuid(), e.GetUuid()) })
	if i < 0 {
		return
	}
	s.updates = slices.Delete(s.updates, i, i+1)
	if i < s.sent {
		s.sent--
	}
	s.notify()
}

// done reports whether the executor wants to stop and nothing keeps it.
func (s *Session) done() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping && len(s.updates) == 0
}
