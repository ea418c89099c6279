// Command run-copies runs a command a number of times on a cluster and waits
// for all of them to end. It exits with 1 if any failed. It shows a whole
// framework on one screen.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"

	"github.com/soukproject/souk/framework/scheduler"
	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// copies is the framework: how many copies are to be launched, and how those
// that were are doing.
type copies struct {
	command                 string
	cpus, mem               float64
	ended                   map[string]bool
	total, launched, failed int
}

func (c *copies) Subscribed(ctx context.Context, s *scheduler.Session) error { return s.Reconcile(ctx) }

// Offers fills each offer with as many copies as fit.
func (c *copies) Offers(ctx context.Context, s *scheduler.Session, offers []*mesospb.Offer) error {
	for _, o := range offers {
		var tasks []*mesospb.TaskInfo
		cpus, mem := scalar(o, "cpus"), scalar(o, "mem")
		for ; c.launched < c.total && cpus >= c.cpus && mem >= c.mem; cpus, mem = cpus-c.cpus, mem-c.mem {
			c.launched++
			tasks = append(tasks, &mesospb.TaskInfo{
				Name: new("copy"), TaskId: &mesospb.TaskID{Value: new(fmt.Sprint("copy-", c.launched))}, AgentId: o.AgentId,
				Command:   &mesospb.CommandInfo{Value: &c.command},
				Resources: []*mesospb.Resource{resource("cpus", c.cpus), resource("mem", c.mem)},
			})
		}
		if err := s.Accept(ctx, scheduler.OfferIDs(o), nil, scheduler.Launch(tasks...)); err != nil {
			return err
		}
	}
	return nil
}

// Update may see a state twice; it counts once.
func (c *copies) Update(ctx context.Context, s *scheduler.Session, u *mesospb.TaskStatus) error {
	id := u.GetTaskId().GetValue()
	if c.ended[id] || !mesos.Terminal(u.GetState()) {
		return nil
	}
	fmt.Println(id, "ended:", u.GetState(), u.GetMessage())
	c.ended[id] = true
	if u.GetState() != mesospb.TaskState_TASK_FINISHED {
		c.failed++
	}
	if len(c.ended) == c.total {
		return s.Teardown(ctx)
	}
	return nil
}

func scalar(o *mesospb.Offer, name string) (sum float64) {
	for _, r := range o.GetResources() {
		if r.GetName() == name {
			sum += r.GetScalar().GetValue()
		}
	}
	return sum
}

func resource(name string, v float64) *mesospb.Resource {
	return &mesospb.Resource{Name: &name, Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: &v}}
}

func main() {
	c := &copies{ended: map[string]bool{}}
	master := flag.String("master", "127.0.0.1:5050", "address of the master")
	user := flag.String("user", os.Getenv("USER"), "user to run as")
	flag.StringVar(&c.command, "command", "echo hello", "shell command to run")
	flag.IntVar(&c.total, "copies", 3, "how many times to run it")
	flag.Float64Var(&c.cpus, "cpus", 0.1, "CPUs of each copy")
	flag.Float64Var(&c.mem, "mem", 32, "megabytes of each copy")
	flag.Parse()
	if c.total < 1 {
		log.Fatal("run-copies: -copies must be at least 1")
	}
	info := &mesospb.FrameworkInfo{Name: new("run-copies"), User: user}
	if err := scheduler.Run(context.Background(), scheduler.Config{Master: *master, Framework: info}, c); err != nil {
		log.Fatal("run-copies: ", err)
	}
	if c.failed > 0 {
		log.Fatalf("run-copies: %d of %d copies failed", c.failed, c.total)
	}
}
