package client

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	agentpb "github.com/soukproject/souk/proto/mesos/v1/agent"
)

// execute is `souk exec`: a command in a container nested in a task's.
type execute struct {
	connection
	interactive, tty bool
	user             string
	env              []string
	operands         []string
}

func execCommand() Command {
	return Command{
		Name: "exec", Summary: "run a command beside a task, in its container",
		Usage: func() string { return new(execute).set().Usage() },
		Run: func(ctx context.Context, args, environ []string, t Terminal) error {
			e := new(execute)
			if err := e.set().Parse(args, environ); err != nil {
				return err
			}
			return e.run(ctx, t)
		},
	}
}

func (e *execute) set() *daemon.FlagSet {
	f := e.masterFlag("exec")
	f.Bool(&e.interactive, "interactive", "Hand on what is typed or piped in; also -i")
	f.Letter("i", "interactive")
	f.Bool(&e.tty, "tty", "Give the command a terminal of its own; also -t, mostly as -it")
	f.Letter("t", "tty")
	f.String(&e.user, "user", "Run as this user; default: as the agent chooses for the task")
	environmentFlag(f, &e.env)
	f.Operands(&e.operands, "TASK -- COMMAND [ARGUMENT…]")
	return f
}

// environmentFlag adds --env=NAME=VALUE.
func environmentFlag(f *daemon.FlagSet, env *[]string) {
	f.List(env, "env", "Set a variable of the environment, as NAME=VALUE; may be given several times", func(text string) error {
		_, err := variable(text)
		return err
	})
}

func (e *execute) run(ctx context.Context, t Terminal) error {
	if len(e.operands) < 2 {
		return errors.New("name one task and a command: souk exec [flags] TASK -- COMMAND [ARGUMENT…]")
	}
	var screen *os.File
	if e.tty {
		var err error
		if screen, err = terminalOf(t.In); err != nil {
			return err
		}
	}
	k, err := e.find(ctx, e.operands[0])
	if err != nil {
		return err
	}
	parent := containerOf(k)
	switch {
	case mesos.Terminal(k.GetState()):
		return fmt.Errorf("task %s has ended: %s", k.GetTaskId().GetValue(), k.GetState())
	case parent == nil:
		return fmt.Errorf("task %s has no container yet: its state is %s", k.GetTaskId().GetValue(), k.GetState())
	}
	agent, err := e.agentAddress(ctx, k.GetAgentId().GetValue())
	if err != nil {
		return err
	}
	s := &session{agent: agent, id: &mesospb.ContainerID{Value: proto.String(uuid.NewString()), Parent: parent}, terminal: t, screen: screen}
	if !e.interactive && !e.tty {
		s.terminal.In = nil
	}
	command, err := commandOf(e.operands[1:], e.env, e.user)
	if err != nil {
		return err
	}
	return s.run(ctx, command)
}

// session is one command in a container, with what connects it to a terminal.
type session struct {
	agent    agentAPI
	id       *mesospb.ContainerID
	terminal Terminal
	screen   *os.File // whose size and keys are the command's, or nil
}

// run ends with the command and its exit status.
func (s *session) run(ctx context.Context, command *mesospb.CommandInfo) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	launch := &agentpb.Call_LaunchNestedContainerSession{ContainerId: s.id, Command: command}
	if s.screen != nil {
		size, err := windowOf(s.screen)
		if err != nil {
			return err
		}
		launch.Container = &mesospb.ContainerInfo{Type: mesospb.ContainerInfo_MESOS.Enum(), TtyInfo: size}
	}
	output, err := s.agent.stream(ctx, &agentpb.Call{
		Type: agentpb.Call_LAUNCH_NESTED_CONTAINER_SESSION.Enum(), LaunchNestedContainerSession: launch,
	})
	if err != nil {
		return err
	}
	defer output.Close()
	restore, err := raw(s.screen)
	if err != nil {
		return err
	}
	defer restore()
	status := s.status(ctx)
	go s.input(ctx) // ends with ctx, or with the process when nobody types
	if err := s.print(output); err != nil {
		if ctx.Err() != nil {
			return &Exit{interrupted}
		}
		return err
	}
	return (<-status)()
}

// interrupted is what shells say of a command that Ctrl-C ended.
const interrupted = 130

// status waits beside the output for how the command ends: later the container
// may be gone.
func (s *session) status(ctx context.Context) <-chan func() error {
	how := make(chan func() error, 1)
	go func() {
		answer, err := s.agent.wait(ctx, s.id)
		how <- func() error {
			if err != nil {
				return fmt.Errorf("learn how the command ended: %w", err)
			}
			return exitOf(answer)
		}
	}()
	return how
}

// exitOf is how shells tell it: the status, or 128 and the signal.
func exitOf(w *agentpb.Response_WaitContainer) error {
	status := int(w.GetExitStatus()) // as wait(2) has it
	switch {
	case w.ExitStatus == nil:
		return fmt.Errorf("the command did not run: %s", printable(w.GetMessage()))
	case status == 0:
		return nil
	case status&0x7f != 0:
		return &Exit{128 + status&0x7f}
	}
	return &Exit{status >> 8 & 0xff}
}
