package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/recordio"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	agentpb "github.com/soukproject/souk/proto/mesos/v1/agent"
)

const (
	mediaStream   = "application/recordio"
	inputPiece    = 32 << 10 // bytes of input in one message
	inputBeat     = 30 * time.Second
	maxErrorText  = 64 << 10
	streamMessage = "Message-Accept"
)

// An outputStream is what a container writes.
type outputStream struct {
	body    io.ReadCloser
	records *recordio.Reader
}

// Close ends the stream, and a session with it.
func (o *outputStream) Close() error { return o.body.Close() }

func (o *outputStream) next() (*agentpb.ProcessIO, error) {
	record, err := o.records.Next()
	if err != nil {
		return nil, err
	}
	m := &agentpb.ProcessIO{}
	return m, callevent.Unmarshal(callevent.Protobuf, record, m)
}

// stream makes a call that is answered by output.
func (a agentAPI) stream(ctx context.Context, call *agentpb.Call) (*outputStream, error) {
	req, err := post(a.address, call, callevent.Protobuf)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", mediaStream)
	req.Header.Set(streamMessage, callevent.Protobuf.MediaType())
	resp, err := a.http.Do(req.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w: %s", a.peer(), cause(err), agentRemedy)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, a.refused(resp)
	}
	return &outputStream{resp.Body, recordio.NewReader(resp.Body, callevent.DefaultMaxRecord)}, nil
}

func (a agentAPI) refused(resp *http.Response) error {
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorText))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", a.peer(), err)
	}
	return refused(a.peer(), resp.StatusCode, text)
}

// wait returns once a container has ended, however long that takes.
func (a agentAPI) wait(ctx context.Context, id *mesospb.ContainerID) (*agentpb.Response_WaitContainer, error) {
	req, err := post(a.address, &agentpb.Call{
		Type: agentpb.Call_WAIT_CONTAINER.Enum(), WaitContainer: &agentpb.Call_WaitContainer{ContainerId: id},
	}, callevent.Protobuf)
	if err != nil {
		return nil, err
	}
	resp, err := a.http.Do(req.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", a.peer(), cause(err))
	}
	if resp.StatusCode != http.StatusOK {
		return nil, a.refused(resp)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", a.peer(), err)
	}
	answer := &agentpb.Response{}
	if err := callevent.Unmarshal(callevent.Protobuf, body, answer); err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", a.peer(), err)
	}
	return answer.GetWaitContainer(), nil
}

// print copies output until there will be no more.
func (s *session) print(output *outputStream) error {
	for {
		m, err := output.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the output of the command: %w", err)
		}
		out := s.terminal.Out
		if m.GetData().GetType() == agentpb.ProcessIO_Data_STDERR {
			out = s.terminal.Err
		}
		if _, err := out.Write(m.GetData().GetData()); err != nil {
			return err
		}
	}
}

// input feeds the command what is typed, and tells it how large the window is.
// It has no error: a command that has ended, or reads no more, is none.
func (s *session) input(ctx context.Context) {
	reader, writer := io.Pipe()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.agent.address+"/api/v1", reader)
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", mediaStream)
	req.Header.Set("Message-Content-Type", callevent.Protobuf.MediaType())
	req.Header.Set("Accept", callevent.Protobuf.MediaType())
	go func() { writer.CloseWithError(s.feed(ctx, writer)) }()
	if resp, err := s.agent.http.Do(req); err == nil {
		resp.Body.Close()
	}
	reader.Close() // feed need not go on
}

// feed writes the messages of the input's stream.
func (s *session) feed(ctx context.Context, w io.Writer) error {
	first := &agentpb.Call_AttachContainerInput{Type: agentpb.Call_AttachContainerInput_CONTAINER_ID.Enum(), ContainerId: s.id}
	if err := writeInput(w, first); err != nil {
		return err
	}
	sizes, stop := resizes(s.screen)
	defer stop()
	beat := time.NewTicker(inputBeat)
	defer beat.Stop()
	keys := pieces(ctx, s.terminal.In)
	for {
		var m *agentpb.ProcessIO
		select {
		case data, ok := <-keys:
			m = stdin(data) // nothing at the end: that is how the end is said
			if !ok {
				keys = nil
			}
		case <-sizes:
			size, err := windowOf(s.screen)
			if err != nil {
				continue
			}
			m = control(&agentpb.ProcessIO_Control{Type: agentpb.ProcessIO_Control_TTY_INFO.Enum(), TtyInfo: size})
		case <-beat.C:
			m = control(&agentpb.ProcessIO_Control{
				Type:      agentpb.ProcessIO_Control_HEARTBEAT.Enum(),
				Heartbeat: &agentpb.ProcessIO_Control_Heartbeat{Interval: &mesospb.DurationInfo{Nanoseconds: new(int64(inputBeat))}},
			})
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := writeInput(w, &agentpb.Call_AttachContainerInput{
			Type: agentpb.Call_AttachContainerInput_PROCESS_IO.Enum(), ProcessIo: m,
		}); err != nil {
			return err
		}
		if keys == nil && s.screen == nil {
			return nil // nothing more to say
		}
	}
}

func stdin(data []byte) *agentpb.ProcessIO {
	return &agentpb.ProcessIO{
		Type: agentpb.ProcessIO_DATA.Enum(), Data: &agentpb.ProcessIO_Data{Type: agentpb.ProcessIO_Data_STDIN.Enum(), Data: data},
	}
}

func control(c *agentpb.ProcessIO_Control) *agentpb.ProcessIO {
	return &agentpb.ProcessIO{Type: agentpb.ProcessIO_CONTROL.Enum(), Control: c}
}

func writeInput(w io.Writer, input *agentpb.Call_AttachContainerInput) error {
	record, err := callevent.Marshal(callevent.Protobuf, &agentpb.Call{
		Type: agentpb.Call_ATTACH_CONTAINER_INPUT.Enum(), AttachContainerInput: input,
	})
	if err != nil {
		return err
	}
	_, err = w.Write(recordio.Append(nil, record))
	return err
}

// pieces reads in until its end or ctx's, and closes the channel then; nil in is at its end.
func pieces(ctx context.Context, in io.Reader) <-chan []byte {
	c := make(chan []byte)
	go func() {
		defer close(c)
		for in != nil {
			b := make([]byte, inputPiece)
			n, err := in.Read(b)
			if n > 0 {
				select {
				case c <- b[:n]:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	return c
}

// commandOf is a command line to run as it is, without a shell.
func commandOf(words, env []string, user string) (*mesospb.CommandInfo, error) {
	c := &mesospb.CommandInfo{Shell: proto.Bool(false), Value: &words[0], Arguments: words}
	if user != "" {
		c.User = &user
	}
	if len(env) > 0 {
		c.Environment = &mesospb.Environment{}
	}
	for _, text := range env {
		v, err := variable(text)
		if err != nil {
			return nil, err
		}
		c.Environment.Variables = append(c.Environment.Variables, v)
	}
	return c, nil
}
