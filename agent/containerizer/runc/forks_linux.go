package runc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/soukproject/souk/agent/containerizer/keeper"
	"github.com/soukproject/souk/agent/containerizer/shim"
)

// forks asks a helper, started when it is needed, to fork shims. It has executed
// its program already and maps next to nothing, so that a fork of it costs a
// fraction of a shim that is executed. Its children are the agent's.
type forks struct {
	program string
	log     *zap.Logger

	mu     sync.Mutex
	cmd    *exec.Cmd // nil: none runs
	conn   *net.UnixConn
	closed bool
}

// errNobody says that no shim was forked.
var errNobody = errors.New("no helper that forks")

// fork starts a shim for dir with files as its first ones. A helper that was
// killed is replaced.
func (f *forks) fork(dir shim.Dir, files []*os.File) (pid int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range 2 {
		if err = f.start(); err == nil {
			pid, err = f.ask(dir, files)
		} else {
			err = fmt.Errorf("%w: %w", errNobody, err)
		}
		nobody := errors.Is(err, errNobody)
		if nobody || errors.Is(err, keeper.ErrUnsure) {
			f.log.Warn("helper that forks replaced", zap.Error(err))
			f.stop()
		}
		if !nobody {
			break
		}
	}
	return pid, err
}

func (f *forks) ask(dir shim.Dir, files []*os.File) (pid int, err error) {
	f.conn.SetDeadline(time.Now().Add(tooSlow))
	if _, _, err := f.conn.WriteMsgUnix([]byte(dir), unix.UnixRights(numbers(files)...), nil); err != nil {
		return 0, fmt.Errorf("%w: %w", errNobody, err)
	}
	var answer [4]byte
	n, err := f.conn.Read(answer[:])
	switch {
	case errors.Is(err, syscall.ECONNRESET): // it died without having read
		return 0, fmt.Errorf("%w: %w", errNobody, err)
	case err != nil || n != len(answer):
		return 0, keeper.ErrUnsure
	}
	pid = int(int32(binary.NativeEndian.Uint32(answer[:])))
	if pid < 0 {
		return 0, fmt.Errorf("fork a shim: %w", syscall.Errno(-pid))
	}
	return pid, nil
}

func numbers(files []*os.File) (fds []int) {
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	return fds
}

// titleRoom is what a shim may show of the name of its directory in a list of
// processes, in bytes.
const titleRoom = 1 << 10

// start starts a helper unless one runs. f.mu is held.
func (f *forks) start() error {
	if f.cmd != nil {
		return nil
	}
	if f.closed {
		return os.ErrClosed
	}
	mine, theirs, err := socketPair()
	if err != nil {
		return err
	}
	defer theirs.Close()
	cmd := exec.Command(f.program)
	cmd.Args = []string{HelperName, "fork", strings.Repeat(" ", titleRoom)}
	cmd.Env, cmd.Dir, cmd.Stdin = shim.Environ(), "/", theirs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		mine.Close()
		return err
	}
	f.cmd, f.conn = cmd, mine
	return nil
}

func socketPair() (mine *net.UnixConn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	file := os.NewFile(uintptr(fds[0]), "forks")
	theirs = os.NewFile(uintptr(fds[1]), "forks")
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn.(*net.UnixConn), theirs, nil
}

// stop ends the helper. f.mu is held.
func (f *forks) stop() {
	if f.cmd == nil {
		return
	}
	f.conn.Close()
	_ = f.cmd.Process.Kill()
	_ = f.cmd.Wait()
	f.cmd = nil
}

func (f *forks) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.stop()
}
