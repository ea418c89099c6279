package fetcher

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/soukproject/souk/agent/account"
)

// openAs opens a file with the rights of user, nil being the agent itself. The
// rights are a thread's, and that thread is not used again.
func openAs(path string, user *account.Account) (*os.File, error) {
	if user == nil || user.UID == os.Getuid() {
		return os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	}
	type result struct {
		file *os.File
		err  error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		file, err := openHere(path, user)
		done <- result{file, err}
	}()
	r := <-done
	return r.file, r.err
}

func openHere(path string, user *account.Account) (*os.File, error) {
	if err := unix.Setgroups(user.Groups); err != nil { // of this thread alone
		return nil, os.NewSyscallError("setgroups", err)
	}
	if err := unix.Setfsgid(user.GID); err != nil {
		return nil, os.NewSyscallError("setfsgid", err)
	}
	if err := unix.Setfsuid(user.UID); err != nil {
		return nil, os.NewSyscallError("setfsuid", err)
	}
	return os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
}
