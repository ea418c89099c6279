//go:build linux && cgo

package launcher

/*
#include "plan.h"
*/
import "C"

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A plan tells perform.c what to do, in the order of the calls. See plan.h for
// the steps.
type plan struct {
	bytes []byte
	err   error // the first of them
}

func (p *plan) output(fd int, path string, uid, gid int, links bool) {
	n := []int64{int64(fd), int64(uid), int64(gid), 1}
	if links {
		n[3] = 0
	}
	p.add(C.PLAN_OUTPUT, n, path)
}

func (p *plan) target(pid int, start uint64) {
	p.add(C.PLAN_TARGET, []int64{int64(pid), int64(start)})
}

func (p *plan) join(path string)             { p.add(C.PLAN_JOIN, nil, path) }
func (p *plan) hostname(name string)         { p.add(C.PLAN_HOSTNAME, nil, name) }
func (p *plan) attr(path string, set uint64) { p.add(C.PLAN_ATTR, []int64{int64(set)}, path) }

func (p *plan) rlimit(kind int, soft, hard uint64) {
	p.add(C.PLAN_RLIMIT, []int64{int64(kind), int64(soft), int64(hard)})
}

func (p *plan) start(flags int64)        { p.add(C.PLAN_START, []int64{flags}) }
func (p *plan) enter(namespaces int64)   { p.add(C.PLAN_ENTER, []int64{namespaces}) }
func (p *plan) unshare(namespaces int64) { p.add(C.PLAN_UNSHARE, []int64{namespaces}) }
func (p *plan) write(path, text string)  { p.add(C.PLAN_WRITE, nil, path, text) }
func (p *plan) mask(path string)         { p.add(C.PLAN_MASK, nil, path) }
func (p *plan) readonly(path string)     { p.add(C.PLAN_READONLY, nil, path) }
func (p *plan) chdir(path string)        { p.add(C.PLAN_CHDIR, nil, path) }

// filter is applied in process 1 before it makes the command if early is set, or
// else in each of them when they need nothing more: a list that a task brings may
// forbid what it takes to get there.
func (p *plan) filter(s sieve, early bool) {
	n := []int64{s.flags, 0}
	if early {
		n[1] = 1
	}
	p.addBytes(C.PLAN_FILTER, n, s.code)
}

func (p *plan) mount(source, target, kind string, flags int64, data string) {
	p.add(C.PLAN_MOUNT, []int64{flags}, source, target, kind, data)
}

// input gives the command the file that the shim inherited for it, alone or as a
// terminal.
func (p *plan) input(terminal bool) {
	var n int64
	if terminal {
		n = 1
	}
	p.add(C.PLAN_INPUT, []int64{n})
}

// become gives up everything that id does not have. Privileges do not come back.
func (p *plan) become(id identity) {
	var groups []byte
	for _, gid := range id.groups {
		groups = binary.NativeEndian.AppendUint32(groups, uint32(gid))
	}
	n := []int64{int64(id.uid), int64(id.gid), int64(id.bounding), int64(id.permitted), int64(id.effective)}
	p.addBytes(C.PLAN_BECOME, n, groups)
}

// idle is the last step of a container that runs nothing.
func (p *plan) idle() { p.add(C.PLAN_IDLE, nil) }

// run is the last step of any other.
func (p *plan) run(path string, argv, env []string) {
	p.add(C.PLAN_ARGV, nil, argv...)
	p.add(C.PLAN_ENV, nil, env...)
	p.add(C.PLAN_RUN, nil, path)
}

func (p *plan) add(kind uint32, n []int64, strs ...string) {
	var data []byte
	for _, s := range strs {
		if strings.ContainsRune(s, 0) {
			p.err = errors.Join(p.err, fmt.Errorf("%q holds a NUL byte", s))
		}
		data = append(append(data, s...), 0)
	}
	p.append(kind, n, uint32(len(strs)), data)
}

func (p *plan) addBytes(kind uint32, n []int64, data []byte) { p.append(kind, n, 0, data) }

// append writes one struct plan_step.
func (p *plan) append(kind uint32, n []int64, strs uint32, data []byte) {
	var s C.struct_plan_step
	size := (uint32(unsafe.Sizeof(s)) + uint32(len(data)) + 7) &^ 7
	end := len(p.bytes) + int(size)
	for _, v := range []uint32{kind, size, strs, uint32(len(data))} {
		p.bytes = binary.NativeEndian.AppendUint32(p.bytes, v)
	}
	for i := range len(s.n) {
		var v int64
		if i < len(n) {
			v = n[i]
		}
		p.bytes = binary.NativeEndian.AppendUint64(p.bytes, uint64(v))
	}
	p.bytes = append(p.bytes, data...)
	p.bytes = append(p.bytes, make([]byte, end-len(p.bytes))...)
}

// file holds the plan in memory, for another process.
func (p *plan) file() (*os.File, error) {
	if p.err != nil {
		return nil, p.err
	}
	fd, err := unix.MemfdCreate("plan", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "plan")
	if _, err := f.Write(p.bytes); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
