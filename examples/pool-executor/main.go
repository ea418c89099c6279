// Command pool-executor is an executor that runs the shell command in each task's
// data as a process of its own, all in one container. The framework in ../pool
// uses it. It shows a whole executor on one screen.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/soukproject/souk/framework/executor"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// pool runs commands until it is told to shut down.
type pool struct {
	mu      sync.Mutex
	running map[string]*job
	ended   sync.WaitGroup
}

type job struct {
	command *exec.Cmd
	killed  bool
}

// Launch starts a task's command. Its process group is its own, so that all of it can be ended.
func (p *pool) Launch(_ context.Context, s *executor.Session, task *mesospb.TaskInfo) error {
	c := exec.Command("/bin/sh", "-c", string(task.GetData()))
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.Env = append(os.Environ(), "TASK_ID="+task.GetTaskId().GetValue())
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		report(s, task.GetTaskId(), mesospb.TaskState_TASK_FAILED, err.Error())
		return nil
	}
	j := &job{command: c}
	p.mu.Lock()
	p.running[task.GetTaskId().GetValue()] = j
	p.mu.Unlock()
	report(s, task.GetTaskId(), mesospb.TaskState_TASK_RUNNING, "")
	p.ended.Go(func() { p.wait(s, task.GetTaskId(), j) })
	return nil
}

// wait reports how a command ends.
func (p *pool) wait(s *executor.Session, id *mesospb.TaskID, j *job) {
	err := j.command.Wait()
	p.mu.Lock()
	delete(p.running, id.GetValue())
	killed := j.killed
	p.mu.Unlock()
	state := mesospb.TaskState_TASK_FINISHED
	switch {
	case killed:
		state = mesospb.TaskState_TASK_KILLED
	case err != nil:
		state = mesospb.TaskState_TASK_FAILED
	}
	report(s, id, state, fmt.Sprint("Command ended: ", j.command.ProcessState))
}

// Kill asks a command to end, and makes it end after its grace period.
func (p *pool) Kill(_ context.Context, _ *executor.Session, id *mesospb.TaskID, policy *mesospb.KillPolicy) error {
	grace := 3 * time.Second
	if g := policy.GetGracePeriod(); g != nil {
		grace = time.Duration(g.GetNanoseconds())
	}
	p.signal(id.GetValue(), syscall.SIGTERM)
	time.AfterFunc(grace, func() { p.signal(id.GetValue(), syscall.SIGKILL) })
	return nil
}

func (p *pool) signal(id string, sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if j := p.running[id]; j != nil {
		j.killed = true
		// It may have ended already.
		_ = syscall.Kill(-j.command.Process.Pid, sig)
	}
}

// Message echoes what the scheduler says, with the number of commands that run.
func (p *pool) Message(ctx context.Context, s *executor.Session, data []byte) error {
	p.mu.Lock()
	n := len(p.running)
	p.mu.Unlock()
	err := s.Message(ctx, fmt.Appendf(nil, "%s: %d running", data, n))
	if errors.Is(err, executor.ErrDisconnected) {
		return nil
	}
	return err
}

// Shutdown ends all commands.
func (p *pool) Shutdown(context.Context, *executor.Session) error {
	p.mu.Lock()
	var ids []string
	for id := range p.running {
		ids = append(ids, id)
	}
	p.mu.Unlock()
	for _, id := range ids {
		p.signal(id, syscall.SIGKILL)
	}
	p.ended.Wait()
	return nil
}

func report(s *executor.Session, id *mesospb.TaskID, state mesospb.TaskState, message string) {
	s.Update(&mesospb.TaskStatus{TaskId: id, State: state.Enum(), Message: &message})
}

func main() {
	cfg, err := executor.FromEnvironment(os.LookupEnv)
	if err != nil {
		log.Fatal(err)
	}
	if err := executor.Run(context.Background(), cfg, &pool{running: map[string]*job{}}); err != nil {
		log.Fatal("pool-executor: ", err)
	}
}
