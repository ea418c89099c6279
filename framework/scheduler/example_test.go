package scheduler_test

import (
	"context"
	"fmt"
	"log"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/framework/scheduler"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// once launches one task and is done when it has ended.
type once struct{ task *mesospb.TaskInfo }

func (o once) Subscribed(context.Context, *scheduler.Session) error { return nil }

func (o once) Offers(ctx context.Context, s *scheduler.Session, offers []*mesospb.Offer) error {
	o.task.AgentId = offers[0].GetAgentId()
	if err := s.Accept(ctx, scheduler.OfferIDs(offers[0]), nil, scheduler.Launch(o.task)); err != nil {
		return err
	}
	return s.Suppress(ctx)
}

func (o once) Update(ctx context.Context, s *scheduler.Session, u *mesospb.TaskStatus) error {
	fmt.Println(u.GetState())
	if u.GetState() == mesospb.TaskState_TASK_FINISHED {
		return s.Teardown(ctx)
	}
	return nil
}

func ExampleRun() {
	task := &mesospb.TaskInfo{
		Name: proto.String("hello"), TaskId: &mesospb.TaskID{Value: proto.String("hello-1")},
		Command: &mesospb.CommandInfo{Value: proto.String("echo hello")},
	}
	err := scheduler.Run(context.Background(), scheduler.Config{
		Master:    "127.0.0.1:5050",
		Framework: &mesospb.FrameworkInfo{Name: proto.String("once"), User: proto.String("nobody")},
	}, once{task})
	if err != nil {
		log.Fatal(err)
	}
}
