package client

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/framework/scheduler"
	"github.com/soukproject/souk/internal/daemon"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// run is `souk run`: a framework of one task, whose output and end are the command's.
type run struct {
	connection
	cpus, mem, disk     float64
	image, name, user   string
	role, network       string
	env, operands       []string
	quiet               bool
	terminal            Terminal
	task                *mesospb.TaskInfo
	needs               map[string]float64
	mu                  sync.Mutex // over what follows, which Ctrl-C reads
	session             *scheduler.Session
	launched, cancelled bool
	last                *mesospb.TaskStatus
	said                string
	outputs             *followers
}

// refusal of what does not fit, and of all once the task is placed, in seconds.
const refuseSeconds = 5

// killPatience is how long a task may take to end after Ctrl-C.
const killPatience = 15 * time.Second

func runCommand() Command {
	return Command{
		Name: "run", Summary: "run one command in the cluster and follow it",
		Usage: func() string { return new(run).set().Usage() },
		Run: func(ctx context.Context, args, environ []string, t Terminal) error {
			r := &run{terminal: t}
			if err := r.set().Parse(args, environ); err != nil {
				return err
			}
			return r.run(ctx)
		},
	}
}

func (r *run) set() *daemon.FlagSet {
	r.cpus, r.mem, r.role = 0.1, 64, "*"
	f := r.masterFlag("run")
	f.Float(&r.cpus, "cpus", "CPUs to run with")
	f.Float(&r.mem, "mem", "Memory to run with, in MB")
	f.Float(&r.disk, "disk", "Disk to run with, in MB")
	f.String(&r.image, "image", "Run on this Docker image; default: on the files of the agent")
	f.String(&r.name, "name", "Name of the framework and of the task; default: the program's")
	f.String(&r.user, "user", "Run as this user; default: as the agent does")
	f.String(&r.role, "role", "Use what is offered to this role")
	f.String(&r.network, "network", "Join this network of the agent; default: the agent's own")
	f.Bool(&r.quiet, "quiet", "Print the output of the command alone")
	environmentFlag(f, &r.env)
	f.Operands(&r.operands, "-- COMMAND [ARGUMENT…]")
	return f
}

// run places the task and stays until it has ended.
func (r *run) run(ctx context.Context) error {
	if err := r.prepare(); err != nil {
		return err
	}
	if err := r.locate(ctx); err != nil {
		return err
	}
	r.outputs = &followers{r: r}
	// Ctrl-C ends the task first, and the conversation with the master after it.
	talk, hangUp := context.WithCancelCause(context.WithoutCancel(ctx))
	defer hangUp(nil)
	defer context.AfterFunc(ctx, func() { r.interrupt(talk, hangUp) })()
	err := scheduler.Run(talk, scheduler.Config{
		Master: r.master, Framework: r.framework(), Principal: r.credential.Principal, Secret: r.credential.Secret,
	}, r)
	if err != nil && !errors.Is(err, errInterrupted) {
		return fmt.Errorf("run under the master at %s: %w", r.master, err)
	}
	r.outputs.finish()
	return r.exit()
}

var errInterrupted = errors.New("interrupted")

func (r *run) prepare() error {
	if len(r.operands) == 0 {
		return errors.New("name a command: souk run [flags] -- COMMAND [ARGUMENT…]")
	}
	r.needs = map[string]float64{}
	for name, amount := range map[string]float64{"cpus": r.cpus, "mem": r.mem, "disk": r.disk} {
		if amount < 0 || amount > 1e9 || amount != amount {
			return fmt.Errorf("flag --%s: %s is not an amount: give a number from 0 to 1000000000", name, number(amount))
		}
		if amount > 0 {
			r.needs[name] = amount
		}
	}
	if r.needs["cpus"] == 0 || r.needs["mem"] == 0 {
		return errors.New("a task needs cpus and mem: give --cpus and --mem above 0")
	}
	if r.name == "" {
		r.name = path.Base(r.operands[0])
	}
	command, err := commandOf(r.operands, r.env, r.user)
	if err != nil {
		return err
	}
	r.task = &mesospb.TaskInfo{
		Name: &r.name, TaskId: &mesospb.TaskID{Value: proto.String("run." + uuid.NewString())},
		Command: command, Container: r.container(),
	}
	return nil
}

func (r *run) container() *mesospb.ContainerInfo {
	if r.image == "" && r.network == "" {
		return nil
	}
	c := &mesospb.ContainerInfo{Type: mesospb.ContainerInfo_MESOS.Enum()}
	if r.image != "" {
		c.Mesos = &mesospb.ContainerInfo_MesosInfo{Image: &mesospb.Image{
			Type: mesospb.Image_DOCKER.Enum(), Docker: &mesospb.Image_Docker{Name: &r.image},
		}}
	}
	if r.network != "" {
		c.NetworkInfos = []*mesospb.NetworkInfo{{Name: &r.network}}
	}
	return c
}

func (r *run) framework() *mesospb.FrameworkInfo {
	return &mesospb.FrameworkInfo{
		Name: &r.name, User: &r.user, Roles: []string{r.role},
		Capabilities: []*mesospb.FrameworkInfo_Capability{
			{Type: mesospb.FrameworkInfo_Capability_MULTI_ROLE.Enum()},
			{Type: mesospb.FrameworkInfo_Capability_RESERVATION_REFINEMENT.Enum()},
			{Type: mesospb.FrameworkInfo_Capability_TASK_KILLING_STATE.Enum()},
		},
	}
}

// say tells the user how it goes, once for each thing.
func (r *run) say(format string, args ...any) {
	text := printable(fmt.Sprintf(format, args...))
	if r.quiet || text == r.said {
		return
	}
	r.said = text
	fmt.Fprintln(r.terminal.Err, "souk run:", text)
}

// complain tells what kept output away: the task goes on.
func (r *run) complain(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.say("%v", err)
}

// Subscribed asks after the task of a connection that was lost.
func (r *run) Subscribed(ctx context.Context, s *scheduler.Session) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.session = s
	if r.cancelled && !r.launched {
		return s.Teardown(ctx)
	}
	if r.launched {
		return s.Reconcile(ctx)
	}
	r.say("framework %s waits for an offer of %s", s.FrameworkID(), amounts(r.needs))
	return nil
}

// Offers takes the first that is large enough.
func (r *run) Offers(ctx context.Context, s *scheduler.Session, offers []*mesospb.Offer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range offers {
		taken := r.take(o)
		if r.launched || r.cancelled || taken == nil {
			if !r.launched {
				r.say("%s has %s of %s: waiting for more, see 'souk explain'", o.GetHostname(), amounts(r.usable(o)), amounts(r.needs))
			}
			if err := s.Decline(ctx, scheduler.OfferIDs(o), scheduler.RefuseFor(refuseSeconds)); err != nil {
				return err
			}
			continue
		}
		r.task.AgentId, r.task.Resources = o.GetAgentId(), taken
		r.launched = true
		r.say("task %s goes to %s", r.task.GetTaskId().GetValue(), o.GetHostname())
		if err := s.Accept(ctx, scheduler.OfferIDs(o), nil, scheduler.Launch(r.task)); err != nil {
			return err
		}
		if err := s.Suppress(ctx); err != nil {
			return err
		}
	}
	return nil
}

// usable is what an offer has of what the task needs.
func (r *run) usable(o *mesospb.Offer) map[string]float64 {
	has := scalars(o.GetResources())
	for name := range has {
		if r.needs[name] == 0 {
			delete(has, name)
		}
	}
	return has
}

// take is what the task uses of an offer, nil when that has not enough. What is
// reserved for the role goes first.
func (r *run) take(o *mesospb.Offer) (taken []*mesospb.Resource) {
	all := slices.Clone(o.GetResources())
	slices.SortStableFunc(all, func(a, b *mesospb.Resource) int {
		return len(b.GetReservations()) - len(a.GetReservations())
	})
	left := make(map[string]float64)
	for name, amount := range r.needs {
		left[name] = amount
	}
	for _, has := range all {
		part := min(left[has.GetName()], has.GetScalar().GetValue())
		if part <= 0 || has.GetDisk() != nil || has.GetRevocable() != nil {
			continue
		}
		left[has.GetName()] -= part
		piece := proto.Clone(has).(*mesospb.Resource)
		piece.Scalar.Value = &part
		taken = append(taken, piece)
	}
	for _, amount := range left {
		if amount > 1e-4 { // resources are exact to thousandths
			return nil
		}
	}
	return taken
}

// Update follows the task, and ends the framework with it.
func (r *run) Update(ctx context.Context, s *scheduler.Session, u *mesospb.TaskStatus) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if u.GetTaskId().GetValue() != r.task.GetTaskId().GetValue() {
		return nil
	}
	r.last = u
	r.say("%s", strings.TrimSuffix(u.GetState().String()+": "+u.GetMessage(), ": "))
	if u.GetContainerStatus().GetContainerId() != nil {
		r.outputs.begin(ctx)
	}
	if ended(u) {
		return s.Teardown(ctx)
	}
	return nil
}

// interrupt ends the task after Ctrl-C, and everything when that takes too long.
func (r *run) interrupt(ctx context.Context, hangUp context.CancelCauseFunc) {
	r.mu.Lock()
	r.cancelled = true
	s, launched := r.session, r.launched
	r.mu.Unlock()
	var err error
	switch {
	case s == nil:
		hangUp(errInterrupted)
	case launched:
		r.mu.Lock()
		r.say("asked to stop: killing the task")
		r.mu.Unlock()
		err = s.Kill(ctx, r.task.GetTaskId(), r.task.GetAgentId(), nil)
	default:
		err = s.Teardown(ctx)
	}
	if err != nil || s != nil && !launched {
		hangUp(errInterrupted) // the master removes a framework that hangs up
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(killPatience):
		_ = s.Teardown(ctx) // it hangs up all the same
		hangUp(errInterrupted)
	}
}

// exit is the task's end as shells tell it.
func (r *run) exit() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.last.GetState() == mesospb.TaskState_TASK_FINISHED:
		return nil
	case r.cancelled:
		return &Exit{interrupted}
	case r.last == nil:
		return errors.New("the framework was ended before its task was launched")
	}
	if status, ok := statusOf(r.last.GetMessage()); ok {
		return &Exit{status}
	}
	return fmt.Errorf("the task ended as %s: %s", r.last.GetState(), printable(r.last.GetMessage()))
}

// statusOf reads the exit status out of the message that agents send: the API
// has no other place for it.
func statusOf(message string) (int, bool) {
	text, ok := strings.CutPrefix(message, "Command exited with status ")
	if !ok {
		return 0, false
	}
	status, err := strconv.Atoi(text)
	return status, err == nil && status > 0 && status < 256
}
