package client

import (
	"cmp"
	"context"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/soukproject/souk/internal/daemon"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
)

func agentsCommand() Command {
	return Command{
		Name: "agents", Summary: "list the agents and what is used of them",
		Usage: func() string { return new(connection).flags("agents").Usage() },
		Run: func(ctx context.Context, args, environ []string, t Terminal) error {
			c := new(connection)
			if err := c.flags("agents").Parse(args, environ); err != nil {
				return err
			}
			return c.list(ctx, masterpb.Call_GET_AGENTS, t.Out, writeAgents)
		},
	}
}

func writeAgents(answer *masterpb.Response, t *table) {
	t.row("AGENT", "HOST", "ADDRESS", "STATE", "CPUS", "MEM", "DISK", "GPUS")
	for _, a := range answer.GetGetAgents().GetAgents() {
		used, total := scalars(a.GetAllocatedResources()), scalars(a.GetTotalResources())
		of := func(name string) string { return number(used[name]) + "/" + number(total[name]) }
		t.row(a.GetAgentInfo().GetId().GetValue(), a.GetAgentInfo().GetHostname(), addressOf(a), agentState(a),
			of("cpus"), of("mem"), of("disk"), of("gpus"))
	}
	for _, a := range answer.GetGetAgents().GetRecoveredAgents() {
		t.row(a.GetId().GetValue(), a.GetHostname(), "-", "awaited", "-", "-", "-", "-")
	}
}

func agentState(a *masterpb.Response_GetAgents_Agent) string {
	switch {
	case a.GetDrainInfo() != nil:
		return "draining"
	case a.GetDeactivated():
		return "deactivated"
	case !a.GetActive():
		return "disconnected"
	}
	return "active"
}

// number is a quantity as people write it: resources are exact to thousandths.
func number(v float64) string {
	return strconv.FormatFloat(math.Round(v*1000)/1000, 'f', -1, 64)
}

func frameworksCommand() Command {
	return Command{
		Name: "frameworks", Summary: "list the frameworks and what they use",
		Usage: func() string { return new(frameworkList).set().Usage() },
		Run: func(ctx context.Context, args, environ []string, t Terminal) error {
			l := new(frameworkList)
			if err := l.set().Parse(args, environ); err != nil {
				return err
			}
			return l.list(ctx, masterpb.Call_GET_FRAMEWORKS, t.Out, l.write)
		},
	}
}

// A frameworkList is `souk frameworks`.
type frameworkList struct {
	connection
	all bool
}

func (l *frameworkList) set() *daemon.FlagSet {
	f := l.flags("frameworks")
	f.Bool(&l.all, "all", "Also those that have ended")
	return f
}

func (l *frameworkList) write(answer *masterpb.Response, t *table) {
	t.row("FRAMEWORK", "NAME", "ROLES", "STATE", "CPUS", "MEM", "OFFERED")
	for _, f := range answer.GetGetFrameworks().GetFrameworks() {
		writeFramework(f, frameworkState(f), t)
	}
	if l.all {
		for _, f := range answer.GetGetFrameworks().GetCompletedFrameworks() {
			writeFramework(f, "ended", t)
		}
	}
}

func writeFramework(f *masterpb.Response_GetFrameworks_Framework, state string, t *table) {
	info, used := f.GetFrameworkInfo(), scalars(f.GetAllocatedResources())
	roles := "*"
	if r := info.GetRoles(); len(r) > 0 {
		roles = strings.Join(r, ",")
	} else if info.GetRole() != "" {
		roles = info.GetRole()
	}
	t.row(info.GetId().GetValue(), info.GetName(), roles, state,
		number(used["cpus"]), number(used["mem"]), amounts(scalars(f.GetOfferedResources())))
}

func frameworkState(f *masterpb.Response_GetFrameworks_Framework) string {
	switch {
	case f.GetRecovered():
		return "awaited"
	case !f.GetConnected():
		return "disconnected"
	case !f.GetActive():
		return "inactive"
	}
	return "active"
}

func tasksCommand() Command {
	return Command{
		Name: "tasks", Summary: "list the tasks, where they are and how they are",
		Usage: func() string { return new(taskList).set().Usage() },
		Run: func(ctx context.Context, args, environ []string, t Terminal) error {
			return new(taskList).run(ctx, args, environ, t.Out)
		},
	}
}

// A taskList is `souk tasks`.
type taskList struct {
	connection
	all              bool
	framework, agent string
	frameworks       map[string]string // names by id
	hosts            map[string]string // by agent's id
}

func (l *taskList) set() *daemon.FlagSet {
	f := l.flags("tasks")
	f.Bool(&l.all, "all", "Also those that have ended, as far as the master remembers them")
	f.String(&l.framework, "framework", "Only those of this framework: its id or its name; for the table")
	f.String(&l.agent, "agent", "Only those on this agent: its id or its host name; for the table")
	return f
}

func (l *taskList) run(ctx context.Context, args, environ []string, out io.Writer) error {
	if err := l.set().Parse(args, environ); err != nil {
		return err
	}
	if !l.json {
		if err := l.names(ctx); err != nil {
			return err
		}
	}
	return l.list(ctx, masterpb.Call_GET_TASKS, out, l.write)
}

// names learns what frameworks and agents are called.
func (l *taskList) names(ctx context.Context) error {
	l.frameworks, l.hosts = make(map[string]string), make(map[string]string)
	answer, err := l.ask(ctx, masterpb.Call_GET_FRAMEWORKS)
	if err != nil {
		return err
	}
	for _, f := range slices.Concat(answer.GetGetFrameworks().GetFrameworks(), answer.GetGetFrameworks().GetCompletedFrameworks()) {
		l.frameworks[f.GetFrameworkInfo().GetId().GetValue()] = f.GetFrameworkInfo().GetName()
	}
	if answer, err = l.ask(ctx, masterpb.Call_GET_AGENTS); err != nil {
		return err
	}
	for _, a := range answer.GetGetAgents().GetAgents() {
		l.hosts[a.GetAgentInfo().GetId().GetValue()] = a.GetAgentInfo().GetHostname()
	}
	return nil
}

func (l *taskList) write(answer *masterpb.Response, t *table) {
	t.row("TASK", "NAME", "FRAMEWORK", "HOST", "STATE", "SINCE", "CPUS", "MEM", "MESSAGE")
	tasks := current(answer)
	if l.all {
		tasks = slices.Concat(tasks, answer.GetGetTasks().GetCompletedTasks())
	}
	for _, k := range tasks {
		framework, host := k.GetFrameworkId().GetValue(), k.GetAgentId().GetValue()
		if l.framework != "" && l.framework != framework && l.framework != l.frameworks[framework] ||
			l.agent != "" && l.agent != host && l.agent != l.hosts[host] {
			continue
		}
		has := scalars(k.GetResources())
		status := latest(k)
		t.row(k.GetTaskId().GetValue(), k.GetName(), cmp.Or(l.frameworks[framework], framework), cmp.Or(l.hosts[host], host),
			k.GetState().String(), since(status), number(has["cpus"]), number(has["mem"]), status.GetMessage())
	}
}

// current are the tasks that have not ended, as far as anybody knows.
func current(answer *masterpb.Response) []*mesospb.Task {
	g := answer.GetGetTasks()
	return slices.Concat(g.GetPendingTasks(), g.GetTasks(), g.GetUnreachableTasks(), g.GetOrphanTasks())
}

// latest is the last status, nil before the first.
func latest(k *mesospb.Task) *mesospb.TaskStatus {
	if n := len(k.GetStatuses()); n > 0 {
		return k.GetStatuses()[n-1]
	}
	return nil
}

func since(s *mesospb.TaskStatus) string {
	if s.GetTimestamp() == 0 {
		return "-"
	}
	return span(max(0, float64(time.Now().UnixMilli())/1000-s.GetTimestamp()))
}
