package agent

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/agent/rotation"
	"github.com/soukproject/souk/internal/daemon"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// Names of what becomes of the output of containers (flag --container_logger).
const (
	sandboxLogger = "sandbox" // it stays as it is
	rotateLogger  = "rotate"
	mesosLogger   = "org_apache_mesos_LogrotateContainerLogger" // what Mesos calls the latter
)

// Bounds of what is kept of one stream of output.
const (
	minOutput   = 4 << 10 // bytes; below that there would be nothing but rotation
	maxOlder    = 1000    // files
	outputWatch = time.Second
)

// loggerVariable goes before the names of variables by which tasks say what is to
// be kept of their output (Mesos' default).
const loggerVariable = "CONTAINER_LOGGER_"

// outputs have the output of containers rotated, unless that is not wanted.
func (a *agent) outputs(ctx context.Context) error {
	if !a.cfg.RotateOutput {
		<-ctx.Done()
		return ctx.Err()
	}
	return rotation.New(rotation.Config{Interval: outputWatch, Files: a.outputFiles, Log: a.log.Named("outputs")}).Run(ctx)
}

func (a *agent) outputFiles(ctx context.Context) ([]rotation.File, error) {
	s, err := a.loop.look(ctx)
	if err != nil {
		return nil, err
	}
	var list []rotation.File
	for _, f := range s.Frameworks {
		for _, x := range f.Executors {
			if x.Running {
				list = append(list, a.outputsOf(x)...)
			}
		}
	}
	return list, nil
}

func (a *agent) outputsOf(x core.Executor) []rotation.File {
	command := x.Info.GetCommand()
	if x.BuiltIn && len(x.Tasks) > 0 {
		command = x.Tasks[0].Info.GetCommand()
	}
	out, err := a.outputPolicies(command)
	if err != nil {
		return nil // it was refused before
	}
	dir := a.store.Path(sandboxRun(x.Run))
	return []rotation.File{
		{Folder: dir, Name: "stdout", Policy: out.stdout}, {Folder: dir, Name: "stderr", Policy: out.stderr},
	}
}

type outputPolicies struct{ stdout, stderr rotation.Policy }

// outputPolicies are what is kept of the output of a command: the operator's word,
// and then the task's.
func (a *agent) outputPolicies(c *mesospb.CommandInfo) (p outputPolicies, err error) {
	p.stdout = rotation.Policy{Size: int64(a.cfg.OutputSize), Keep: int(a.cfg.OutputFiles)}
	p.stderr = p.stdout
	for _, v := range c.GetEnvironment().GetVariables() {
		name, ok := strings.CutPrefix(v.GetName(), loggerVariable)
		if !ok {
			continue
		}
		switch text := value(v); name {
		case "MAX_STDOUT_SIZE":
			p.stdout.Size, err = outputSize(text)
		case "MAX_STDERR_SIZE":
			p.stderr.Size, err = outputSize(text)
		case "LOGROTATE_STDOUT_OPTIONS":
			p.stdout.Keep, err = logrotate(text, p.stdout.Keep)
		case "LOGROTATE_STDERR_OPTIONS":
			p.stderr.Keep, err = logrotate(text, p.stderr.Keep)
		}
		if err != nil {
			return p, fmt.Errorf("environment variable %s: %w", v.GetName(), err)
		}
	}
	return p, nil
}

func outputSize(text string) (int64, error) {
	n, err := daemon.ParseBytes(text)
	if err == nil && (n < minOutput || n > 1<<50) {
		err = fmt.Errorf("%s is less than %s, or more than any disk has", text, daemon.FormatBytes(minOutput))
	}
	return int64(n), err
}

// logrotate understands of logrotate's options how many older files there are to be.
func logrotate(text string, keep int) (int, error) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) != 2 || words[0] != "rotate" {
			return keep, fmt.Errorf("option %q of logrotate is not part of this version: there is 'rotate N'", strings.TrimSpace(line))
		}
		n, err := olderFiles(words[1])
		if err != nil {
			return keep, err
		}
		keep = n
	}
	return keep, nil
}

func olderFiles(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxOlder {
		return 0, fmt.Errorf("%q is no number of files from 0 to %d", text, maxOlder)
	}
	return n, nil
}

// outputFlags are those about the output of containers.
func (c *Config) outputFlags(f *daemon.FlagSet) {
	f.Func("container_logger", sandboxLogger, "What becomes of the output of tasks: sandbox (it stays in stdout and stderr) or rotate (what is old moves to stdout.1 and so on); Mesos' name of the latter is known, too", func(text string) error {
		switch text {
		case "", sandboxLogger:
			c.RotateOutput = false
		case rotateLogger, mesosLogger:
			c.RotateOutput = true
		default:
			return fmt.Errorf("%q is neither %s nor %s: other modules of Mesos cannot be loaded", text, sandboxLogger, rotateLogger)
		}
		return nil
	})
	f.Func("container_logger_max_size", daemon.FormatBytes(c.OutputSize), "Size of stdout and stderr beyond which they are rotated, with --container_logger=rotate; tasks change theirs by CONTAINER_LOGGER_MAX_STDOUT_SIZE and _STDERR_SIZE", func(text string) error {
		n, err := outputSize(text)
		c.OutputSize = uint64(n)
		return err
	})
	f.Func("container_logger_files", strconv.Itoa(c.OutputFiles), "How many older files of each stay; tasks change theirs by CONTAINER_LOGGER_LOGROTATE_STDOUT_OPTIONS='rotate 3' and _STDERR_OPTIONS", func(text string) (err error) {
		c.OutputFiles, err = olderFiles(text)
		return err
	})
}
