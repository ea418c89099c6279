package master

import (
	"strings"
	"testing"

	"github.com/soukproject/souk/internal/leader"
)

func TestMastersShareARegion(t *testing.T) {
	in := func(region string) *master {
		args := []string{"--registry=in_memory"}
		if region != "" {
			args = append(args, `--domain={"fault_domain":{"region":{"name":"`+region+`"},"zone":{"name":"z"}}}`)
		}
		cfg, err := ParseFlags(args, nil)
		if err != nil {
			t.Fatal(err)
		}
		return &master{cfg: cfg, id: "this"}
	}
	for _, x := range []struct{ name, ours, theirs, want string }{
		{"the same", "east", "east", ""},
		{"none at all", "", "", ""},
		{"the leader has none yet", "east", "", ""},
		{"this one has none yet", "", "east", ""},
		{"two", "east", "west", `the leading master 10.0.0.1:5050 is in region "west", this one in "east"`},
	} {
		t.Run(x.name, func(t *testing.T) {
			info := `{"id":"other"}`
			if x.theirs != "" {
				info = `{"id":"other","ip":1,"port":5050,"domain":{"fault_domain":{"region":{"name":"` + x.theirs + `"},"zone":{"name":"y"}}}}`
			}
			m := in(x.ours)
			err := m.compareRegion(leader.Leader{ID: "other", Address: "10.0.0.1:5050", Info: []byte(info)})
			if (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) {
				t.Errorf("compareRegion = %v, want %q", err, x.want)
			}
		})
	}
}
