package api

import (
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/daemon"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	executorpb "github.com/soukproject/souk/proto/mesos/v1/executor"
)

const (
	executorHeartbeat = 30 * time.Minute // Mesos
	executorOutbox    = 10000            // events that an executor may leave unread
	maxExecutors      = 10000            // streams at a time
	uuidLength        = 16
)

// An ExecutorStream is called when the stream of an executor has ended.
type ExecutorStream func()

// executor answers POST /api/v1/executor (mesos-api 13).
func (a *api) executor(w http.ResponseWriter, r *http.Request) {
	call := &executorpb.Call{}
	err := callevent.ReadCall(w, r, call, callevent.ReadOptions{})
	if err == nil {
		err = validateExecutorCall(call)
	}
	if err == nil {
		serve := a.executorCall
		if call.GetType() == executorpb.Call_SUBSCRIBE {
			serve = a.executorSubscribe
		}
		err = serve(w, r, call)
	}
	if err != nil {
		callevent.WriteError(w, err)
	}
}

// executorSubscribe holds an executor's stream. An error comes before it began.
func (a *api) executorSubscribe(w http.ResponseWriter, r *http.Request, call *executorpb.Call) error {
	codec, err := callevent.Negotiate(r)
	if err != nil {
		return err
	}
	select {
	case a.executors <- struct{}{}:
		defer func() { <-a.executors }()
	default:
		return callevent.Errorf(http.StatusServiceUnavailable, "%d executors are subscribed, which is the most there can be", maxExecutors)
	}
	outbox := callevent.NewOutbox(executorOutbox)
	end, reply, err := a.Agent.SubscribeExecutor(r.Context(), call, outbox)
	if err != nil {
		return callevent.Errorf(http.StatusServiceUnavailable, "Agent is stopping")
	}
	defer end()
	if reply.Code != http.StatusOK {
		return &callevent.Error{Code: reply.Code, Text: reply.Text}
	}
	// A writer without deadlines, as in tests, has its own ways to end.
	_ = daemon.Unbounded(w)
	// Whatever ended it, the executor is the one to come back.
	_ = outbox.Serve(r.Context(), w, codec, callevent.StreamOptions{
		Heartbeat: &executorpb.Event{Type: executorpb.Event_HEARTBEAT.Enum()}, Interval: executorHeartbeat,
	})
	outbox.Close()
	return nil
}

// executorCall hands over any other call and answers with what the core replies.
func (a *api) executorCall(w http.ResponseWriter, r *http.Request, call *executorpb.Call) error {
	reply, err := a.Agent.CallExecutor(r.Context(), call)
	switch {
	case err != nil:
		return callevent.Errorf(http.StatusServiceUnavailable, "Agent is stopping")
	case reply.Code >= http.StatusBadRequest:
		return &callevent.Error{Code: reply.Code, Text: reply.Text}
	}
	callevent.WriteEmpty(w, reply.Code)
	return nil
}

// validateExecutorCall wants what a call's type names, and updates that make sense.
func validateExecutorCall(call *executorpb.Call) error {
	if why := callProblem(call); why != "" {
		return callevent.Errorf(http.StatusBadRequest, "Failed to validate Executor::Call: %s", why)
	}
	return nil
}

func callProblem(call *executorpb.Call) string {
	const expecting = "Expecting '%s' to be present"
	switch call.GetType() {
	case executorpb.Call_SUBSCRIBE:
		if call.Subscribe == nil {
			return fmt.Sprintf(expecting, "subscribe")
		}
		for _, u := range call.GetSubscribe().GetUnacknowledgedUpdates() {
			if why := statusProblem(call, u.GetStatus()); why != "" {
				return why
			}
		}
	case executorpb.Call_UPDATE:
		if call.Update == nil {
			return fmt.Sprintf(expecting, "update")
		}
		return statusProblem(call, call.GetUpdate().GetStatus())
	case executorpb.Call_MESSAGE:
		if call.Message == nil {
			return fmt.Sprintf(expecting, "message")
		}
	}
	if call.Type == nil {
		return fmt.Sprintf(expecting, "type")
	}
	return ""
}

// statusProblem is why an executor cannot say s (mesos-api 13.1).
func statusProblem(call *executorpb.Call, s *mesospb.TaskStatus) string {
	mine := call.GetExecutorId().GetValue()
	switch {
	case s.Uuid == nil:
		return "Expecting 'uuid' to be present"
	case len(s.GetUuid()) != uuidLength:
		return fmt.Sprintf("'uuid' has %d bytes, and a UUID has %d", len(s.GetUuid()), uuidLength)
	case s.ExecutorId != nil && s.GetExecutorId().GetValue() != mine:
		return fmt.Sprintf("ExecutorID in Call: %s does not match ExecutorID in TaskStatus: %s", mine, s.GetExecutorId().GetValue())
	case s.GetSource() != mesospb.TaskStatus_SOURCE_EXECUTOR:
		return fmt.Sprintf("Received Call from executor %s of framework %s with invalid source, expecting 'SOURCE_EXECUTOR'",
			mine, call.GetFrameworkId().GetValue())
	case s.GetState() == mesospb.TaskState_TASK_STAGING:
		return "Received TASK_STAGING from executor " + mine + " of framework " + call.GetFrameworkId().GetValue() + " which is not allowed"
	case s.Timestamp != nil && (math.IsNaN(s.GetTimestamp()) || math.IsInf(s.GetTimestamp(), 0)):
		return "'timestamp' is not a number"
	case s.CheckStatus != nil:
		return checkProblem(s.GetCheckStatus())
	}
	return ""
}

// checkProblem is why a result of a check is none.
func checkProblem(c *mesospb.CheckStatusInfo) string {
	const expecting = "Expecting '%s' to be set for %s check's status"
	switch {
	case c.Type == nil:
		return "CheckStatusInfo must specify 'type'"
	case c.GetType() == mesospb.CheckInfo_COMMAND && c.Command == nil:
		return fmt.Sprintf(expecting, "command", "COMMAND")
	case c.GetType() == mesospb.CheckInfo_HTTP && c.Http == nil:
		return fmt.Sprintf(expecting, "http", "HTTP")
	case c.GetType() == mesospb.CheckInfo_TCP && c.Tcp == nil:
		return fmt.Sprintf(expecting, "tcp", "TCP")
	case c.GetType() == mesospb.CheckInfo_UNKNOWN:
		return "'UNKNOWN' is not a valid check's status type"
	}
	return ""
}
