package conformance_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// A metric is a name that dashboards know.
type metric struct {
	At, Name string
	NotYet   string `json:"not_yet"`
	Agent    bool
}

// metricsAll asks for all names until they are there: some come with the first
// offer, or the first write.
func metricsAll(t *testing.T, c *cluster) {
	rows := readRows[metric](t, "metrics.jsonl")
	var shown map[bool]map[string]float64
	missing := func() string {
		shown = map[bool]map[string]float64{false: c.metrics(t, c.master), true: c.metrics(t, c.agent)}
		for _, r := range rows {
			if _, ok := shown[r.Agent][c.fill(r.Name)]; !ok && r.NotYet == "" {
				return r.Name
			}
		}
		return ""
	}
	for deadline := time.Now().Add(patience); missing() != "" && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond) // a real process works
	}
	for _, r := range rows {
		holds(t, c, r.At, r.Name, r.NotYet, func() error {
			if _, ok := shown[r.Agent][c.fill(r.Name)]; !ok {
				return fmt.Errorf("no metric %s", c.fill(r.Name))
			}
			return nil
		})
	}
}

func (c *cluster) metrics(t *testing.T, base string) map[string]float64 {
	t.Helper()
	resp, err := c.http.Get(base + "/metrics/snapshot")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	all := make(map[string]float64)
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s/metrics/snapshot = %d, %v", base, resp.StatusCode, err)
	}
	return all
}
