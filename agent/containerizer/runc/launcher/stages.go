//go:build linux && cgo

package launcher

/*
#include "stages.h"
*/
import "C"

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/soukproject/souk/agent/containerizer/shim"
)

// program is argv[0] of every stage.
const program = "souk-containerizer"

// self is this program, also when its file has been replaced or was never one.
const self = "/proc/self/exe"

// Wait turns the calling shim into the loop that waits for pid. report is the
// pipe from process 1 of the container, or nil. It returns only on failure.
func Wait(dir shim.Dir, spec shim.Spec, pid int, report *os.File) error {
	if err := shim.Hold(spec); err != nil {
		return fmt.Errorf("keep the lock: %w", err)
	}
	fd := -1
	if report != nil {
		dup, err := syscall.Dup(int(report.Fd())) // a copy is not closed on exec
		if err != nil {
			return err
		}
		fd = dup
	}
	argv := []string{program, "wait", string(dir), strconv.Itoa(pid), strconv.Itoa(fd)}
	return os.NewSyscallError("execve", syscall.Exec(self, argv, shim.Environ()))
}

// reapArgs is the command line of process 1 of a container that runs p.
func reapArgs(p shim.Program) []string {
	drop := "HOME" // set by libcontainer
	for _, kv := range p.Env {
		if strings.HasPrefix(kv, "HOME=") {
			drop = ""
		}
	}
	return append([]string{fmt.Sprintf("/proc/self/fd/%d", C.STAGE_SELF_FD), "reap", drop, p.Path}, p.Argv...)
}

// awaitCommand reads from process 1 whether the command runs.
func awaitCommand(report io.Reader, p shim.Program) error {
	var r [C.sizeof_struct_stage_record]byte
	if _, err := io.ReadFull(report, r[:]); err != nil {
		return fmt.Errorf("the container ended before its command ran; is its memory limit too small?")
	}
	kind, value := binary.NativeEndian.Uint32(r[:4]), binary.NativeEndian.Uint32(r[4:])
	switch kind {
	case C.STAGE_RUNS:
		return nil
	case C.STAGE_FAILED:
		return shim.ExecError(p, syscall.Errno(value))
	}
	return fmt.Errorf("process 1 of the container sent a record of kind %d", kind)
}
