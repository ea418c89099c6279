package master_test

import (
	"encoding/json"
	"testing"

	"github.com/soukproject/souk/master"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// TestResourcesThatDoNotCountForShares: the flag reaches the allocator.
func TestResourcesThatDoNotCountForShares(t *testing.T) {
	for flag, want := range map[string]float64{
		"--fair_sharing_excluded_resource_names=":              1,
		"--fair_sharing_excluded_resource_names=mem":           1, // cpus are held as well
		"--fair_sharing_excluded_resource_names=cpus,mem,disk": 0,
	} {
		parsed, err := master.ParseFlags([]string{"--registry=in_memory", flag}, nil)
		if err != nil {
			t.Fatal(err)
		}
		address := start(t, func(c *master.Config) { c.NotShared = parsed.NotShared })
		s := subscribe(t, address, frameworkInfo("f"))
		register(t, address, agentInfo(t, "h", 5051))
		s.await(schedulerpb.Event_OFFERS) // of all that the agent has
		_, body := get(t, "http://"+address+"/metrics/snapshot")
		var metrics map[string]float64
		if err := json.Unmarshal([]byte(body), &metrics); err != nil {
			t.Fatal(err)
		}
		const name = "allocator/mesos/roles/dev/shares/dominant"
		if got, ok := metrics[name]; !ok || got != want {
			t.Errorf("with %s the share is %v (there: %t), want %v", flag, got, ok, want)
		}
	}
}
