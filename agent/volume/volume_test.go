package volume_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/soukproject/souk/agent/volume"
	"github.com/soukproject/souk/proto/mesos/resources"
)

func persistent(role, id string, source *resources.Source) resources.Resource {
	return resources.Resource{
		Name: "disk", Scalar: resources.Whole(10), Reservations: []resources.Reservation{{Dynamic: true, Role: role}},
		Disk: &resources.Disk{Persistence: id, Source: source, Volume: &resources.Volume{ContainerPath: "data"}},
	}
}

func TestWhereVolumesLie(t *testing.T) {
	dir := t.TempDir()
	store := volume.NewStore(dir)
	for _, test := range []struct {
		name string
		v    resources.Resource
		want string // relative to the work directory unless absolute; "": refused
	}{
		{"own disk", persistent("dev", "v1", nil), "volumes/roles/dev/v1"},
		{"hierarchical role", persistent("dev/web", "v1", nil), "volumes/roles/dev web/v1"},
		{"PATH disk", persistent("dev", "v1", &resources.Source{Kind: resources.SourcePath, Root: "/mnt/d"}), "/mnt/d/volumes/roles/dev/v1"},
		{"relative PATH disk", persistent("dev", "v1", &resources.Source{Kind: resources.SourcePath, Root: "d"}), "d/volumes/roles/dev/v1"},
		{"MOUNT disk", persistent("dev", "v1", &resources.Source{Kind: resources.SourceMount, Root: "/mnt/d"}), "/mnt/d"},
		{"id that leads out", persistent("dev", "..", nil), ""},
		{"role that leads out", persistent("../x", "v1", nil), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := test.want
			if want != "" && !filepath.IsAbs(want) {
				want = filepath.Join(dir, want)
			}
			if got, err := store.Path(test.v); got != want || (err != nil) != (want == "") {
				t.Errorf("Path = %q, %v, want %q", got, err, want)
			}
		})
	}
}

func TestVolumesComeAndGo(t *testing.T) {
	dir := t.TempDir()
	mount := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(mount, 0o755); err != nil {
		t.Fatal(err)
	}
	store := volume.NewStore(dir)
	for name, v := range map[string]resources.Resource{
		"own disk":   persistent("dev", "v1", nil),
		"MOUNT disk": persistent("dev", "v2", &resources.Source{Kind: resources.SourceMount, Root: mount}),
	} {
		path, err := store.Path(v)
		if err != nil {
			t.Fatal(err)
		}
		for round := range 2 {
			if err := store.Create(v); err != nil {
				t.Fatalf("%s: Create in round %d: %v", name, round, err)
			}
			if list, err := os.ReadDir(path); err != nil || len(list) > 0 {
				t.Fatalf("%s: a new volume holds %v, %v", name, list, err)
			}
			if err := os.WriteFile(filepath.Join(path, "file"), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time there is nothing to remove
				if _, err := store.Remove(v); err != nil {
					t.Fatalf("%s: Remove in round %d: %v", name, round, err)
				}
			}
		}
	}
	if err := store.Sweep(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "volumes", "removed")); !os.IsNotExist(err) {
		t.Errorf("what was removed still lies there: %v", err)
	}
}

func TestFilesOfOthersAreNotShown(t *testing.T) {
	store := volume.NewStore(t.TempDir())
	v := persistent("dev", "v1", nil)
	path, err := store.Path(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(path, "left over"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := store.Create(v); err == nil {
		t.Errorf("a new volume holds what was there before")
	}
}
