package posix_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/posix"
)

func TestVolumesAreLinksOrRefused(t *testing.T) {
	c, err := posix.New(posix.Config{RunDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Recover(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	machine := t.TempDir()
	for _, tt := range []struct {
		name  string
		mount containerizer.Mount
		want  string // in the error; "": it works
	}{
		{"a folder", containerizer.Mount{Kind: containerizer.Bind, Source: machine, Target: "a/v"}, ""},
		{"read-only", containerizer.Mount{Kind: containerizer.Bind, Source: machine, Target: "v", ReadOnly: true}, "isolates"},
		{"absolute", containerizer.Mount{Kind: containerizer.Bind, Source: machine, Target: "/v"}, "isolates"},
		{"memory", containerizer.Mount{Kind: containerizer.Tmpfs, Target: "v"}, "isolates"},
		{"a secret", containerizer.Mount{Kind: containerizer.Content, Target: "v"}, "isolates"},
		{"nothing", containerizer.Mount{Kind: containerizer.Bind, Source: "/no/such", Target: "v"}, "source /no/such of volume v does not exist"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := containerizer.Config{ID: "c1", Sandbox: t.TempDir(), Mounts: []containerizer.Mount{tt.mount},
				Command: containerizer.Command{Shell: true, Value: "echo kept > a/v/file"}}
			_, err := c.Launch(t.Context(), cfg)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("Launch() = %v, want an error with %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c.Destroy(t.Context(), "c1")
			if _, err := c.Wait(t.Context(), "c1"); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(filepath.Join(machine, "file")); err != nil || string(got) != "kept\n" {
				t.Errorf("file on the machine = %q, %v, want kept", got, err)
			}
		})
	}
}
