package agent

import (
	"context"

	"github.com/soukproject/souk/agent/api"
	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/internal/callevent"
	executorpb "github.com/soukproject/souk/proto/mesos/v1/executor"
)

// executors are the streams of executors and the calls that wait for an answer.
// They are the loop's goroutine's.
type executors struct {
	streams map[core.Stream]*callevent.Outbox
	waiting map[core.Stream]chan<- core.Reply
}

func newExecutors() executors {
	return executors{streams: make(map[core.Stream]*callevent.Outbox), waiting: make(map[core.Stream]chan<- core.Reply)}
}

func (x *executors) reply(e core.Reply) {
	if answer, ok := x.waiting[e.Stream]; ok {
		answer <- e
		delete(x.waiting, e.Stream)
	}
}

func (x *executors) tell(e core.Tell) {
	if outbox := x.streams[e.Stream]; outbox != nil {
		outbox.Send(e.Event)
	}
}

func (x *executors) hangUp(id core.Stream) {
	if outbox := x.streams[id]; outbox != nil {
		outbox.Close()
	}
}

// closeAll ends every stream. No input is taken any more.
func (x *executors) closeAll() {
	for _, outbox := range x.streams {
		outbox.Close()
	}
}

// SubscribeExecutor implements api.Agent.
func (a *agent) SubscribeExecutor(ctx context.Context, call *executorpb.Call, outbox *callevent.Outbox) (api.ExecutorStream, core.Reply, error) {
	l := a.loop
	id := core.Stream(l.requests.Add(1))
	answer := make(chan core.Reply, 1)
	open := func() { l.executors.streams[id], l.executors.waiting[id] = outbox, answer }
	if err := l.put(ctx, input{do: open, event: core.ExecutorSubscribed{Stream: id, Call: call}}); err != nil {
		return nil, core.Reply{}, err
	}
	end := func() {
		// Only a loop that has ended refuses, and then there is nobody to be told.
		_ = l.put(context.Background(), input{do: func() { delete(l.executors.streams, id) }, event: core.ExecutorDisconnected{Stream: id}})
	}
	reply, err := await(ctx, l, answer)
	if err != nil {
		end()
		return nil, reply, err
	}
	return end, reply, nil
}

// CallExecutor implements api.Agent.
func (a *agent) CallExecutor(ctx context.Context, call *executorpb.Call) (core.Reply, error) {
	l := a.loop
	id := core.Stream(l.requests.Add(1))
	answer := make(chan core.Reply, 1)
	wait := func() { l.executors.waiting[id] = answer }
	if err := l.put(ctx, input{do: wait, event: core.ExecutorCalled{Request: id, Call: call}}); err != nil {
		return core.Reply{}, err
	}
	return await(ctx, l, answer)
}

// await waits for an answer to an input that was put.
func await(ctx context.Context, l *loop, answer <-chan core.Reply) (core.Reply, error) {
	select {
	case reply := <-answer:
		return reply, nil
	case <-l.ended:
		return core.Reply{}, errEnded
	case <-ctx.Done():
		return core.Reply{}, ctx.Err()
	}
}
