package master_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/leader/zkleader"
	"github.com/soukproject/souk/internal/zookeeper"
	"github.com/soukproject/souk/internal/zookeeper/zookeepertest"
	"github.com/soukproject/souk/master"
)

// TestMastersElectInZooKeeper: of two masters one leads and the other one
// redirects; when the leader is told to end, the other leads at once, and has
// the registry.
func TestMastersElectInZooKeeper(t *testing.T) {
	e := zookeepertest.Start(t, 1)
	u, err := zookeeper.ParseURL(e.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	shared := func(c *master.Config) {
		c.Store, c.ZK, c.ZKTimeout = nil, &u, 4*time.Second
	}
	d := zkleader.NewDetector(zkleader.Config{URL: u, Format: zkleader.Masters()})
	defer d.Close()
	one := launch(t, shared)
	awaitLeader(t, one.address)
	two := launch(t, shared)
	defer two.stop()
	first := detectMaster(t, d, leader.Leader{})
	if first.Address != one.address {
		t.Fatalf("leader = %v, want %s", first, one.address)
	}
	a := register(t, one.address, agentInfo(t, "h", 5051))
	awaitStatus(t, two.address, http.StatusTemporaryRedirect)
	a.close()

	began := time.Now()
	if err := one.stop(); err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
	awaitStatus(t, two.address, http.StatusOK) // until then it may point at the former leader
	t.Logf("hand-over took %v", time.Since(began))
	if second := detectMaster(t, d, first); !second.None() && second.Address != two.address {
		t.Errorf("leader = %v, want %s", second, two.address)
	}
	if code, body := get(t, "http://"+two.address+"/slaves"); code != http.StatusOK || !strings.Contains(body, a.id.GetValue()) {
		t.Errorf("agents of the new leader = %d %s, want %s recovered", code, body, a.id.GetValue())
	}
}

func detectMaster(t *testing.T, d leader.Detector, previous leader.Leader) leader.Leader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	l, err := d.Detect(ctx, previous)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// awaitStatus waits until a master itself answers so.
func awaitStatus(t *testing.T, address string, want int) {
	t.Helper()
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	deadline := time.Now().Add(patience)
	for {
		resp, err := c.Get("http://" + address + "/state")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == want {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer %d: %v, %v", address, want, resp, err)
		}
		time.Sleep(5 * time.Millisecond) // a real process comes up
	}
}
