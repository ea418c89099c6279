//go:build linux && cgo

package launcher

import (
	"errors"
	"fmt"
	"os"
	"strings"

	_ "github.com/opencontainers/cgroups/devices" // device rules need it
	"github.com/opencontainers/runc/libcontainer"
	_ "github.com/opencontainers/runc/libcontainer/nsenter" // a constructor: creates the namespaces
	"golang.org/x/sys/unix"

	"github.com/soukproject/souk/agent/containerizer/runc/cgroup"
	"github.com/soukproject/souk/agent/containerizer/shim"
)

// Init is the stage of libcontainer inside the new namespaces. It never returns.
func Init() { libcontainer.Init() }

// Run is the whole of a shim: it launches the container recorded in dir and
// waits for its end. It returns only when the launch failed.
func Run(dir shim.Dir) error {
	spec, answer, err := shim.Begin(dir)
	if answer == nil {
		return err
	}
	var l launched
	if err == nil {
		err = launchPlanned(dir, spec)
	}
	if errors.Is(err, errByLibcontainer) {
		err = shim.Adopt()
		if spec.Config.TTY != nil || spec.Config.Stdin {
			err = errors.New("a terminal or standard input cannot be had together with volumes or an image: leave one of them out")
		}
	}
	if err == nil {
		l, err = launch(dir, spec)
	}
	if err != nil {
		answer.Failed(plain(err))
		return err
	}
	if err := answer.Running(l.init); err != nil {
		return err
	}
	return Wait(dir, spec, l.init.PID, l.report)
}

// launched is a container whose command runs.
type launched struct {
	init   shim.Process
	report *os.File
}

func launch(dir shim.Dir, spec shim.Spec) (l launched, err error) {
	if err := mountFiles(dir, &spec); err != nil {
		return l, err
	}
	shared, err := holdShared(spec)
	if err != nil {
		return l, err
	}
	defer shared.close()
	if !grouped(spec) {
		if err := lockCgroups(); err != nil {
			return l, err
		}
	}
	volumes, err := stageVolumes(dir, spec)
	if err != nil {
		return l, err
	}
	cfg, err := config(dir, spec, volumes, newFilters())
	if err != nil {
		return l, err
	}
	c, err := libcontainer.Create(dir.State(), spec.Config.ID, cfg)
	if err != nil {
		return l, err
	}
	l, err = start(dir, c, spec, shared)
	if err != nil {
		discard(c)
	}
	return l, err
}

// mountFiles gives the container its root: an image, or the machine's files.
func mountFiles(dir shim.Dir, spec *shim.Spec) error {
	if spec.Config.Rootfs != nil {
		return enterImage(dir, spec)
	}
	return mountRoot(dir.Root())
}

// mountRoot shows the machine's file system at root, in this mount namespace:
// the root of a container must be a mount of its own.
func mountRoot(root string) error {
	if err := os.Mkdir(root, 0o700); err != nil {
		return err
	}
	if err := unix.Mount("/", root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("mount the root file system for the container: %w", err)
	}
	return nil
}

// lockCgroups makes cgroups read-only in this mount namespace: libcontainer does
// without them only where it cannot have them.
func lockCgroups() error {
	tree, err := cgroup.Detect()
	if err != nil {
		return err
	}
	for _, mount := range tree.Mounts {
		if err := unix.Mount("", mount, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
			return fmt.Errorf("make %s read-only for the container: %w", mount, err)
		}
	}
	return nil
}

// start runs process 1 and the command, and records the former.
func start(dir shim.Dir, c *libcontainer.Container, spec shim.Spec, shared sharedGroups) (l launched, err error) {
	report, sender, err := os.Pipe()
	if err != nil {
		return l, err
	}
	defer sender.Close()
	p, files, err := process(spec, sender)
	defer closeAll(files)
	if err != nil {
		return l, err
	}
	if err := c.Start(p); err != nil {
		return l, err
	}
	pid, err := p.Pid()
	if err != nil {
		return l, err
	}
	l = launched{init: shim.Identify(pid), report: report}
	if err := dir.WriteInit(l.init); err != nil {
		return l, err
	}
	if err := shared.take(pid); err != nil {
		return l, err
	}
	if err := c.Exec(); err != nil {
		return l, err
	}
	sender.Close()
	return l, awaitCommand(report, spec.Program)
}

// process describes process 1 of the container. files are to be closed once it
// runs.
func process(spec shim.Spec, report *os.File) (p *libcontainer.Process, files []*os.File, err error) {
	me, err := os.Open(self)
	if err != nil {
		return nil, nil, err
	}
	stdin, err := os.Open(os.DevNull)
	if err != nil {
		return nil, []*os.File{me}, err
	}
	stdout, stderr, err := spec.Output()
	if err != nil {
		return nil, []*os.File{me, stdin}, err
	}
	return &libcontainer.Process{
		Init:             true,
		Args:             reapArgs(spec.Program),
		Env:              spec.Program.Environ(),
		UID:              spec.Program.UID,
		GID:              spec.Program.GID,
		AdditionalGroups: spec.Program.Groups,
		Cwd:              spec.Program.Dir,
		Stdin:            stdin,
		Stdout:           stdout,
		Stderr:           stderr,
		ExtraFiles:       []*os.File{report, me}, // STAGE_REPORT_FD, STAGE_SELF_FD
	}, []*os.File{me, stdin, stdout, stderr}, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// discard kills and removes a container that could not be launched.
func discard(c *libcontainer.Container) {
	c.Signal(unix.SIGKILL)
	for {
		pid, err := unix.Wait4(-1, nil, 0, nil)
		if pid <= 0 && !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err := c.Destroy(); err != nil {
		fmt.Fprintln(os.Stderr, err) // the agent removes what is left
	}
}

// plain rids an error of the runtime's own story.
func plain(err error) error {
	text := err.Error()
	for _, prefix := range []string{"unable to start container process: ", "error during container init: "} {
		text = strings.ReplaceAll(text, prefix, "")
	}
	return errors.New(text)
}
