//go:build linux && cgo && seccomp

package launcher

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/opencontainers/runc/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// compile makes of a list of system calls the program that libcontainer would
// load, and the flags to load it with. A plan carries it, so that it is made once
// and not in every container.
func compile(c *configs.Seccomp) (program []byte, flags int64, err error) {
	f, err := newFilter(c)
	if err != nil {
		return nil, 0, fmt.Errorf("seccomp: %w", err)
	}
	defer f.Release()
	for _, flag := range c.Flags {
		switch flag {
		case specs.LinuxSeccompFlagLog:
			flags |= unix.SECCOMP_FILTER_FLAG_LOG
		case specs.LinuxSeccompFlagSpecAllow:
			flags |= unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
		case "SECCOMP_FILTER_FLAG_TSYNC": // there is one thread
		default:
			return nil, 0, fmt.Errorf("seccomp: flag %s is not supported", flag)
		}
	}
	if program, err = export(f); err != nil {
		return nil, 0, fmt.Errorf("seccomp: %w", err)
	}
	return append(unknownCalls(c), program...), flags, nil
}

func newFilter(c *configs.Seccomp) (*libseccomp.ScmpFilter, error) {
	otherwise, err := action(c.DefaultAction, c.DefaultErrnoRet)
	if err != nil {
		return nil, err
	}
	f, err := libseccomp.NewFilter(otherwise)
	if err != nil {
		return nil, err
	}
	if err := fill(f, c, otherwise); err != nil {
		f.Release()
		return nil, err
	}
	return f, nil
}

func fill(f *libseccomp.ScmpFilter, c *configs.Seccomp, otherwise libseccomp.ScmpAction) error {
	for _, name := range c.Architectures {
		arch, err := libseccomp.GetArchFromString(name)
		if err != nil {
			return err
		}
		if err := f.AddArch(arch); err != nil {
			return err
		}
	}
	if len(c.Syscalls) > 32 {
		_ = f.SetOptimize(2) // a search tree instead of a list; older libraries have none
	}
	for _, call := range c.Syscalls {
		if err := addRule(f, call, otherwise); err != nil {
			return fmt.Errorf("system call %s: %w", call.Name, err)
		}
	}
	return nil
}

func addRule(f *libseccomp.ScmpFilter, call *configs.Syscall, otherwise libseccomp.ScmpAction) error {
	act, err := action(call.Action, call.ErrnoRet)
	if err != nil || act == otherwise {
		return err
	}
	number, err := libseccomp.GetSyscallFromName(call.Name)
	if err != nil {
		return nil // not a call of this machine
	}
	if len(call.Args) == 0 {
		return f.AddRule(number, act)
	}
	var all []libseccomp.ScmpCondition
	seen := map[uint]bool{}
	alternatives := false // several conditions on one argument: any of them
	for _, arg := range call.Args {
		cond, err := condition(arg)
		if err != nil {
			return err
		}
		alternatives = alternatives || seen[arg.Index]
		seen[arg.Index] = true
		all = append(all, cond)
	}
	if !alternatives {
		return f.AddRuleConditional(number, act, all)
	}
	for _, cond := range all {
		if err := f.AddRuleConditional(number, act, []libseccomp.ScmpCondition{cond}); err != nil {
			return err
		}
	}
	return nil
}

func condition(a *configs.Arg) (libseccomp.ScmpCondition, error) {
	op, ok := map[configs.Operator]libseccomp.ScmpCompareOp{
		configs.EqualTo:              libseccomp.CompareEqual,
		configs.NotEqualTo:           libseccomp.CompareNotEqual,
		configs.GreaterThan:          libseccomp.CompareGreater,
		configs.GreaterThanOrEqualTo: libseccomp.CompareGreaterEqual,
		configs.LessThan:             libseccomp.CompareLess,
		configs.LessThanOrEqualTo:    libseccomp.CompareLessOrEqual,
		configs.MaskEqualTo:          libseccomp.CompareMaskedEqual,
	}[a.Op]
	if !ok {
		return libseccomp.ScmpCondition{}, fmt.Errorf("operator %v is not known", a.Op)
	}
	return libseccomp.MakeCondition(a.Index, op, a.Value, a.ValueTwo)
}

func action(a configs.Action, errno *uint) (libseccomp.ScmpAction, error) {
	code := int16(unix.EPERM)
	if errno != nil {
		code = int16(*errno)
	}
	switch a {
	case configs.Kill, configs.KillThread:
		return libseccomp.ActKillThread, nil
	case configs.KillProcess:
		return libseccomp.ActKillProcess, nil
	case configs.Errno:
		return libseccomp.ActErrno.SetReturnCode(code), nil
	case configs.Trace:
		return libseccomp.ActTrace.SetReturnCode(code), nil
	case configs.Trap:
		return libseccomp.ActTrap, nil
	case configs.Allow:
		return libseccomp.ActAllow, nil
	case configs.Log:
		return libseccomp.ActLog, nil
	}
	return libseccomp.ActInvalid, fmt.Errorf("action %v is not supported", a)
}

// export reads the program through a pipe, which is how the library gives it.
func export(f *libseccomp.ScmpFilter) ([]byte, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	failed := make(chan error, 1)
	go func() {
		defer w.Close()
		failed <- f.ExportBPF(w)
	}()
	program, err := io.ReadAll(r)
	return program, errors.Join(err, <-failed)
}

// unknownCalls answers "not implemented" to calls newer than the newest of the
// list, before the list itself would say "not permitted": programs try new calls
// and fall back on old ones only after the former. The kernel's numbers grow.
func unknownCalls(c *configs.Seccomp) []byte {
	const enosys = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	arch, ok := map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]
	permissive := c.DefaultAction == configs.Allow || c.DefaultAction == configs.Log || c.DefaultAction == configs.Trace
	if !ok || permissive || c.DefaultErrnoRet != nil && *c.DefaultErrnoRet == uint(unix.ENOSYS) {
		return nil
	}
	newest := uint32(0)
	for _, call := range c.Syscalls {
		if n, err := libseccomp.GetSyscallFromName(call.Name); err == nil && n > 0 {
			newest = max(newest, uint32(n))
		}
	}
	const x32 = 1 << 30 // another set of numbers, which the list itself refuses
	const load, equal, greater, least, always, ret = 0x20, 0x15, 0x25, 0x35, 0x05, 0x06
	var b []byte
	for _, i := range []unix.SockFilter{
		{Code: load, K: 4}, // the architecture
		{Code: equal, K: arch, Jf: 5},
		{Code: load, K: 0}, // the number
		{Code: least, K: x32, Jt: 3},
		{Code: greater, K: newest, Jt: 1},
		{Code: always, K: 1},
		{Code: ret, K: enosys},
	} {
		b = binary.NativeEndian.AppendUint16(b, i.Code)
		b = append(b, i.Jt, i.Jf)
		b = binary.NativeEndian.AppendUint32(b, i.K)
	}
	return b
}
