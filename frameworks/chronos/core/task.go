package core

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// taskID is Chronos' id of a run: ct:<due ms>:<attempt>:<job>:<arguments>. A run
// whose id is taken, or was used up by a launch that never happened, gets the
// next millisecond.
func (r *record) taskID(req *request) mesos.TaskID {
	for ms := req.Due.UnixMilli() + int64(req.Relaunches); ; ms++ {
		head := fmt.Sprintf("ct:%d:%d:%s:", ms, req.Attempt, r.job.Name)
		id := mesos.TaskID(head + idText(r.job.arguments(req), mesos.MaxIDLength-len(head)))
		if !r.used(id) {
			return id
		}
	}
}

// idText makes arguments part of an id: without the semicolons Chronos leaves
// out and without what Mesos refuses, and no longer than there is room.
func idText(arguments string, room int) string {
	clean := strings.Map(func(c rune) rune {
		switch {
		case c == ';':
			return -1
		case control(c), c == '/', c == '\\', c == utf8.RuneError:
			return '_'
		}
		return c
	}, arguments)
	if len(clean) > room {
		clean = strings.ToValidUTF8(clean[:room], "")
	}
	return clean
}

func (r *record) used(id mesos.TaskID) bool {
	for _, a := range r.active {
		if a.TaskID == id {
			return true
		}
	}
	for _, h := range r.history {
		if h.TaskID == id {
			return true
		}
	}
	return false
}

// buildTask describes a run to the master as Chronos does.
func buildTask(job *Job, a *attempt, o *mesospb.Offer, taken resources.Resources) *mesospb.TaskInfo {
	task := &mesospb.TaskInfo{
		Name:      new("ChronosTask:" + job.Name),
		TaskId:    &mesospb.TaskID{Value: new(string(a.TaskID))},
		AgentId:   o.GetAgentId(),
		Resources: taken.Proto(resources.PostRefinement),
		Container: job.Container.info(),
	}
	if job.MaxCompletion > 0 {
		task.MaxCompletionTime = &mesospb.DurationInfo{Nanoseconds: new(int64(time.Duration(job.MaxCompletion) * time.Second))}
	}
	command := &mesospb.CommandInfo{Environment: environment(job, a), Uris: uris(job)}
	if job.RunAsUser != "" {
		command.User = new(job.RunAsUser)
	}
	setCommand(command, job, a)
	task.Command = command
	return task
}

func uris(job *Job) []*mesospb.CommandInfo_URI {
	var list []*mesospb.CommandInfo_URI
	for _, f := range job.Fetch {
		u := &mesospb.CommandInfo_URI{Value: new(f.URI), Executable: new(f.Executable), Cache: new(f.Cache), Extract: new(f.Extract)}
		if f.OutputFile != "" {
			u.OutputFile = new(f.OutputFile)
		}
		list = append(list, u)
	}
	return list
}

// setCommand says what to run. Arguments are appended to a shell line, whatever
// Chronos' manual says; a program gets them as its own, behind its name.
func setCommand(command *mesospb.CommandInfo, job *Job, a *attempt) {
	command.Shell = new(job.Shell)
	value, arguments := job.Command, job.arguments(&a.Request)
	switch {
	case value == "" && job.Container != nil: // the image says what to run
		command.Shell, command.Arguments = new(false), argv(job, a)
		return
	case job.Shell && arguments != "":
		value += " " + arguments
	case !job.Shell:
		command.Arguments = append([]string{value}, argv(job, a)...)
	}
	command.Value = new(value)
}

func argv(job *Job, a *attempt) []string {
	if a.Request.Given {
		return strings.Fields(a.Request.Arguments)
	}
	return job.Arguments
}

// environment is Chronos' own variables and the job's, which never replace them.
func environment(job *Job, a *attempt) *mesospb.Environment {
	vars := []Variable{
		{"mesos_task_id", string(a.TaskID)},
		{"MESOS_TASK_ID", string(a.TaskID)},
		{"CHRONOS_JOB_OWNER", job.Owner},
		{"CHRONOS_JOB_NAME", job.Name},
		{"HOST", a.Host},
		{"CHRONOS_RESOURCE_MEM", decimal(job.Mem)},
		{"CHRONOS_RESOURCE_CPU", decimal(job.CPUs)},
		{"CHRONOS_RESOURCE_DISK", decimal(job.Disk)},
		{"CHRONOS_JOB_RUN_TIME", runTime(a.TaskID)},
		{"CHRONOS_JOB_RUN_ATTEMPT", strconv.FormatInt(a.Attempt, 10)},
	}
	own := make(map[string]bool, len(vars))
	for _, v := range vars {
		own[v.Name] = true
	}
	for _, v := range job.Environment {
		if !own[v.Name] {
			vars = append(vars, v)
		}
	}
	env := &mesospb.Environment{}
	for _, v := range vars {
		env.Variables = append(env.Variables, &mesospb.Environment_Variable{Name: proto.String(v.Name), Value: proto.String(v.Value)})
	}
	return env
}

// runTime is the milliseconds of a task id.
func runTime(id mesos.TaskID) string {
	return strings.Split(string(id), ":")[1]
}
