package posix

import (
	"errors"
	"fmt"
	"os"
	"path"

	"github.com/soukproject/souk/agent/containerizer"
)

// link makes mounts into links in the sandbox, as Mesos does without isolation.
// That shows the whole source for reading and writing, and nothing else can be
// had: what asks for more is refused.
func link(sandbox string, mounts []containerizer.Mount) error {
	if len(mounts) == 0 {
		return nil
	}
	root, err := os.OpenRoot(sandbox)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, m := range mounts {
		if err := linkOne(root, m); err != nil {
			return err
		}
	}
	return nil
}

func linkOne(root *os.Root, m containerizer.Mount) error {
	const instead = "run the agent as root with --containerizer=runc"
	switch {
	case m.Kind != containerizer.Bind:
		return fmt.Errorf("volume %s of kind %s needs a containerizer that isolates: %s", m.Target, m.Kind, instead)
	case m.ReadOnly:
		return fmt.Errorf("the read-only volume %s needs a containerizer that isolates: %s", m.Target, instead)
	case path.IsAbs(m.Target):
		return fmt.Errorf("volume %s with an absolute container path needs a containerizer that isolates: use a relative one, or %s", m.Target, instead)
	}
	if _, err := os.Stat(m.Source); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("source %s of volume %s does not exist", m.Source, m.Target)
	} else if err != nil {
		return fmt.Errorf("source of volume %s: %w", m.Target, err)
	}
	target := path.Clean(m.Target)
	if err := root.MkdirAll(path.Dir(target), 0o755); err != nil {
		return fmt.Errorf("volume %s: %w", m.Target, err)
	}
	if err := root.Symlink(m.Source, target); err != nil {
		return fmt.Errorf("volume %s: link in the sandbox: %w", m.Target, errors.Unwrap(err))
	}
	return nil
}
