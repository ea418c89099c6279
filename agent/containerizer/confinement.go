package containerizer

import (
	"fmt"
	"slices"
	"strings"
)

// Confinement is what a command may do beyond or below what commands may anyway.
// The zero value changes nothing. Only a containerizer that isolates has it.
type Confinement struct {
	Rlimits []Rlimit `json:"rlimits,omitempty"`

	// Capabilities without their prefix CAP_, in place of the default ones. One
	// of both that is nil is as the other. Effective ones need the user root.
	Bounding  []string `json:"bounding"`
	Effective []string `json:"effective"`

	Unconfined bool   `json:"unconfined,omitempty"` // no filter of system calls
	Seccomp    string `json:"seccomp,omitempty"`    // a filter in Docker's JSON in place of the default one

	ShareIPC bool  `json:"share_ipc,omitempty"` // the machine's, /dev/shm included
	ShmSize  int64 `json:"shm_size,omitempty"`  // bytes of /dev/shm; 0: half the memory
}

// An Rlimit bounds a resource of each process; see getrlimit(2).
type Rlimit struct {
	Kind       string `json:"kind"` // as RLIMIT_NOFILE without its prefix: NOFILE
	Soft, Hard uint64 // NoLimit: none
}

// NoLimit is an Rlimit that does not limit.
const NoLimit = ^uint64(0)

// rlimits are the kinds there are, by their numbers in Linux.
var rlimits = []string{
	"CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS",
	"LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
}

// Number is what Linux calls the kind of r; -1 if there is none.
func (r Rlimit) Number() int { return slices.Index(rlimits, r.Kind) }

// DefaultCapabilities are those of a command that asks for none, if it is root:
// Docker's default without NET_RAW and MKNOD, which forge packets and devices.
func DefaultCapabilities() []string {
	return []string{
		"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL",
		"NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
	}
}

// maxFilter bounds the filter that a task brings.
const maxFilter = 1 << 20

// check says what is wrong with c, or nil.
func (c Confinement) check() error {
	var kinds []string
	for _, r := range c.Rlimits {
		switch {
		case r.Number() < 0:
			return fmt.Errorf("limit of %q: there are %s", r.Kind, strings.Join(rlimits, ", "))
		case r.Soft > r.Hard:
			return fmt.Errorf("limit of %s: its soft limit %d is above the hard one, %d", r.Kind, r.Soft, r.Hard)
		case slices.Contains(kinds, r.Kind):
			return fmt.Errorf("limit of %s is given twice", r.Kind)
		}
		kinds = append(kinds, r.Kind)
	}
	for _, name := range slices.Concat(c.Bounding, c.Effective) {
		if name == "" || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" || strings.HasPrefix(name, "CAP_") {
			return fmt.Errorf("capability %.40q: write it as NET_ADMIN", name)
		}
	}
	for _, name := range c.Effective {
		if c.Bounding != nil && !slices.Contains(c.Bounding, name) {
			return fmt.Errorf("effective capability %s is not among the bounding ones", name)
		}
	}
	switch {
	case c.Unconfined && c.Seccomp != "":
		return fmt.Errorf("a filter of system calls and none are both asked for")
	case len(c.Seccomp) > maxFilter:
		return fmt.Errorf("the filter of system calls has %d bytes, the limit is %d", len(c.Seccomp), maxFilter)
	case c.ShmSize < 0:
		return fmt.Errorf("size %d of /dev/shm is negative", c.ShmSize)
	case c.ShmSize > 0 && c.ShareIPC:
		return fmt.Errorf("a size of /dev/shm needs a private one")
	}
	return nil
}

// Asks names the first thing that c asks for, "" if nothing.
func (c Confinement) Asks() string {
	switch {
	case len(c.Rlimits) > 0:
		return "a limit of " + c.Rlimits[0].Kind
	case c.Bounding != nil || c.Effective != nil:
		return "a set of capabilities"
	case c.Unconfined || c.Seccomp != "":
		return "a filter of system calls"
	case c.ShareIPC:
		return "the machine's IPC namespace"
	case c.ShmSize > 0:
		return "a size of /dev/shm"
	}
	return ""
}
