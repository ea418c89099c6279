package agent

import (
	"errors"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/agent/sandbox"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
)

// perform begins an effect. Nothing here waits.
func (l *loop) perform(e core.Effect) {
	switch e := e.(type) {
	case core.Checkpoint:
		l.agent.writer.pending.put(e)
	case core.Launch:
		l.agent.files.SetAgent(string(e.Run.Agent))
		l.agent.boxes.launch(e)
	case core.Resize:
		l.agent.boxes.resize(string(e.Container), containerizer.Limits(e.Limits))
	case core.Probe:
		l.agent.boxes.probe(e)
	case core.Reply:
		l.executors.reply(e)
	case core.Tell:
		l.executors.tell(e)
	case core.HangUp:
		l.executors.hangUp(e.Stream)
	case core.Abort:
		l.agent.boxes.abort(string(e.Container))
	case core.Await:
		l.agent.boxes.await(string(e.Container))
	case core.SendSignal:
		l.agent.boxes.signal(string(e.Container), signal(e.Signal))
	case core.Destroy:
		l.agent.boxes.destroy(string(e.Container))
	case core.PrepareVolumes:
		l.agent.persistence.jobs.put(e)
	case core.Subscribe:
		l.answer(e.Session, e.Subscribe)
	case core.Send:
		if e.Session == l.sessionID {
			l.session.Send(e.Message)
		}
	case core.Disconnect:
		l.log.Warn("leaving master", zap.String("reason", e.Why))
		l.answer(e.Session, nil)
		if e.Session == l.sessionID {
			l.session.Close(errors.New(e.Why))
		}
	case core.CollectGarbage:
		l.agent.collector.Add(sandboxRun(e.Run), time.Now())
	case core.Exit:
		l.exit = errors.New(e.Why)
	case core.Refused:
		level := zap.InfoLevel
		if e.What == core.KeptResources {
			level = zap.WarnLevel
		}
		l.log.Log(level, "refused", zap.String("what", e.What), zap.String("id", e.ID), zap.String("reason", e.Why))
	default:
		panic("agent: unknown effect")
	}
}

// answer gives an attempt to connect what it waits for.
func (l *loop) answer(id core.Session, s *linkpb.Subscribe) {
	if id != l.sessionID || l.subscribe == nil {
		return
	}
	l.subscribe <- s
	l.subscribe = nil
}

func signal(s core.Signal) syscall.Signal {
	if s == core.Kill {
		return syscall.SIGKILL
	}
	return syscall.SIGTERM
}

func sandboxRun(r core.Run) sandbox.Run {
	outer, inner := r.Container.Split()
	if outer == "" {
		return sandbox.Run{Agent: string(r.Agent), Framework: string(r.Framework), Executor: string(r.Executor), Container: string(inner)}
	}
	return sandbox.Run{
		Agent: string(r.Agent), Framework: string(r.Framework), Executor: string(r.Executor), Container: string(outer), Nested: string(inner),
	}
}
