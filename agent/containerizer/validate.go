package containerizer

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
)

// Bounds of what Check accepts. The kernel refuses a single argument above
// 128 KiB and everything together above a quarter of the stack limit.
const (
	maxID   = 200
	maxText = 1 << 20
	maxArg  = 128<<10 - 1
)

// Check says what is wrong with c, or nil. It looks at c alone, not at the
// machine. Every implementation refuses what Check refuses.
func (c Config) Check() error {
	if err := CheckID(c.ID); err != nil {
		return err
	}
	if !filepath.IsAbs(c.Sandbox) {
		return fmt.Errorf("sandbox %q is not an absolute path", c.Sandbox)
	}
	if c.Network != "" && badPath(c.Network) {
		return fmt.Errorf("network namespace %q is not an absolute path", c.Network)
	}
	if strings.ContainsAny(c.Hostname, "/\x00 ") || len(c.Hostname) > 64 {
		return fmt.Errorf("hostname %q: use at most 64 letters, digits, hyphens and dots", c.Hostname)
	}
	if err := c.checkParent(); err != nil {
		return err
	}
	if err := c.checkIdle(); err != nil {
		return err
	}
	if err := c.Rootfs.check(); err != nil {
		return err
	}
	if c.Rootfs != nil && c.Parent != "" && !c.Apart {
		return fmt.Errorf("a nested container sees the files of its parent: it cannot have an image of its own")
	}
	if err := checkMounts(c.Mounts); err != nil {
		return err
	}
	if err := c.Confinement.check(); err != nil {
		return err
	}
	return c.Limits.Check()
}

func (c Config) checkParent() error {
	switch {
	case c.Parent == "" && c.OwnPIDs:
		return fmt.Errorf("own process ids are for nested containers: every other has them anyway")
	case c.Parent == "" && c.Apart:
		return fmt.Errorf("there is no parent container to be apart from")
	case c.Parent == "" && c.Inherit:
		return fmt.Errorf("there is no parent container whose environment could be inherited")
	case c.Parent == "":
		return nil
	case c.Parent == c.ID:
		return fmt.Errorf("container %s cannot be nested in itself", c.ID)
	case c.Apart && c.Hostname != "" && c.Network == "":
		return fmt.Errorf("hostname %q: a container has that of what it is nested in, unless it has a network of its own", c.Hostname)
	case c.Apart:
		return CheckID(c.Parent)
	case c.Hostname != "":
		return fmt.Errorf("hostname %q: a nested container has that of its parent", c.Hostname)
	case len(c.Mounts) > 0:
		return fmt.Errorf("volume %s: a nested container has those of its parent", c.Mounts[0].Target)
	}
	if len(c.Confinement.Rlimits) > 0 || c.Confinement.ShareIPC || c.Confinement.ShmSize > 0 {
		return fmt.Errorf("%s: a nested container has that of its parent", c.Confinement.Asks())
	}
	if c.Network != "" {
		return fmt.Errorf("a network of its own: a nested container has that of its parent")
	}
	if err := CheckID(c.Parent); err != nil {
		return fmt.Errorf("parent: %w", err)
	}
	return nil
}

// checkIdle checks what the container runs.
func (c Config) checkIdle() error {
	switch {
	case !c.Idle:
		return c.Command.check()
	case c.Command.Value != "" || len(c.Command.Args) > 0:
		return fmt.Errorf("command %q: an idle container runs nothing", c.Command.Value)
	case c.Parent != "" || c.Rootfs != nil || c.TTY != nil || c.Stdin:
		return fmt.Errorf("an idle container is not nested and has no image, terminal or input")
	}
	return nil
}

// CheckID says what is wrong with a container's id, or nil. It becomes the name
// of directories.
func CheckID(id string) error {
	if id == "" {
		return fmt.Errorf("the container id is empty")
	}
	if len(id) > maxID {
		return fmt.Errorf("container id %.20q… is longer than %d characters", id, maxID)
	}
	if strings.Trim(id, ".") == "" {
		return fmt.Errorf("container id %q consists of dots", id)
	}
	for _, r := range id {
		if !idRune(r) {
			return fmt.Errorf("container id %q holds %q: use letters, digits and _ + . -", id, r)
		}
	}
	return nil
}

func idRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_+.-", r)
}

func (c Command) check() error {
	if c.Value == "" {
		return fmt.Errorf("the command is empty: set command.value")
	}
	if c.Shell && len(c.Args) > 0 {
		return fmt.Errorf("a shell command takes no arguments: write them into command.value or set command.shell to false")
	}
	total := len(c.Value)
	for _, s := range append([]string{c.Value, c.User, c.WorkDir}, c.Args...) {
		if strings.ContainsRune(s, 0) {
			return fmt.Errorf("the command holds a NUL byte in %.40q", s)
		}
		if len(s) > maxArg {
			return fmt.Errorf("the command is too long: one argument has %d bytes, the kernel's limit is %d", len(s), maxArg)
		}
		total += len(s)
	}
	for _, kv := range c.Env {
		if strings.IndexByte(kv, '=') < 1 || strings.ContainsRune(kv, 0) || len(kv) > maxArg {
			name, _, _ := strings.Cut(kv, "=") // the value may be a secret
			return fmt.Errorf("environment variable %.40q: a name, =, a value without NUL and at most %d bytes are needed", name, maxArg)
		}
		total += len(kv)
	}
	if total > maxText {
		return fmt.Errorf("command and environment have %d bytes together, the limit is %d", total, maxText)
	}
	return nil
}

// Check says what is wrong with l, or nil.
func (l Limits) Check() error {
	for _, f := range []struct {
		name  string
		value int64
		least int64
	}{
		{"cpu request", l.CPURequest, 0},
		{"cpu limit", l.CPULimit, 0},
		{"memory request", l.MemRequest, 0},
		{"memory limit", l.MemLimit, Unlimited},
		{"process limit", l.PIDs, 0},
	} {
		if f.value < f.least {
			return fmt.Errorf("%s %d is negative", f.name, f.value)
		}
	}
	return nil
}

// MemHard is the memory a container cannot exceed, in bytes; 0 means none.
func (l Limits) MemHard() int64 {
	switch {
	case l.MemLimit == Unlimited:
		return 0
	case l.MemLimit > 0:
		return l.MemLimit
	}
	return l.MemRequest
}

// CheckSignal says what is wrong with sig, or nil.
func CheckSignal(sig syscall.Signal) error {
	if sig < 1 || sig > 64 {
		return fmt.Errorf("signal %d does not exist: use 1 to 64", int(sig))
	}
	return nil
}
