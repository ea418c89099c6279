package api

import (
	"net/http"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/daemon"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
)

// watch holds an operator's event stream (mesos-api 5). An error comes before
// the stream began.
func (a *api) watch(w http.ResponseWriter, r *http.Request, codec callevent.Codec) error {
	watcher := &watcher{outbox: callevent.NewOutbox(a.Limits.Outbox), limit: a.Limits.Outbox}
	a.watchers.add(watcher, a.Limits.Operators)
	defer a.watchers.remove(watcher)

	defer a.Master.Unwatch(watcher)
	view, err := a.Master.Watch(r.Context(), watcher)
	if err != nil {
		return unavailable(err)
	}
	heartbeat := &masterpb.Event{Type: masterpb.Event_HEARTBEAT.Enum()}
	watcher.begin(&masterpb.Event{Type: masterpb.Event_SUBSCRIBED.Enum(), Subscribed: &masterpb.Event_Subscribed{
		GetState: view.GetState(), HeartbeatIntervalSeconds: proto.Float64(heartbeatInterval.Seconds()),
	}}, heartbeat)

	// A writer without deadlines, as in tests, has its own ways to end.
	_ = daemon.Unbounded(w)
	// Why the stream ended is nobody's business any more: the client subscribes again.
	_ = watcher.outbox.Serve(r.Context(), w, codec, callevent.StreamOptions{Heartbeat: heartbeat, Interval: heartbeatInterval})
	return nil
}

// A watcher is the Sink of one operator. What is published while the first
// event, the whole state, is still being built waits behind it.
type watcher struct {
	outbox *callevent.Outbox
	limit  int

	mu     sync.Mutex
	begun  bool
	before []proto.Message
}

var _ Sink = (*watcher)(nil)

// Send implements Sink.
func (s *watcher) Send(m proto.Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun {
		return s.outbox.Send(m)
	}
	if len(s.before) >= s.limit {
		s.outbox.Close()
		return false
	}
	s.before = append(s.before, m)
	return true
}

// Close implements Sink.
func (s *watcher) Close(last ...proto.Message) {
	s.outbox.Close(last...)
}

// begin sends the first events and then those that came meanwhile.
func (s *watcher) begin(first ...proto.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range slices.Concat(first, s.before) {
		s.outbox.Send(m)
	}
	s.begun, s.before = true, nil
}

// watchers are the operators subscribed, oldest first.
type watchers struct {
	mu  sync.Mutex
	all []*watcher
}

// add makes room by ending the oldest stream when there are limit of them.
func (ws *watchers) add(w *watcher, limit int) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for len(ws.all) > 0 && len(ws.all) >= limit {
		ws.all[0].Close()
		ws.all = ws.all[1:]
	}
	ws.all = append(ws.all, w)
}

func (ws *watchers) remove(w *watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if i := slices.Index(ws.all, w); i >= 0 {
		ws.all = slices.Delete(ws.all, i, i+1)
	}
}

func (ws *watchers) count() int {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return len(ws.all)
}
