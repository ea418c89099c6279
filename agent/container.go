package agent

import (
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/agent/sandbox"
	"github.com/soukproject/souk/internal/daemon"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// defaultPath is the PATH of commands that bring none (Mesos).
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// user is who a container's command runs as, "" for the agent's own user.
func (a *agent) user(e core.Launch) string {
	switch {
	case !a.cfg.SwitchUser:
		return ""
	case e.Command().GetUser() != "":
		return e.Command().GetUser()
	}
	return e.Framework.GetUser()
}

// container describes what is to be launched.
func (a *agent) container(e core.Launch, user, dir string) containerizer.Config {
	c := e.Command()
	cfg := containerizer.Config{
		ID: string(e.Run.Container),
		Command: containerizer.Command{
			Shell: c.GetShell(),
			Value: c.GetValue(),
			Args:  arguments(c),
			Env:   a.environment(e, dir),
			User:  user,
		},
		Sandbox:  dir,
		Limits:   containerizer.Limits(e.Limits),
		Hostname: e.Container().GetHostname(),
	}
	if outer, _ := e.Run.Container.Split(); outer != "" {
		cfg.Parent, cfg.Apart = string(outer), true
		cfg.OwnPIDs = a.boxes.isolated && !e.Container().GetLinuxInfo().GetSharePidNamespace()
	}
	if e.Idle() {
		cfg.Idle, cfg.Command = true, containerizer.Command{Env: cfg.Command.Env, User: user}
	}
	return cfg
}

// arguments are those of a program; a shell has none.
func arguments(c *mesospb.CommandInfo) []string {
	if c.GetShell() {
		return nil
	}
	return c.GetArguments()
}

// environment is what a task finds (mesos-api 13.4): what the operator set for
// all tasks, then what the agent says, then what the task brings; the last one counts.
func (a *agent) environment(e core.Launch, dir string) []string {
	env := maps.Clone(a.cfg.Environment)
	if env == nil {
		env = make(map[string]string)
	}
	if outer, _ := e.Run.Container.Split(); outer != "" {
		env["MESOS_SANDBOX"], env["MESOS_CONTAINER_IP"] = dir, a.containerIP(string(outer))
	} else {
		a.addExecutorEnvironment(env, e, dir)
	}
	if e.Role != "" {
		env["MESOS_ALLOCATION_ROLE"] = e.Role
	}
	if env["PATH"] == "" {
		env["PATH"] = defaultPath
	}
	for _, v := range e.Command().GetEnvironment().GetVariables() {
		env[v.GetName()] = value(v)
	}
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// ip is the agent's own.
func (a *agent) ip() string {
	ip, _, err := net.SplitHostPort(a.address)
	if err != nil {
		return a.address // it was joined from both; see newAgent
	}
	return ip
}

// containerIP is the address of a container, or the agent's.
func (a *agent) containerIP(id string) string {
	for _, info := range a.boxes.networkInfos(id) {
		for _, address := range info.GetIpAddresses() {
			return address.GetIpAddress()
		}
	}
	return a.ip()
}

// addExecutorEnvironment adds what executors find. A command task has no executor
// of its own, and finds it, too.
func (a *agent) addExecutorEnvironment(env map[string]string, e core.Launch, dir string) {
	maps.Copy(env, map[string]string{
		"MESOS_FRAMEWORK_ID":                   string(e.Run.Framework),
		"MESOS_EXECUTOR_ID":                    string(e.Run.Executor),
		"MESOS_DIRECTORY":                      dir,
		"MESOS_SANDBOX":                        dir,
		"MESOS_SLAVE_ID":                       string(e.Run.Agent),
		"MESOS_SLAVE_PID":                      "slave(1)@" + a.address,
		"MESOS_AGENT_ENDPOINT":                 a.address,
		"MESOS_CHECKPOINT":                     "0",
		"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": daemon.FormatDuration(a.shutdownGrace(e)),
		"MESOS_HTTP_COMMAND_EXECUTOR":          "0",
		"LIBPROCESS_PORT":                      "0",
		"LIBPROCESS_IP":                        a.ip(),
	})
	if e.Framework.GetCheckpoint() {
		maps.Copy(env, map[string]string{
			"MESOS_CHECKPOINT": "1", "MESOS_RECOVERY_TIMEOUT": daemon.FormatDuration(a.cfg.Recovery),
			"MESOS_SUBSCRIPTION_BACKOFF_MAX": daemon.FormatDuration(a.cfg.Reregistration),
		})
	}
}

// value is that of a variable; a secret's data is given in the clear, as in
// Mesos. References are refused before.
func value(v *mesospb.Environment_Variable) string {
	if v.GetType() == mesospb.Environment_Variable_SECRET {
		return string(v.GetSecret().GetValue().GetData())
	}
	return v.GetValue()
}

// shutdownGrace is how long an executor has after SHUTDOWN.
func (a *agent) shutdownGrace(e core.Launch) time.Duration {
	if g := e.Executor.GetShutdownGracePeriod(); g != nil {
		return max(0, time.Duration(g.GetNanoseconds()))
	}
	return a.cfg.ShutdownGrace
}

// signalName is the text of strsignal, which Mesos puts into messages.
func signalName(sig syscall.Signal) string {
	name := sig.String()
	first, size := utf8.DecodeRuneInString(name)
	return string(unicode.ToUpper(first)) + name[size:]
}

// reason is why a launch failed, for the user who wrote the command.
func reason(id string, err error) string {
	var create *sandbox.CreateError
	if errors.As(err, &create) {
		return create.Cause().Error()
	}
	return strings.TrimPrefix(err.Error(), "launch container "+id+": ")
}
