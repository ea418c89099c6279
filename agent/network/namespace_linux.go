package network

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// makeNamespace creates a network namespace that file leads to for as long as
// it is mounted there.
func makeNamespace(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		return err
	}
	f.Close()
	return onLostThread(func() error { return bindNewNamespace(file) })
}

// onLostThread runs f on a thread that ends with it, whatever namespaces f moves
// it to. The process' first thread is not taken: it cannot end, would hold the
// namespace, and /proc/self would show it to everybody.
func onLostThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			err := onLostThread(f) // on another one, while this one is held
			runtime.UnlockOSThread()
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}

func bindNewNamespace(file string) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("create a network namespace: %w", err)
	}
	own := fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid())
	if err := unix.Mount(own, file, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("keep the network namespace at %s: %w", file, err)
	}
	return nil
}

// dropNamespace undoes makeNamespace, however far it came. Links in the
// namespace go with it, once its last process has ended.
func dropNamespace(file string) error {
	for {
		err := unix.Unmount(file, unix.MNT_DETACH)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			break // not mounted any more
		}
		if err != nil {
			return fmt.Errorf("unmount %s: %w", file, err)
		}
	}
	if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}
