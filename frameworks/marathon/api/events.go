package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// Timing of event streams.
const (
	keepAlive    = 15 * time.Second // between two signs of life
	writeTimeout = 30 * time.Second // for a client to take one event
)

// maxListeners bounds the event streams that are open at the same time.
const maxListeners = 1000

// A Hub hands events to those who listen on /v2/events. A listener that does
// not keep up is cut off; it must read the state anew. Safe for concurrent use.
type Hub struct {
	limit int // events waiting per listener

	mu        sync.Mutex
	listeners map[*listener]bool
}

type listener struct {
	types  []string // empty: all
	light  bool     // plans without trees
	events chan core.Publish
}

// NewHub returns a hub without listeners that lets limit events wait for each.
func NewHub(limit int) *Hub { return &Hub{limit: limit, listeners: map[*listener]bool{}} }

// Publish hands out an event and never blocks.
func (h *Hub) Publish(e core.Publish) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for l := range h.listeners {
		if len(l.types) > 0 && !slices.Contains(l.types, e.Type) {
			continue
		}
		select {
		case l.events <- e:
		default:
			delete(h.listeners, l)
			close(l.events)
		}
	}
}

// listen is nil when there are too many listeners.
func (h *Hub) listen(types []string, light bool) *listener {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.listeners) >= maxListeners {
		return nil
	}
	l := &listener{types, light, make(chan core.Publish, h.limit)}
	h.listeners[l] = true
	return l
}

func (h *Hub) leave(l *listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listeners[l] {
		delete(h.listeners, l)
		close(l.events)
	}
}

// streamEvent is event_stream_attached and event_stream_detached.
type streamEvent struct {
	core.Heading
	RemoteAddress string `json:"remoteAddress"`
}

func (h *Hub) announce(eventType, remote string) {
	e := streamEvent{core.Heading{EventType: eventType, Timestamp: spec.TimestampOf(time.Now())}, remote}
	h.Publish(core.Publish{Type: eventType, Data: e})
}

// streamEvents serves /v2/events as server-sent events until the client goes.
func (s *server) streamEvents(w http.ResponseWriter, r *http.Request) {
	if !acceptsAny(r.Header.Get("Accept"), "text/event-stream") {
		writeMessage(w, http.StatusMethodNotAllowed, "events are streamed: send Accept: text/event-stream")
		return
	}
	q := r.URL.Query()
	l := s.Hub.listen(q["event_type"], q.Get("plan-format") == "light")
	if l == nil {
		writeMessage(w, http.StatusServiceUnavailable, fmt.Sprintf("more than %d event streams are open", maxListeners))
		return
	}
	s.Hub.announce("event_stream_attached", r.RemoteAddr)
	defer s.Hub.announce("event_stream_detached", r.RemoteAddr)
	defer s.Hub.leave(l)
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	_ = relay(w, r, l) // whatever ends a stream, the client sees it end
}

// relay writes events as they come, each at once.
func relay(w http.ResponseWriter, r *http.Request, l *listener) error {
	control := http.NewResponseController(w)
	if err := ignoreUnsupported(control.SetReadDeadline(time.Time{})); err != nil {
		return err
	}
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	frame := []byte("\r\n")
	for {
		if err := ignoreUnsupported(control.SetWriteDeadline(time.Now().Add(writeTimeout))); err != nil {
			return err
		}
		if _, err := w.Write(frame); err != nil {
			return err
		}
		if err := control.Flush(); err != nil {
			return err
		}
		select {
		case <-r.Context().Done():
			return r.Context().Err()
		case <-alive.C:
			frame = []byte("\r\n")
		case e, ok := <-l.events:
			if !ok {
				return errors.New("the listener did not keep up")
			}
			var err error
			if frame, err = l.frame(e); err != nil {
				return err
			}
		}
	}
}

// ignoreUnsupported: writers without deadlines, as in tests, go on without.
func ignoreUnsupported(err error) error {
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

// frame is an event as it is sent to l.
func (l *listener) frame(e core.Publish) ([]byte, error) {
	payload := e.Data
	if l.light {
		payload = lighten(payload)
	}
	data, err := json.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", e.Type, err)
	}
	return fmt.Appendf(nil, "event: %s\r\ndata: %s\r\n\r\n", e.Type, data), nil
}

// lighten takes the trees out of the plan of an event.
func lighten(data any) any {
	switch d := data.(type) {
	case core.DeploymentStepped:
		d.Plan = d.Plan.Light()
		return d
	case core.DeploymentEnded:
		d.Plan = d.Plan.Light()
		return d
	}
	return data
}
