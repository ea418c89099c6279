package network

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

// TestPoolNeverGivesAnAddressTwice also checks that all usable ones are given.
func TestPoolNeverGivesAnAddressTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPool(netip.MustParsePrefix("172.29.0.0/28"), nil)
		held := make(map[netip.Addr]bool)
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			if len(held) > 0 && rapid.Bool().Draw(t, "free") {
				for a := range held {
					p.free(a)
					delete(held, a)
					break
				}
				continue
			}
			a, err := p.take(netip.Addr{})
			if (err != nil) != (len(held) == 13) { // 16 less network, gateway and broadcast
				t.Fatalf("take with %d held: %v, %v", len(held), a, err)
			}
			if err == nil && (held[a] || !p.subnet.Contains(a)) {
				t.Fatalf("take gave %v, held or outside of %v", a, p.subnet)
			}
			if err == nil {
				held[a] = true
			}
		}
	})
}

func TestSubnetThatNobodyUses(t *testing.T) {
	used := []netip.Prefix{netip.MustParsePrefix("172.29.0.0/16")}
	if p, err := chooseSubnet(Subnets(), used); err == nil {
		t.Errorf("chooseSubnet = %v although all are used", p)
	}
	used[0] = netip.MustParsePrefix("172.29.8.0/24")
	if p, err := chooseSubnet(Subnets(), used); err != nil || p.String() != "172.29.16.0/20" {
		t.Errorf("chooseSubnet = %v, %v", p, err)
	}
}

func TestUnreadableRecordKeepsItsID(t *testing.T) {
	d := records(t.TempDir())
	if err := os.MkdirAll(filepath.Join(string(d), "torn"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.file("torn"), []byte(`{"id":"to`), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := d.load()
	if err != nil || len(list) != 1 || list[0].ID != "torn" {
		t.Errorf("load = %+v, %v", list, err)
	}
}
