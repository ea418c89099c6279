package tidy

import (
	"slices"
	"strings"
	"testing"
)

// pure lists the packages that decide and do nothing else.
func pure() []string {
	return []string{
		"master/core/...", "master/allocator/...", "master/validation",
		"agent/core/...", "agent/statusupdate",
		"frameworks/marathon/core/...", "frameworks/chronos/core/...", "frameworks/chronos/schedule",
		"proto/mesos", "proto/mesos/resources",
	}
}

// isPure: allocatortest is the suite that policies run in their tests, so it imports testing.
func isPure(pkg string) bool {
	return pkg != "master/allocator/allocatortest" && slices.ContainsFunc(pure(), func(p string) bool { return Below(pkg, p) })
}

// forbidden says what a package must not import, and why.
func forbidden() []struct{ pkg, not, because string } {
	return []struct{ pkg, not, because string }{
		{"proto/...", "go.uber.org/zap", "vocabulary has no opinions about logging"},
		{"proto/...", "master/...", "imports go down only"},
		{"proto/...", "agent/...", "imports go down only"},
		{"proto/...", "internal/...", "imports go down only"},
		{"master/allocator/...", "google.golang.org/protobuf/...", "the allocator computes on quantities, not messages"},
		{"master/allocator/...", "proto/mesos/v1/...", "the allocator computes on quantities, not messages"},
		{"master/...", "agent/...", "master and agent know each other by the link alone"},
		{"agent/...", "master/...", "master and agent know each other by the link alone"},
		{"framework/...", "master/...", "the SDK is for people outside"},
		{"framework/...", "agent/...", "the SDK is for people outside"},
		{"framework/...", "github.com/gorilla/mux", "importers of the SDK compile only what it needs"},
		{"framework/...", "go.etcd.io/bbolt", "importers of the SDK compile only what it needs"},
		{"frameworks/...", "master/...", "frameworks live on the public API alone"},
		{"frameworks/...", "agent/...", "frameworks live on the public API alone"},
		{"frameworks/...", "internal/callevent", "what frameworks need, every framework author gets from framework/"},
		{"frameworks/...", "internal/recordio", "what frameworks need, every framework author gets from framework/"},
		{"examples/...", "internal/...", "an example uses what its readers can use"},
		{"internal/state", "go.etcd.io/bbolt", "the interface knows no implementation"},
		{"internal/callevent", "proto/mesos/v1/...", "the codec knows no one API"},
		{"internal/recordio", "google.golang.org/protobuf/...", "framing knows no messages"},
	}
}

// doors lists the packages that alone may import something from outside.
func doors() []struct {
	what string
	by   []string
} {
	return []struct {
		what string
		by   []string
	}{
		{"github.com/go-zookeeper/zk", []string{"internal/zookeeper"}},
		{"go.etcd.io/bbolt/...", []string{"internal/state/boltstate"}},
		{"github.com/vishvananda/...", []string{"agent/network"}},
		{"github.com/google/nftables/...", []string{"agent/network"}},
		{"github.com/containernetworking/...", []string{"agent/network"}},
		{"github.com/opencontainers/runc/...", []string{"agent/containerizer/runc/launcher", "cmd/souk-containerizer"}},
		{"github.com/opencontainers/cgroups/...", []string{"agent/containerizer/runc/launcher", "cmd/souk-containerizer"}},
		{"github.com/gorilla/mux", []string{"internal/routing", "frameworks/marathon/api", "frameworks/chronos/api"}},
		{"github.com/prometheus/client_golang/...", []string{"internal/metrics"}},
	}
}

func tree(t *testing.T) (string, []File) {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	files, err := Files(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("found %d Go files below %s, want the whole tree", len(files), root)
	}
	return root, files
}

func TestImportsGoDown(t *testing.T) {
	_, files := tree(t)
	for _, f := range files {
		for _, path := range f.Imports() {
			for _, rule := range forbidden() {
				if !f.Test && Below(f.Package, rule.pkg) && Below(path, rule.not) {
					t.Errorf("%s imports %s: %s", f.Path, path, rule.because)
				}
			}
		}
	}
}

func TestOutsidePackagesHaveOneDoor(t *testing.T) {
	_, files := tree(t)
	for _, f := range files {
		for _, path := range f.Imports() {
			for _, door := range doors() {
				if !f.Test && Below(path, door.what) && !slices.Contains(door.by, f.Package) {
					t.Errorf("%s imports %s: only %s may", f.Path, path, strings.Join(door.by, ", "))
				}
			}
		}
	}
}

// TestLayers: a package imports its own layer's vocabulary or what lies below.
func TestLayers(t *testing.T) {
	_, files := tree(t)
	for _, f := range files {
		if f.Test {
			continue
		}
		for _, path := range f.Imports() {
			if from, to := layer(f.Package), layer(path); to > from {
				t.Errorf("%s (layer %d) imports %s (layer %d): imports go down only", f.Path, from, path, to)
			}
		}
	}
}

// layer is 0 for words and for the world outside, 1 for what decides, 2 for what
// talks, 3 for processes and the SDK, 4 for mains, what starts whole clusters and
// what operators type.
func layer(pkg string) int {
	switch {
	case Below(pkg, "cmd/...") || Below(pkg, "internal/local") || Below(pkg, "internal/client") || Below(pkg, "examples/..."):
		return 4
	case Below(pkg, "proto/..."):
		return 0
	case isPure(pkg) || Below(pkg, "internal/simulation"):
		return 1
	case pkg == "master" || pkg == "agent" || pkg == "frameworks/marathon" || pkg == "frameworks/chronos" || Below(pkg, "framework/..."):
		return 3
	case Below(pkg, "master/...") || Below(pkg, "agent/...") || Below(pkg, "frameworks/...") || Below(pkg, "internal/..."):
		return 2
	}
	return 0
}
