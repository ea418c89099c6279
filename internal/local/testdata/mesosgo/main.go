// Command mesosgo is a scheduler on the v1 library of mesos-go, for a test: it runs
// one command, acknowledges what it is told, looks at the task through the operator
// APIs of the master and the agent, and prints each thing it learns.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/agent"
	agentcalls "github.com/mesos/mesos-go/api/v1/lib/agent/calls"
	"github.com/mesos/mesos-go/api/v1/lib/encoding"
	"github.com/mesos/mesos-go/api/v1/lib/encoding/codecs"
	"github.com/mesos/mesos-go/api/v1/lib/extras/scheduler/callrules"
	"github.com/mesos/mesos-go/api/v1/lib/extras/scheduler/controller"
	"github.com/mesos/mesos-go/api/v1/lib/extras/scheduler/eventrules"
	"github.com/mesos/mesos-go/api/v1/lib/extras/store"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpagent"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpmaster"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpsched"
	"github.com/mesos/mesos-go/api/v1/lib/master"
	mastercalls "github.com/mesos/mesos-go/api/v1/lib/master/calls"
	"github.com/mesos/mesos-go/api/v1/lib/resources"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/calls"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/events"
)

// A program runs one command and is over.
type program struct {
	master, user, command string
	agent                 string // URL of the agent's operator API, from the offer
	codec                 encoding.Codec
	caller                calls.Caller
	id                    store.Singleton
	launched              bool
	end                   context.CancelFunc
}

func main() {
	p := program{id: store.NewInMemorySingleton(), codec: codecs.ByMediaType[codecs.MediaTypeJSON]}
	flag.StringVar(&p.master, "master", "", "URL of the master")
	flag.StringVar(&p.user, "user", "root", "who runs the command")
	flag.StringVar(&p.command, "command", "sleep 1", "what to run")
	protobuf := flag.Bool("protobuf", false, "speak protobuf, not JSON")
	flag.Parse()
	if *protobuf {
		p.codec = codecs.ByMediaType[codecs.MediaTypeProtobuf]
	}
	if err := p.run(); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func (p *program) client(path string) *httpcli.Client {
	return httpcli.New(httpcli.Endpoint(path), httpcli.Codec(p.codec), httpcli.Do(httpcli.With(httpcli.Timeout(0))))
}

func (p *program) run() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p.end = cancel
	p.caller = callrules.New(callrules.WithFrameworkID(store.GetIgnoreErrors(p.id))).
		Caller(httpsched.NewCaller(p.client(p.master + "/api/v1/scheduler")))
	once := make(chan struct{}, 1)
	once <- struct{}{}
	close(once)
	err := controller.Run(ctx, &mesos.FrameworkInfo{User: p.user, Name: "mesosgo", Checkpoint: new(bool)}, p.caller,
		controller.WithEventHandler(p.handler()),
		controller.WithFrameworkID(store.GetIgnoreErrors(p.id)),
		controller.WithRegistrationTokens(once),
		controller.WithSubscriptionTerminated(func(err error) {
			if err != nil {
				fmt.Println("stream ended:", err)
			}
		}),
	)
	switch {
	case err != nil && ctx.Err() == nil:
		return err
	case !errors.Is(ctx.Err(), context.Canceled):
		return errors.New("over before the task was")
	}
	return nil // the framework goes with its stream
}

func (p *program) handler() events.Handler {
	return eventrules.New(controller.LiftErrors().DropOnError()).Handle(events.Handlers{
		scheduler.Event_SUBSCRIBED: eventrules.New(
			controller.TrackSubscription(p.id, time.Minute),
			eventrules.HandleF(func(_ context.Context, e *scheduler.Event) error {
				fmt.Println("SUBSCRIBED, heartbeat", e.GetSubscribed().GetHeartbeatIntervalSeconds())
				return nil
			})),
		scheduler.Event_HEARTBEAT: events.HandlerFunc(func(context.Context, *scheduler.Event) error {
			fmt.Println("HEARTBEAT")
			return nil
		}),
		scheduler.Event_OFFERS: events.HandlerFunc(p.offers),
		scheduler.Event_UPDATE: controller.AckStatusUpdates(p.caller).AndThen().HandleF(p.update),
	})
}

// offers launches the task on the first offer that has room, and declines others.
func (p *program) offers(ctx context.Context, e *scheduler.Event) error {
	want := mesos.Resources{resources.NewCPUs(0.1).Resource, resources.NewMemory(32).Resource}
	for _, o := range e.GetOffers().GetOffers() {
		call := calls.Decline(o.ID).With(calls.RefuseSeconds(time.Hour))
		if !p.launched && resources.ContainsAll(resources.Flatten(o.Resources), want) {
			p.launched = true
			address := o.GetURL().GetAddress()
			p.agent = fmt.Sprintf("http://%s:%d/api/v1", address.GetIP(), address.GetPort())
			task := mesos.TaskInfo{
				Name: "one", TaskID: mesos.TaskID{Value: "one"}, AgentID: o.AgentID, Resources: want,
				Command: &mesos.CommandInfo{Value: &p.command},
			}
			call = calls.Accept(calls.OfferOperations{calls.OpLaunch(task)}.WithOffers(o.ID)).With(calls.RefuseSeconds(time.Hour))
		}
		if err := calls.CallNoData(ctx, p.caller, call); err != nil {
			return err
		}
	}
	return nil
}

// update prints what became of the task; the end of the task is the end of the program.
func (p *program) update(ctx context.Context, e *scheduler.Event) error {
	status := e.GetUpdate().GetStatus()
	fmt.Println(status.GetState(), status.GetMessage())
	switch status.GetState() {
	case mesos.TASK_RUNNING:
		if err := p.look(ctx); err != nil {
			return fmt.Errorf("look: %w", err)
		}
	case mesos.TASK_FINISHED, mesos.TASK_FAILED, mesos.TASK_ERROR, mesos.TASK_LOST, mesos.TASK_KILLED:
		p.end()
	}
	return nil
}

// look finds the task in the answers of its master and its agent. It asks for tasks
// only: in JSON this library takes no agent with a capability younger than itself.
func (p *program) look(ctx context.Context) error {
	resp, err := httpmaster.NewSender(p.client(p.master+"/api/v1").Send).Send(ctx, mastercalls.NonStreaming(mastercalls.GetTasks()))
	if err != nil {
		return err
	}
	defer resp.Close()
	var answer master.Response
	if err := resp.Decode(&answer); err != nil {
		return err
	}
	fmt.Println("master knows", len(answer.GetGetTasks().GetTasks()), "tasks")
	return p.lookAtAgent(ctx)
}

func (p *program) lookAtAgent(ctx context.Context) error {
	resp, err := httpagent.NewSender(p.client(p.agent).Send).Send(ctx, agentcalls.NonStreaming(agentcalls.GetTasks()))
	if err != nil {
		return err
	}
	defer resp.Close()
	var answer agent.Response
	if err := resp.Decode(&answer); err != nil {
		return err
	}
	for _, t := range answer.GetGetTasks().GetLaunchedTasks() {
		if t.GetName() == "one" {
			fmt.Println("agent runs", t.GetName())
		}
	}
	return nil
}
