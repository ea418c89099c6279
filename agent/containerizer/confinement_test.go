package containerizer

import (
	"strings"
	"testing"
)

func TestConfinementNamesWhatIsWrong(t *testing.T) {
	for _, tt := range []struct {
		name string
		c    Confinement
		want string // "": nothing is
	}{
		{"nothing", Confinement{}, ""},
		{"all", Confinement{Rlimits: []Rlimit{{"NOFILE", 10, NoLimit}}, Bounding: []string{"KILL"}, Effective: []string{"KILL"}, Seccomp: "{}", ShmSize: 1}, ""},
		{"unknown limit", Confinement{Rlimits: []Rlimit{{"FILES", 1, 1}}}, `limit of "FILES": there are CPU, `},
		{"soft above hard", Confinement{Rlimits: []Rlimit{{"CPU", 2, 1}}}, "soft limit 2 is above"},
		{"twice", Confinement{Rlimits: []Rlimit{{"CPU", 1, 1}, {"CPU", 1, 1}}}, "given twice"},
		{"prefix", Confinement{Bounding: []string{"CAP_KILL"}}, "write it as"},
		{"lower case", Confinement{Effective: []string{"kill"}}, "write it as"},
		{"effective beyond bounding", Confinement{Bounding: []string{"KILL"}, Effective: []string{"CHOWN"}}, "CHOWN is not among"},
		{"filter and none", Confinement{Unconfined: true, Seccomp: "{}"}, "both asked for"},
		{"long filter", Confinement{Seccomp: strings.Repeat(" ", maxFilter+1)}, "bytes, the limit"},
		{"negative shm", Confinement{ShmSize: -1}, "negative"},
		{"shared shm", Confinement{ShmSize: 1, ShareIPC: true}, "private"},
	} {
		err := tt.c.check()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: check = %v, want %q", tt.name, err, tt.want)
		}
	}
}
