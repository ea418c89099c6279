package master_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/soukproject/souk/master"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// TestWhitelist: an agent that is not in the file is not offered, until it is; the file is read again.
func TestWhitelist(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hosts")
	write := func(hosts ...string) {
		if err := os.WriteFile(file, []byte(strings.Join(hosts, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("listed")
	address := start(t, func(cfg *master.Config) { cfg.Whitelist = file })
	f := subscribe(t, address, frameworkInfo("f"))
	register(t, address, agentInfo(t, "other", 5051))
	register(t, address, agentInfo(t, "listed", 5052))
	if got := f.await(schedulerpb.Event_OFFERS).GetOffers().GetOffers()[0].GetHostname(); got != "listed" {
		t.Errorf("offer of %s, want of listed", got)
	}
	if got := explained(t, address, "agent=other").Groups; len(got) != 1 || got[0].Reason != "agent_not_listed" {
		t.Errorf("explanation of an agent that is not listed: %+v", got)
	}
	write("listed", "other")
	if got := f.await(schedulerpb.Event_OFFERS).GetOffers().GetOffers()[0].GetHostname(); got != "other" {
		t.Errorf("offer of %s, want of other", got)
	}
}

func TestWhitelistMustBeThere(t *testing.T) {
	p := launch(t, func(cfg *master.Config) { cfg.Whitelist = filepath.Join(t.TempDir(), "none") })
	if err := p.wait(); err == nil || !strings.Contains(fmt.Sprint(err), "flag --whitelist: open") {
		t.Errorf("Run = %v, want that the file is not there", err)
	}
}
