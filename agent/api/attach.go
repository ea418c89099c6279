package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"syscall"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/nested"
	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/recordio"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	agentpb "github.com/soukproject/souk/proto/mesos/v1/agent"
)

// ioHeartbeat is how often a silent stream of output says that it is alive.
const ioHeartbeat = 30 * time.Second

// streaming is what answers a call with a stream, or nil for other calls.
func (a *api) streaming(call *agentpb.Call) func(*http.Request, *processStream) error {
	n, _ := nestedCallOf(call)
	switch call.GetType() {
	case agentpb.Call_LAUNCH_NESTED_CONTAINER_SESSION:
		return func(r *http.Request, s *processStream) error { return a.session(r.Context(), n, s) }
	case agentpb.Call_ATTACH_CONTAINER_OUTPUT:
		return func(r *http.Request, s *processStream) error { return a.attachOutput(r.Context(), nameOf(n.id), s) }
	case agentpb.Call_ATTACH_CONTAINER_INPUT:
		return func(*http.Request, *processStream) error {
			return callevent.Errorf(http.StatusUnsupportedMediaType, "Expecting 'Content-Type' to be application/recordio for ATTACH_CONTAINER_INPUT call")
		}
	}
	return nil
}

// session runs a container for as long as somebody listens.
func (a *api) session(ctx context.Context, n nestedCall, s *processStream) error {
	launched, err := a.launchNested(ctx, n)
	if err != nil {
		return err
	}
	id := nameOf(n.id)
	if !launched {
		callevent.WriteEmpty(s.w, http.StatusAccepted)
		return nil
	}
	defer func() {
		err := a.Nested.Kill(context.WithoutCancel(ctx), id, syscall.SIGKILL)
		_ = err // it has ended, or the next attempt to remove it tells
	}()
	return s.serve(ctx, func(ctx context.Context, emit func(bool, []byte) error) error {
		return a.Nested.Follow(ctx, id, true, emit)
	})
}

// attachable says why input or output of a container cannot be attached to.
func (a *api) attachable(ctx context.Context, id nested.ID) error {
	c, err := a.Nested.Get(ctx, id)
	if err == nil && c.Interactive() {
		return nil
	}
	if err != nil {
		s, err := a.Agent.Snapshot(ctx)
		if _, ok := executorIn(s, id[0]); err != nil || !ok || len(id) > 1 {
			return callevent.Errorf(http.StatusInternalServerError, "Unknown container %s", id)
		}
	}
	return callevent.Errorf(http.StatusInternalServerError, "I/O switchboard server was disabled for this container")
}

func (a *api) attachOutput(ctx context.Context, id nested.ID, s *processStream) error {
	if err := a.attachable(ctx, id); err != nil {
		return err
	}
	return s.serve(ctx, func(ctx context.Context, emit func(bool, []byte) error) error {
		return a.Nested.Follow(ctx, id, false, emit)
	})
}

// attachInput feeds a container what comes in a streaming request.
func (a *api) attachInput(w http.ResponseWriter, r *http.Request) error {
	stream, err := callevent.ReadStream(r, 0)
	if err != nil {
		return err
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // a user may think for hours
	first := &agentpb.Call{}
	if err := stream.Next(first); err != nil {
		if err == io.EOF {
			return callevent.Errorf(http.StatusBadRequest, "Received EOF while reading request body")
		}
		return err
	}
	if first.GetType() != agentpb.Call_ATTACH_CONTAINER_INPUT {
		return callevent.Errorf(http.StatusUnsupportedMediaType, "Streaming 'Content-Type' application/recordio is not supported for %s call", first.GetType())
	}
	call := first.GetAttachContainerInput()
	switch {
	case call == nil:
		return invalid("Expecting 'attach_container_input' to be present")
	case call.GetType() != agentpb.Call_AttachContainerInput_CONTAINER_ID:
		return callevent.Errorf(http.StatusBadRequest, "Expecting 'attach_container_input.type' to be CONTAINER_ID")
	}
	if err := checkContainerID(call.GetContainerId()); err != nil {
		return invalid("'attach_container_input.container_id' is invalid: %v", err)
	}
	id := nameOf(call.GetContainerId())
	if err := a.attachable(r.Context(), id); err != nil {
		return err
	}
	return a.feed(r.Context(), id, stream)
}

func (a *api) feed(ctx context.Context, id nested.ID, stream *callevent.CallStream) error {
	for {
		call := &agentpb.Call{}
		err := stream.Next(call)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		io := call.GetAttachContainerInput().GetProcessIo()
		switch {
		case io.GetType() == agentpb.ProcessIO_DATA && io.GetData().GetType() == agentpb.ProcessIO_Data_STDIN:
			err = a.Nested.Input(ctx, id, io.GetData().GetData())
		case io.GetType() == agentpb.ProcessIO_CONTROL && io.GetControl().GetTtyInfo() != nil:
			err = a.Nested.Resize(ctx, id, *window(io.GetControl().GetTtyInfo()))
		case io.GetType() == agentpb.ProcessIO_CONTROL:
		default:
			return callevent.Errorf(http.StatusBadRequest, "Expecting 'attach_container_input.process_io' to be data of STDIN or control")
		}
		if errors.Is(err, containerizer.ErrNoInput) || errors.Is(err, containerizer.ErrUnknown) {
			return callevent.Errorf(http.StatusInternalServerError, "Container %s reads no input: %v", id, errors.Unwrap(err))
		}
		if err != nil {
			return err
		}
	}
}

// A processStream is an answer that is a stream of what processes write. A reader
// that does not keep up slows the writer of nobody but itself: output is in files.
type processStream struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	codec    callevent.Codec
	recordIO bool

	mu   sync.Mutex
	last time.Time
}

func newProcessStream(w http.ResponseWriter, codec callevent.Codec, recordIO bool) *processStream {
	return &processStream{w: w, control: http.NewResponseController(w), codec: codec, recordIO: recordIO}
}

// serve streams until follow has no more, with heartbeats between.
func (s *processStream) serve(ctx context.Context, follow func(context.Context, func(bool, []byte) error) error) error {
	s.w.Header().Set("Content-Type", s.codec.MediaType())
	if s.recordIO {
		s.w.Header().Set("Content-Type", "application/recordio")
		s.w.Header().Set("Message-Content-Type", s.codec.MediaType())
	}
	s.w.WriteHeader(http.StatusOK)
	_ = s.control.Flush()
	ctx, cancel := context.WithCancel(ctx)
	var beats sync.WaitGroup
	defer beats.Wait()
	defer cancel()
	beats.Go(func() { s.beat(ctx, cancel) })
	_ = follow(ctx, func(stderr bool, data []byte) error {
		kind := agentpb.ProcessIO_Data_STDOUT
		if stderr {
			kind = agentpb.ProcessIO_Data_STDERR
		}
		return s.send(&agentpb.ProcessIO{
			Type: agentpb.ProcessIO_DATA.Enum(), Data: &agentpb.ProcessIO_Data{Type: kind.Enum(), Data: data},
		})
	})
	return nil // the status is sent; the end of the stream says the rest
}

func (s *processStream) beat(ctx context.Context, give func()) {
	ticker := time.NewTicker(ioHeartbeat)
	defer ticker.Stop()
	message := &agentpb.ProcessIO{Type: agentpb.ProcessIO_CONTROL.Enum(), Control: &agentpb.ProcessIO_Control{
		Type:      agentpb.ProcessIO_Control_HEARTBEAT.Enum(),
		Heartbeat: &agentpb.ProcessIO_Control_Heartbeat{Interval: &mesospb.DurationInfo{Nanoseconds: new(int64(ioHeartbeat))}},
	}}
	for {
		select {
		case <-ticker.C:
			if s.send(message) != nil {
				give()
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func (s *processStream) send(m proto.Message) error {
	data, err := callevent.Marshal(s.codec, m)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.control.SetWriteDeadline(time.Now().Add(callevent.DefaultWriteTimeout))
	if _, err := s.w.Write(recordio.Append(nil, data)); err != nil {
		return err
	}
	return s.control.Flush()
}
