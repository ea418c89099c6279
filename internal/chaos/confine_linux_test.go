package chaos

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/soukproject/souk/internal/zookeeper/zookeepertest"
)

// A run happens in namespaces of its own: of networks, so that it may cut what
// it likes; of processes, so that nothing outlives it; of mounts, for the other
// two. This program starts itself twice for that.
const (
	stage  = "SOUK_CHAOS_STAGE"
	first  = "first"  // the first process of the namespaces
	inside = "inside" // the test itself
)

func TestMain(m *testing.M) {
	if os.Getenv(stage) == first {
		os.Exit(beFirst())
	}
	os.Exit(m.Run())
}

// confined runs the test named again, with its own namespaces.
func confined(t *testing.T, limit time.Duration, args ...string) {
	t.Helper()
	if why := lacking(); why != "" {
		t.Skip(why)
	}
	cmd := exec.Command("/proc/self/exe", append([]string{"-test.run=^" + t.Name() + "$", "-test.timeout=" + limit.String()}, args...)...)
	cmd.Env = append(os.Environ(), stage+"="+first)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL, // it all ends when this process does
	}
	runtime.LockOSThread() // the signal comes at the death of the thread
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL) {
		t.Skipf("namespaces cannot be made here: %v", err)
	}
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		t.Errorf("the run inside its namespaces: %v", err)
	}
}

// lacking says what is missing for a run, "" if nothing is.
func lacking() string {
	if os.Geteuid() != 0 {
		return "not root: network namespaces cannot be made"
	}
	for _, program := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(program); err != nil {
			return "no " + program + " on this machine: install iproute2 and util-linux"
		}
	}
	for _, name := range []string{"souk", "souk-containerizer"} {
		if _, err := os.Stat(binary(name)); err != nil {
			return "bin/" + name + " is not built: run make build"
		}
	}
	return zookeepertest.Absent()
}

func binary(name string) string {
	path, err := filepath.Abs("../../bin/" + name)
	if err != nil {
		return name // there is no working directory: starting it will say so
	}
	return path
}

// beFirst prepares the namespaces, starts the test, and waits for every process
// whose parent has died, as an init does. Its own end ends them all.
func beFirst() int {
	if err := prepareMounts(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), stage+"="+inside)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			fmt.Fprintln(os.Stderr, err)
			return 1
		case pid == cmd.Process.Pid:
			return status.ExitStatus()
		}
	}
}

// prepareMounts hides the processes and named networks of the machine.
func prepareMounts() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := os.MkdirAll(namedNetworks, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", namedNetworks, "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount %s: %w", namedNetworks, err)
	}
	return nil
}
