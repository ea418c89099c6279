// Command pool runs shell commands, each as a task, under one executor of its own
// per agent: starting a task costs a message and not a container. It exits with 1
// if any failed. With -group they begin together, on one agent, or not at all. The executor is the program in ../pool-executor.
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

// pool launches its commands in order, as far as offers reach.
type pool struct {
	executor string // the program, as agents find it
	group    bool
	commands []string
	next     int
	ended    map[string]bool
	failed   int
	agents   map[string]bool // where the executor was sent
}

const (
	taskCPUs, taskMem                       = 0.1, 16.0
	executorCPUs, executorMem, executorDisk = 0.1, 32.0, 1.0
)

// Subscribed implements scheduler.Scheduler.
func (p *pool) Subscribed(ctx context.Context, s *scheduler.Session) error { return s.Reconcile(ctx) }

// Offers implements scheduler.Scheduler.
func (p *pool) Offers(ctx context.Context, s *scheduler.Session, offers []*mesospb.Offer) error {
	for _, o := range offers {
		cpus, mem := scalar(o, "cpus"), scalar(o, "mem")
		if agent := o.GetAgentId().GetValue(); !p.agents[agent] {
			cpus, mem = cpus-executorCPUs, mem-executorMem
		}
		n := float64(len(p.commands))
		if p.group && (cpus < n*taskCPUs || mem < n*taskMem) {
			cpus = 0 // not here
		}
		var tasks []*mesospb.TaskInfo
		for p.next < len(p.commands) && cpus >= taskCPUs && mem >= taskMem {
			tasks = append(tasks, p.task(s, o))
			cpus, mem = cpus-taskCPUs, mem-taskMem
		}
		if err := s.Accept(ctx, []*mesospb.OfferID{o.GetId()}, nil, p.launch(tasks)); err != nil {
			return err
		}
	}
	return nil
}

func (p *pool) launch(tasks []*mesospb.TaskInfo) *mesospb.Offer_Operation {
	if p.group && len(tasks) > 0 {
		return scheduler.LaunchGroup(tasks[0].GetExecutor(), tasks...)
	}
	return scheduler.Launch(tasks...)
}

// task is the next one, on the agent of an offer.
func (p *pool) task(s *scheduler.Session, o *mesospb.Offer) *mesospb.TaskInfo {
	id := fmt.Sprintf("command-%d", p.next)
	t := &mesospb.TaskInfo{
		Name: &id, TaskId: &mesospb.TaskID{Value: &id}, AgentId: o.GetAgentId(), Data: []byte(p.commands[p.next]),
		Resources: []*mesospb.Resource{resource("cpus", taskCPUs), resource("mem", taskMem)},
		Executor: &mesospb.ExecutorInfo{
			Type: mesospb.ExecutorInfo_CUSTOM.Enum(), FrameworkId: &mesospb.FrameworkID{Value: new(s.FrameworkID())},
			ExecutorId: &mesospb.ExecutorID{Value: new("pool")}, Name: new("pool of commands"),
			Command:   &mesospb.CommandInfo{Shell: new(false), Value: &p.executor},
			Resources: []*mesospb.Resource{resource("cpus", executorCPUs), resource("mem", executorMem), resource("disk", executorDisk)},
		},
	}
	p.agents[o.GetAgentId().GetValue()] = true
	p.next++
	return t
}

// Update implements scheduler.Scheduler.
func (p *pool) Update(ctx context.Context, s *scheduler.Session, u *mesospb.TaskStatus) error {
	id := u.GetTaskId().GetValue()
	if p.ended[id] || !mesos.Terminal(u.GetState()) {
		return nil
	}
	fmt.Println(id, "ended:", u.GetState(), u.GetMessage())
	p.ended[id] = true
	if u.GetState() != mesospb.TaskState_TASK_FINISHED {
		p.failed++
	}
	if len(p.ended) == len(p.commands) {
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
	p := &pool{ended: map[string]bool{}, agents: map[string]bool{}}
	master := flag.String("master", "127.0.0.1:5050", "address of the master")
	user := flag.String("user", os.Getenv("USER"), "user to run as")
	flag.StringVar(&p.executor, "executor", "/usr/local/bin/pool-executor", "path of pool-executor on the agents")
	flag.BoolVar(&p.group, "group", false, "run all commands as one task group")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: pool [flags] COMMAND...")
		flag.PrintDefaults()
	}
	flag.Parse()
	if p.commands = flag.Args(); len(p.commands) == 0 {
		flag.Usage()
		os.Exit(2)
	}
	info := &mesospb.FrameworkInfo{Name: new("pool"), User: user, Checkpoint: new(true)}
	if err := scheduler.Run(context.Background(), scheduler.Config{Master: *master, Framework: info}, p); err != nil {
		log.Fatal("pool: ", err)
	}
	if p.failed > 0 {
		log.Fatalf("pool: %d of %d commands failed", p.failed, len(p.commands))
	}
}
