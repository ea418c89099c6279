package isolation_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/soukproject/souk/agent/containerizer/runc"
	"github.com/soukproject/souk/agent/isolation"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       isolation.Set
		refusal    string
	}{
		{name: "nothing", text: ""},
		{name: "a list", text: "cgroups/cpu, cgroups/mem,disk/du", want: isolation.Set{"cgroups/cpu", "cgroups/mem", "disk/du"}},
		{name: "older names", text: "cgroups,posix/disk", want: isolation.Set{"cgroups/cpu", "cgroups/mem", "disk/du"}},
		{name: "the oldest", text: "process", want: isolation.Set{"posix/cpu", "posix/mem"}},
		{name: "unknown", text: "cgroups/cpu,cgroup/mem", refusal: `no isolator "cgroup/mem": there are filesystem/posix,`},
		{name: "empty name", text: "posix/cpu,", refusal: `no isolator ""`},
		{name: "not here", text: "docker/volume", refusal: "docker/volume is not part of this version"},
		{name: "twice", text: "cgroups/mem,cgroups", refusal: "cgroups/mem is named twice"},
		{name: "two file systems", text: "filesystem/posix,filesystem/linux", refusal: "exclude each other"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := isolation.Parse(tt.text)
			if tt.refusal != "" && (err == nil || !strings.Contains(err.Error(), tt.refusal)) || tt.refusal == "" && err != nil {
				t.Fatalf("Parse(%q) = %v, want error %q", tt.text, err, tt.refusal)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Parse(%q) (-want +got):\n%s", tt.text, diff)
			}
		})
	}
}

func TestNothingAskedForIsLeftOut(t *testing.T) {
	for _, tt := range []struct {
		text  string
		least runc.Level
	}{
		{"", runc.None},
		{"posix/cpu,posix/mem,filesystem/posix,disk/du", runc.None},
		{"filesystem/linux,namespaces/pid,linux/nnp", runc.NoLimits},
		{"posix/cpu,cgroups/mem", runc.Full},
	} {
		s, err := isolation.Parse(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		for level := runc.None; level <= runc.Full; level++ {
			err := s.Check(level, "of the moon")
			if (err == nil) != (level >= tt.least) {
				t.Errorf("Check(%v) of %q = %v, want an error below %v", level, tt.text, err, tt.least)
			}
			if err != nil && !strings.HasSuffix(err.Error(), "of the moon") {
				t.Errorf("Check(%v) of %q = %v, want the reason", level, tt.text, err)
			}
		}
	}
}

func TestEveryNameOfMesosIsAnswered(t *testing.T) {
	for _, name := range isolation.Names() {
		if s, err := isolation.Parse(name); err != nil || !s.Has(name) {
			t.Errorf("Parse(%q) = %v, %v, want it", name, s, err)
		}
	}
}
