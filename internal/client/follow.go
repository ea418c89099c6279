package client

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// lastWords is how long the rest of the output may take once the task has ended.
const lastWords = 30 * time.Second

// ended tells the last status of a task.
func ended(u *mesospb.TaskStatus) bool { return mesos.Terminal(u.GetState()) }

// followers copy what the task of a run writes while it runs.
type followers struct {
	r       *run
	once    sync.Once
	cancel  context.CancelFunc
	ended   chan struct{}
	workers sync.WaitGroup
}

// begin follows the task that got a container; once is enough.
func (f *followers) begin(ctx context.Context) {
	f.once.Do(func() {
		ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx)) // it outlives the subscription
		f.ended = make(chan struct{})
		f.workers.Go(func() {
			if err := f.both(ctx); err != nil {
				f.r.complain(err)
			}
		})
	})
}

// both follows stdout and stderr.
func (f *followers) both(ctx context.Context) error {
	agent, err := f.r.agentAddress(ctx, f.r.task.GetAgentId().GetValue())
	if err != nil {
		return err
	}
	sandbox := sandboxOf(&mesospb.Task{
		FrameworkId: &mesospb.FrameworkID{Value: new(f.r.session.FrameworkID())}, TaskId: f.r.task.GetTaskId(),
	})
	f.workers.Go(func() { f.one(ctx, &remoteFile{agent: agent, path: sandbox + "/stderr"}, f.r.terminal.Err) })
	f.one(ctx, &remoteFile{agent: agent, path: sandbox + "/stdout"}, f.r.terminal.Out)
	return nil
}

func (f *followers) one(ctx context.Context, file *remoteFile, out io.Writer) {
	err := file.follow(ctx, out, func(context.Context) (bool, error) {
		select {
		case <-f.ended:
			return false, nil
		default:
			return true, nil
		}
	})
	if err != nil {
		f.r.complain(file.explain(err))
	}
}

// finish waits for the rest of the output of a task that has ended.
func (f *followers) finish() {
	f.once.Do(func() {}) // nothing begins from now on
	if f.cancel == nil {
		return
	}
	close(f.ended)
	impatient := time.AfterFunc(lastWords, f.cancel)
	f.workers.Wait()
	impatient.Stop()
	f.cancel()
}
