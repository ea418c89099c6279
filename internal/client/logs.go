package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/daemon"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	agentpb "github.com/soukproject/souk/proto/mesos/v1/agent"
)

const (
	pieceSize    = 64 << 10               // bytes of a file asked for at a time
	followPause  = 300 * time.Millisecond // between looks for more of a file
	presenceEach = 5                      // looks at the file for each look for the container
)

// logs is `souk logs`.
type logs struct {
	connection
	stderr, follow bool
	file           string
	tail           int
	operands       []string
}

func logsCommand() Command {
	return Command{
		Name: "logs", Summary: "print what a task has written",
		Usage: func() string { return new(logs).set().Usage() },
		Run: func(ctx context.Context, args, environ []string, t Terminal) error {
			l := new(logs)
			if err := l.set().Parse(args, environ); err != nil {
				return err
			}
			return l.run(ctx, t.Out)
		},
	}
}

func (l *logs) set() *daemon.FlagSet {
	f := l.masterFlag("logs")
	f.Bool(&l.stderr, "stderr", "Print stderr instead of stdout")
	f.Bool(&l.follow, "follow", "Go on with what is written later, until the task has ended; also -f")
	f.Letter("f", "follow")
	f.String(&l.file, "file", "Print this file of the sandbox instead")
	f.Int(&l.tail, 0, 1<<30, "bytes", "Begin so many bytes before the end; 0: at the beginning")
	f.Operands(&l.operands, "TASK")
	return f
}

func (l *logs) run(ctx context.Context, out io.Writer) error {
	name := "stdout"
	switch {
	case len(l.operands) != 1:
		return errors.New("name one task, by its id, the beginning of it, or its name: souk logs [flags] TASK")
	case l.stderr && l.file != "":
		return errors.New("flags --stderr and --file choose different files: give one")
	case l.file != "":
		name = l.file
	case l.stderr:
		name = "stderr"
	}
	k, err := l.find(ctx, l.operands[0])
	if err != nil {
		return err
	}
	agent, err := l.agentAddress(ctx, k.GetAgentId().GetValue())
	if err != nil {
		return err
	}
	file := &remoteFile{agent: agent, path: sandboxOf(k) + "/" + name}
	if l.tail > 0 {
		if err := file.end(ctx, uint64(l.tail)); err != nil {
			return file.explain(err)
		}
	}
	if err := file.copy(ctx, out); err != nil || !l.follow {
		return file.explain(quietly(ctx, err))
	}
	return file.explain(file.follow(ctx, out, presence(agent, containerOf(k))))
}

// presence tells whether a container is still there; it asks now and then.
func presence(agent agentAPI, id *mesospb.ContainerID) func(context.Context) (bool, error) {
	asked := 0
	return func(ctx context.Context) (bool, error) {
		if asked++; asked%presenceEach != 1 {
			return true, nil
		}
		answer, err := agent.ask(ctx, &agentpb.Call{
			Type:          agentpb.Call_GET_CONTAINERS.Enum(),
			GetContainers: &agentpb.Call_GetContainers{ShowNested: proto.Bool(true)},
		})
		for _, c := range answer.GetGetContainers().GetContainers() {
			if id == nil || proto.Equal(c.GetContainerId(), id) {
				return true, nil
			}
		}
		return false, err
	}
}

// A remoteFile is read from an agent, piece by piece.
type remoteFile struct {
	agent  agentAPI
	path   string
	offset uint64
}

func (f *remoteFile) explain(err error) error {
	if missing(err) {
		return fmt.Errorf("%s has no %s: it was never written, or is cleaned up", f.agent.peer(), f.path)
	}
	return err
}

// piece reads on; no bytes mean that there are none now.
func (f *remoteFile) piece(ctx context.Context, length uint64) (*agentpb.Response_ReadFile, error) {
	answer, err := f.agent.ask(ctx, &agentpb.Call{
		Type:     agentpb.Call_READ_FILE.Enum(),
		ReadFile: &agentpb.Call_ReadFile{Path: &f.path, Offset: &f.offset, Length: &length},
	})
	return answer.GetReadFile(), err
}

// end goes to some bytes before the end.
func (f *remoteFile) end(ctx context.Context, before uint64) error {
	p, err := f.piece(ctx, 0)
	if err == nil && p.GetSize() > before {
		f.offset = p.GetSize() - before
	}
	return err
}

// copy prints what there is now.
func (f *remoteFile) copy(ctx context.Context, out io.Writer) error {
	for {
		p, err := f.piece(ctx, pieceSize)
		if err != nil || len(p.GetData()) == 0 {
			return err
		}
		f.offset += uint64(len(p.GetData()))
		if _, err := out.Write(p.GetData()); err != nil {
			return err
		}
	}
}

// follow prints what there is and will be, until nobody is there who writes. A
// file that is not there yet is waited for.
func (f *remoteFile) follow(ctx context.Context, out io.Writer, writer func(context.Context) (bool, error)) error {
	for {
		there, err := writer(ctx)
		if err == nil {
			err = f.copy(ctx, out)
		}
		if !there || err != nil && !missing(err) {
			return quietly(ctx, err)
		}
		select {
		case <-time.After(followPause):
		case <-ctx.Done():
			return nil
		}
	}
}

// quietly leaves out the error of a user who pressed Ctrl-C.
func quietly(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
