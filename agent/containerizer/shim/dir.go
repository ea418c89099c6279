package shim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/soukproject/souk/agent/containerizer"
)

// Dir is the directory of one container.
type Dir string

// Spec is what a shim needs to know.
type Spec struct {
	Config    containerizer.Config `json:"config"`
	Program   Program              `json:"program"`
	Isolation Isolation            `json:"isolation"`
	Parent    *Parent              `json:"parent,omitempty"` // of a nested container
}

// Parent is the running container that a nested one enters.
type Parent struct {
	Init   Process `json:"init"`
	Cgroup string  `json:"cgroup,omitempty"`
}

// Isolation is what only an isolating containerizer sets.
type Isolation struct {
	Cgroup string `json:"cgroup,omitempty"` // path below the hierarchies' roots; "" means no cgroups
	// Libcontainer launches the container with its own code alone, for comparison.
	Libcontainer bool     `json:"libcontainer,omitempty"`
	Shared       bool     `json:"shared,omitempty"` // the cgroup is that of the parent
	OOMScoreAdj  *int     `json:"oom_score_adj,omitempty"`
	Seccomp      bool     `json:"seccomp,omitempty"`
	Mask         []string `json:"mask,omitempty"` // directories the command must not see
}

// Process names a process for longer than its pid is its own.
type Process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start,omitempty"` // in clock ticks since boot; 0 when the system does not tell
}

// Path is the place of a file of the container.
func (d Dir) Path(name string) string { return filepath.Join(string(d), name) }

// State is a subdirectory free for what an implementation keeps per container.
func (d Dir) State() string { return d.Path("state") }

// Root is a subdirectory to mount a root filesystem on.
func (d Dir) Root() string { return d.Path("rootfs") }

// Changes is a subdirectory for what the container changes in its image.
func (d Dir) Changes() string { return d.Path("upper") }

// ReadSpec returns what the agent asked for.
func (d Dir) ReadSpec() (Spec, error) {
	var s Spec
	return s, d.readJSON("spec.json", &s)
}

// WriteSpec replaces the spec. It need not survive a crash of the machine,
// which no container survives either.
func (d Dir) WriteSpec(s Spec) error { return d.writeJSON("spec.json", s) }

// WriteShim records the calling process as the shim.
func (d Dir) WriteShim() error { return d.writeJSON("shim.pid", Identify(os.Getpid())) }

// WriteInit records the first process of the container.
func (d Dir) WriteInit(p Process) error { return d.writeJSON("pid", p) }

// WriteFailure records that the command never ran and why.
func (d Dir) WriteFailure(text string) error { return d.writeExit("fail " + text) }

// WriteExit records the raw wait status of the container's first process.
func (d Dir) WriteExit(status int) error { return d.writeExit(fmt.Sprintf("wait %d", status)) }

// ReadShim returns who the shim is.
func (d Dir) ReadShim() (p Process, err error) { return p, d.readJSON("shim.pid", &p) }

// ReadInit returns who the first process is.
func (d Dir) ReadInit() (p Process, err error) { return p, d.readJSON("pid", &p) }

func (d Dir) readJSON(name string, v any) error {
	data, err := os.ReadFile(d.Path(name))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read %s: %w", d.Path(name), err)
	}
	return nil
}

func (d Dir) writeJSON(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	tmp := d.Path(name + ".tmp")
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, d.Path(name))
}

// exitRoom is what a record of the end may take, in bytes.
const exitRoom = 1 << 10

// ReserveExit takes the room for the record of the end, which a command that
// fills the disk must not prevent.
func (d Dir) ReserveExit() error {
	return os.WriteFile(d.Path("exit.tmp"), bytes.Repeat([]byte(" "), exitRoom), 0o600)
}

// writeExit writes into the room that was reserved, if it was.
func (d Dir) writeExit(text string) error {
	f, err := os.OpenFile(d.Path("exit.tmp"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := f.WriteString(strings.ReplaceAll(text, "\n", " ") + "\n")
	if err != nil {
		return err
	}
	if err := f.Truncate(int64(n)); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return os.Rename(d.Path("exit.tmp"), d.Path("exit"))
}

// ReadExit returns the recorded end. ok is false while there is none.
func (d Dir) ReadExit() (t containerizer.Termination, ok bool, err error) {
	data, err := os.ReadFile(d.Path("exit"))
	if errors.Is(err, fs.ErrNotExist) {
		return t, false, nil
	}
	if err != nil {
		return t, false, err
	}
	info, err := os.Stat(d.Path("exit"))
	if err != nil {
		return t, false, err
	}
	t = parseExit(string(data))
	t.When = info.ModTime()
	return t, true, nil
}

// parseExit reads "wait STATUS" or "fail TEXT"; anything else is lost.
func parseExit(text string) containerizer.Termination {
	kind, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	switch kind {
	case "wait":
		if status, err := strconv.ParseInt(rest, 10, 32); err == nil && status >= 0 {
			return containerizer.Termination{Known: true, Status: int(status)}
		}
	case "fail":
		return containerizer.Termination{Reason: "launch failed: " + rest}
	}
	return containerizer.Termination{Reason: containerizer.Lost}
}

// Log returns the end of what the shim wrote to its standard error, in one line.
func (d Dir) Log() string {
	data, err := os.ReadFile(d.Path("log"))
	if err != nil {
		return ""
	}
	const enough = 400
	if len(data) > enough {
		data = data[len(data)-enough:]
	}
	return strings.Join(strings.Fields(string(data)), " ")
}

// Lock takes the lock for a shim that is about to be started.
func (d Dir) Lock() (*os.File, error) {
	f, err := os.OpenFile(d.Path("lock"), os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Locked reports whether a shim lives.
func (d Dir) Locked() (bool, error) {
	f, err := os.Open(d.Path("lock"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}
