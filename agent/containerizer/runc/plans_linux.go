package runc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/soukproject/souk/agent/containerizer/runc/planner"
	"github.com/soukproject/souk/agent/containerizer/shim"
)

// plans asks a helper, started when it is needed, for the plans of containers. A
// helper that fails is replaced; until then a container's own shim makes its plan.
type plans struct {
	program string
	log     *zap.Logger

	mu     sync.Mutex
	cmd    *exec.Cmd // nil: none runs
	in     io.WriteCloser
	out    *os.File
	closed bool
}

// tooSlow is when a helper is given up.
const tooSlow = 10 * time.Second

// of returns the plan for dir; nil without an error means that there is none.
func (p *plans) of(dir shim.Dir) (*os.File, error) {
	answer, err := p.ask(dir)
	if err != nil {
		p.log.Warn("no plan from the helper", zap.Error(err))
		return nil, nil
	}
	switch answer.Kind {
	case planner.Planned:
		return inMemory(answer.Data)
	case planner.Failed:
		return nil, errors.New(string(answer.Data))
	}
	return nil, nil
}

func (p *plans) ask(dir shim.Dir) (a planner.Answer, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.start(); err != nil {
		return a, err
	}
	p.out.SetReadDeadline(time.Now().Add(tooSlow))
	if err = planner.WriteRequest(p.in, string(dir)); err == nil {
		a, err = planner.ReadAnswer(p.out)
	}
	if err != nil {
		p.stop()
	}
	return a, err
}

// start starts a helper unless one runs. p.mu is held.
func (p *plans) start() error {
	if p.cmd != nil {
		return nil
	}
	if p.closed {
		return os.ErrClosed
	}
	cmd := exec.Command(p.program)
	cmd.Args = []string{HelperName, "plan"}
	cmd.Env, cmd.Dir = shim.Environ(), "/"
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd, p.in, p.out = cmd, in, out.(*os.File)
	return nil
}

// stop ends the helper. p.mu is held.
func (p *plans) stop() {
	if p.cmd == nil {
		return
	}
	p.in.Close()
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	p.cmd = nil
}

func (p *plans) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.stop()
}

// inMemory holds a plan in a file without a name.
func inMemory(data []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("plan", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("keep a plan: %w", os.NewSyscallError("memfd_create", err))
	}
	f := os.NewFile(uintptr(fd), "plan")
	if _, err := f.Write(data); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
