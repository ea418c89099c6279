package containerizer

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
)

// MountKind is where the content of a Mount comes from.
type MountKind string

// The kinds of mounts.
const (
	Bind    MountKind = "bind"    // a file or folder of the machine
	Tmpfs   MountKind = "tmpfs"   // an empty folder in memory, gone with the container
	Content MountKind = "content" // a file in memory, readable by the command's user alone
)

// A Mount gives a container a file or folder that is not its own. Only a
// containerizer that isolates can promise all of it; the plain one makes links
// in the sandbox where that comes to the same, and refuses otherwise.
type Mount struct {
	Kind     MountKind `json:"kind"`
	Source   string    `json:"source,omitempty"` // of Bind: absolute, and there
	Within   string    `json:"within,omitempty"` // of Bind: no symbolic link may lead Source out of this folder; "": links are followed
	Target   string    `json:"target"`           // relative: in the sandbox, made if need be; absolute: as the container sees it
	ReadOnly bool      `json:"read_only,omitempty"`
	Follow   bool      `json:"follow,omitempty"` // of Bind: what the machine mounts below Source later appears, too
	Size     int64     `json:"size,omitempty"`   // of Tmpfs: bytes; 0: half the memory
	Data     []byte    `json:"data,omitempty"`   // of Content
}

// Bounds of what Check accepts.
const (
	maxMounts  = 100
	maxPath    = 4095    // the kernel's
	maxContent = 1 << 20 // of all mounts of a container together
)

func checkMounts(mounts []Mount) error {
	if len(mounts) > maxMounts {
		return fmt.Errorf("the container has %d volumes, the limit is %d", len(mounts), maxMounts)
	}
	content := 0
	targets := make(map[string]bool, len(mounts))
	for _, m := range mounts {
		if err := m.check(); err != nil {
			return err
		}
		if targets[path.Clean(m.Target)] {
			return fmt.Errorf("two volumes have the container path %q: give each its own", m.Target)
		}
		targets[path.Clean(m.Target)] = true
		content += len(m.Data)
	}
	if content > maxContent {
		return fmt.Errorf("volumes with given content have %d bytes together, the limit is %d", content, maxContent)
	}
	return nil
}

// check says what is wrong with m, or nil.
func (m Mount) check() error {
	if err := checkTarget(m.Target); err != nil {
		return err
	}
	switch {
	case m.Kind != Bind && m.Kind != Tmpfs && m.Kind != Content:
		return fmt.Errorf("volume %q is of unknown kind %q", m.Target, m.Kind)
	case m.Kind != Bind && m.Source != "":
		return fmt.Errorf("volume %q of kind %s has no use for a source", m.Target, m.Kind)
	case m.Kind == Bind && badPath(m.Source):
		return fmt.Errorf("source %.100q of volume %q is not an absolute path", m.Source, m.Target)
	case m.Within != "" && !Inside(m.Within, m.Source):
		return fmt.Errorf("source %q of volume %q does not lie in %q", m.Source, m.Target, m.Within)
	case m.Size < 0:
		return fmt.Errorf("size %d of volume %q is negative", m.Size, m.Target)
	}
	return nil
}

func badPath(p string) bool {
	return !filepath.IsAbs(p) || len(p) > maxPath || strings.ContainsRune(p, 0)
}

// Inside reports whether name is dir or lies below it, as far as the names tell.
func Inside(dir, name string) bool {
	rel, err := filepath.Rel(dir, name)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// checkTarget refuses places that would take the container's own furniture away.
func checkTarget(target string) error {
	clean := path.Clean(target)
	switch {
	case target == "":
		return fmt.Errorf("a volume has an empty container path")
	case len(target) > maxPath || strings.ContainsRune(target, 0):
		return fmt.Errorf("container path %.100q… is no path", target)
	case clean == "." || clean == "/":
		return fmt.Errorf("container path %q: a volume cannot take the place of everything", target)
	case !path.IsAbs(target) && !filepath.IsLocal(target):
		return fmt.Errorf("container path %q leads out of the sandbox", target)
	}
	for _, dir := range []string{"/proc", "/sys", "/dev"} {
		if clean == dir || dir != "/dev" && Inside(dir, clean) {
			return fmt.Errorf("container path %q: %s is the container's own", target, dir)
		}
	}
	return nil
}
