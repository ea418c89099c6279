package containerizer

import (
	"fmt"
	"path/filepath"
	"strings"
)

// SandboxPath is where a container with files of its own finds its sandbox.
const SandboxPath = "/mnt/mesos/sandbox"

// Rootfs is the file system of a container that does not see the machine's. What
// the container changes in it goes with the container. Users are then looked up
// in it, and so are programs; it needs a containerizer that isolates.
type Rootfs struct {
	Layers []string `json:"layers"` // folders in one folder, as overlayfs has them; the uppermost first
}

// maxLayers is what overlayfs takes with names as long as ours.
const maxLayers = 127

func (r *Rootfs) check() error {
	if r == nil {
		return nil
	}
	if len(r.Layers) == 0 || len(r.Layers) > maxLayers {
		return fmt.Errorf("the image has %d layers, and between 1 and %d are possible", len(r.Layers), maxLayers)
	}
	for _, dir := range r.Layers {
		if badPath(dir) || strings.ContainsAny(dir, ":,\\") || filepath.Dir(dir) != filepath.Dir(r.Layers[0]) {
			return fmt.Errorf("layer %q of the image is not where the others are", dir)
		}
	}
	return nil
}
