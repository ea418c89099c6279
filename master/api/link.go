package api

import (
	"net/http"
	"sync"

	"github.com/google/uuid"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/master/core"
	"github.com/soukproject/souk/master/validation"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
)

// link answers POST /api/v1/link, where agents subscribe and say what they have
// to say.
func (a *api) link(w http.ResponseWriter, r *http.Request) {
	call := &linkpb.Call{}
	err := callevent.ReadCall(w, r, call, callevent.ReadOptions{MaxBytes: maxLink})
	if err == nil {
		switch call.GetType() {
		case linkpb.Call_SUBSCRIBE:
			err = a.openSession(w, r, call.GetSubscribe())
		case linkpb.Call_MESSAGES:
			err = a.sessionSent(w, r, call.GetMessages())
		default:
			err = callevent.Errorf(http.StatusNotImplemented, "501 Not Implemented. Unknown type of link call")
		}
	}
	if err != nil {
		callevent.WriteError(w, err)
	}
}

// openSession holds an agent's stream. An error comes before the stream began.
func (a *api) openSession(w http.ResponseWriter, r *http.Request, subscribe *linkpb.Subscribe) error {
	if subscribe == nil {
		return callevent.Errorf(http.StatusBadRequest, "Failed to validate link::Call: Expecting 'subscribe' to be present")
	}
	if err := validation.AgentSubscribe(subscribe); err != nil { // the core closes such a session without a word
		return callevent.Errorf(http.StatusBadRequest, "Failed to validate link::Call: %s", err)
	}
	codec, err := callevent.Negotiate(r)
	if err != nil {
		return err
	}
	if err := acquire(a.agents, "agents"); err != nil {
		return err
	}
	defer func() { <-a.agents }()

	id, session := a.sessions.open()
	defer a.sessions.close(id)
	outbox := callevent.NewOutbox(a.Limits.Outbox)
	ev := core.AgentSubscribed{Session: session, Address: r.RemoteAddr, Subscribe: subscribe}
	if err := a.Master.Open(r.Context(), ev, outbox); err != nil {
		return unavailable(err)
	}
	a.serve(w, r, outbox, codec, core.AgentDisconnected{Session: session}, callevent.StreamOptions{StreamID: id})
	return nil
}

// sessionSent takes the messages of a session and answers 202 once the loop has them.
func (a *api) sessionSent(w http.ResponseWriter, r *http.Request, messages []*linkpb.Message) error {
	session, ok := a.sessions.find(r.Header.Get(callevent.StreamIDHeader))
	if !ok {
		return callevent.Errorf(http.StatusForbidden, "Agent is not subscribed: subscribe again")
	}
	if err := a.Master.Send(r.Context(), core.AgentSent{Session: session, Messages: messages}); err != nil {
		return unavailable(err)
	}
	return writeReply(w, core.Reply{Code: http.StatusAccepted})
}

// sessions finds an agent's session by the stream id it was given, which nobody
// else can guess.
type sessions struct {
	mu   sync.Mutex
	last core.Session
	byID map[string]core.Session
}

func newSessions() sessions {
	return sessions{byID: make(map[string]core.Session)}
}

func (s *sessions) open() (id string, session core.Session) {
	id = uuid.NewString()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	s.byID[id] = s.last
	return id, s.last
}

func (s *sessions) find(id string) (core.Session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	session, ok := s.byID[id]
	return session, ok
}

func (s *sessions) close(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, id)
}
