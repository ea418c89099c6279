package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// A shim inherits two files beside the standard three.
const (
	readyFD = 3 // answers once: k and a Process, or e and a text
	lockFD  = 4

	// Only a shim with Input or a terminal inherits these. The first is for the
	// command, the second the shim keeps open: a terminal must not hang up when the
	// agent goes away.
	inputFD  = 6
	masterFD = TerminalFD
)

// TerminalFD is by which number a shim keeps a terminal for the next agent.
const TerminalFD = 7

// guard is set in the environment of every shim. A program that becomes a shim
// by running itself again must not do so without end.
const guard = "SOUK_SHIM"

// Environ is the environment of a shim.
func Environ() []string { return []string{guard + "=1", "GOMAXPROCS=1"} }

// Inside reports whether the calling process was started as a shim.
func Inside() bool { return os.Getenv(guard) != "" }

// maxReady bounds the answer of a shim.
const maxReady = 64 << 10

// A Reporter is the shim's end of the ready pipe.
type Reporter struct {
	dir  Dir
	pipe *os.File
}

// Begin is the first thing a shim does. It records the shim, keeps its files
// from the command and reads what to run.
func Begin(dir Dir) (Spec, *Reporter, error) {
	for _, fd := range []int{readyFD, lockFD, inputFD, masterFD} {
		syscall.CloseOnExec(fd)
	}
	r := &Reporter{dir: dir, pipe: os.NewFile(readyFD, "ready pipe")}
	var st syscall.Stat_t
	if r.pipe == nil || syscall.Fstat(readyFD, &st) != nil || syscall.Fstat(lockFD, &st) != nil {
		return Spec{}, nil, errors.New("a shim is started by the agent only")
	}
	if err := errors.Join(dir.WriteShim(), dir.ReserveExit()); err != nil {
		return Spec{}, r, err
	}
	spec, err := dir.ReadSpec()
	return spec, r, err
}

// Running reports that the command runs. An agent that died meanwhile is no
// error: another will find the container.
func (r *Reporter) Running(p Process) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	r.pipe.Write(append([]byte("k"), data...))
	return r.pipe.Close()
}

// Failed reports why the command does not run, to the agent and on disk.
func (r *Reporter) Failed(err error) {
	r.dir.WriteFailure(err.Error())
	r.pipe.Write([]byte("e" + err.Error()))
	r.pipe.Close()
}

// Hold prepares the shim's lock, and a terminal, for an execve by which the
// process becomes a smaller one.
func Hold(s Spec) error {
	if s.Config.TTY != nil {
		if err := keepOnExec(masterFD); err != nil {
			return err
		}
	}
	return keepOnExec(lockFD)
}

func keepOnExec(fd uintptr) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_SETFD, 0); errno != 0 {
		return os.NewSyscallError("fcntl", errno)
	}
	return nil
}

// Input opens what the command reads, to be closed once it runs.
func (s Spec) Input() (*os.File, error) {
	if s.Config.TTY == nil && !s.Config.Stdin {
		return os.Open(os.DevNull)
	}
	return os.NewFile(inputFD, "standard input"), nil
}

// A Refusal says that the kernel refused to run the command; see ExecError.
type Refusal struct{ Errno syscall.Errno }

func (r *Refusal) Error() string { return "the command cannot be run: " + r.Errno.Error() }

// ErrDied says that a shim ended without an answer.
var ErrDied = errors.New("the shim died without an answer")

// Await reads a shim's answer.
func Await(pipe io.Reader) (Process, error) {
	data, err := io.ReadAll(io.LimitReader(pipe, maxReady))
	if err != nil {
		return Process{}, err
	}
	if len(data) == 0 {
		return Process{}, ErrDied
	}
	switch data[0] {
	case 'k':
		var p Process
		if err := json.Unmarshal(data[1:], &p); err != nil {
			return Process{}, fmt.Errorf("answer of the shim: %w", err)
		}
		return p, nil
	case 'x':
		n, err := strconv.Atoi(string(data[1:]))
		if err != nil {
			return Process{}, fmt.Errorf("answer of the shim: %w", err)
		}
		return Process{}, &Refusal{Errno: syscall.Errno(n)}
	case 'e':
		return Process{}, errors.New(strings.Join(strings.Fields(string(data[1:])), " "))
	}
	return Process{}, fmt.Errorf("answer of the shim begins with %q", data[0])
}
