package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/soukproject/souk/internal/auth"
	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/master/core"
	"github.com/soukproject/souk/master/validation"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// scheduler answers POST /api/v1/scheduler.
func (a *api) scheduler(w http.ResponseWriter, r *http.Request) {
	call := &schedulerpb.Call{}
	if err := callevent.ReadCall(w, r, call, callevent.ReadOptions{MaxBytes: maxCall}); err != nil {
		callevent.WriteError(w, err)
		return
	}
	if _, known := schedulerpb.Call_Type_name[int32(call.GetType())]; !known {
		call.Type = nil // a newer client's; in JSON its name would not be known either
	}
	err := validation.ValidateCall(call)
	if err == nil {
		err = validation.ValidatePrincipal(call, auth.Principal(r.Context()))
	}
	if err != nil {
		callevent.WriteError(w, invalid(err))
		return
	}
	serve := a.called
	if call.GetType() == schedulerpb.Call_SUBSCRIBE {
		serve = a.subscribe
	}
	if err := serve(w, r, call); err != nil {
		callevent.WriteError(w, err)
	}
}

// invalid is the answer to a call of wrong shape; the text is the whole body.
func invalid(err error) error {
	return &callevent.Error{Code: http.StatusBadRequest, Text: err.Error()}
}

// subscribe holds a scheduler's stream. An error comes before the stream began.
func (a *api) subscribe(w http.ResponseWriter, r *http.Request, call *schedulerpb.Call) error {
	if r.Header.Get(callevent.StreamIDHeader) != "" {
		return callevent.Errorf(http.StatusBadRequest, "Subscribe calls should not include the 'Mesos-Stream-Id' header")
	}
	codec, err := callevent.Negotiate(r)
	if err != nil {
		return err
	}
	if err := acquire(a.schedulers, "schedulers"); err != nil {
		return err
	}
	defer func() { <-a.schedulers }()

	stream := core.Stream(uuid.NewString())
	outbox := callevent.NewOutbox(a.Limits.Outbox)
	if err := a.Master.Open(r.Context(), core.Subscribed{Stream: stream, Principal: auth.Principal(r.Context()), Call: call}, outbox); err != nil {
		return unavailable(err)
	}
	a.serve(w, r, outbox, codec, core.Disconnected{Stream: stream}, callevent.StreamOptions{
		StreamID:  string(stream),
		Heartbeat: &schedulerpb.Event{Type: schedulerpb.Event_HEARTBEAT.Enum()},
		Interval:  heartbeatInterval,
	})
	return nil
}

// serve writes an outbox until its stream ends, and then tells the loop.
func (a *api) serve(w http.ResponseWriter, r *http.Request, outbox *callevent.Outbox, codec callevent.Codec, end core.Event, o callevent.StreamOptions) {
	// A writer without deadlines, as in tests, has its own ways to end.
	_ = daemon.Unbounded(w)
	err := outbox.Serve(r.Context(), w, codec, o)
	outbox.Close()
	a.Log.Debug("stream ended", zap.String("stream_id", o.StreamID), zap.String("remote", r.RemoteAddr), zap.Error(err))
	// The client has gone, but the loop must hear of it; it refuses only when it ends itself.
	_ = a.Master.Send(context.WithoutCancel(r.Context()), end)
}

// called hands over any other call and answers with what the core replies.
func (a *api) called(w http.ResponseWriter, r *http.Request, call *schedulerpb.Call) error {
	codec := callevent.JSON
	if call.GetType() == schedulerpb.Call_RECONCILE_OPERATIONS {
		var err error
		if codec, err = callevent.Negotiate(r); err != nil {
			return err
		}
	}
	reply, err := a.Master.Call(r.Context(), func(request core.Request) core.Event {
		return core.Called{
			Request: request, Stream: core.Stream(r.Header.Get(callevent.StreamIDHeader)), Principal: auth.Principal(r.Context()), Call: call,
		}
	})
	if err != nil {
		return unavailable(err)
	}
	if reply.Response != nil && reply.Code == http.StatusOK {
		callevent.WriteMessage(w, r, codec, reply.Response)
		return nil
	}
	return writeReply(w, reply)
}

// writeReply answers with a reply of the core that has no message.
func writeReply(w http.ResponseWriter, reply core.Reply) error {
	if reply.Code >= http.StatusBadRequest {
		return &callevent.Error{Code: reply.Code, Text: reply.Text}
	}
	h := w.Header()
	h["Content-Type"] = nil
	if reply.Text != "" {
		h.Set("Content-Type", "text/plain; charset=utf-8")
	}
	h.Set("Content-Length", strconv.Itoa(len(reply.Text)))
	w.WriteHeader(reply.Code)
	_, _ = w.Write([]byte(reply.Text))
	return nil
}
