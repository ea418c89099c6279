package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// dialIn connects from the network namespace of a process.
func dialIn(ctx context.Context, pid uint32, address string) (net.Conn, error) {
	theirs := fmt.Sprintf("/proc/%d/ns/net", pid)
	own, err := os.Readlink("/proc/self/ns/net")
	other, err2 := os.Readlink(theirs)
	if err := errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("find the network of the task: %w", err)
	}
	if own == other {
		return dial(ctx, address)
	}
	f, err := os.Open(theirs)
	if err != nil {
		return nil, fmt.Errorf("open the network of the task: %w", err)
	}
	defer f.Close()
	type answer struct {
		conn net.Conn
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		// The thread is not given back: it is in another network, and ends with
		// this goroutine.
		runtime.LockOSThread()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- answer{err: fmt.Errorf("enter the network of the task: %w", err)}
			return
		}
		c, err := dial(ctx, address)
		done <- answer{c, err}
	}()
	a := <-done
	return a.conn, a.err
}
