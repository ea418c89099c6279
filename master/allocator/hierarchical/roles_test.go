package hierarchical

import (
	"testing"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// TestReservationsInParts: what is reserved, or unreserved, beside what is reserved
// already is no reason of its own to keep a role, or to let it go.
func TestReservationsInParts(t *testing.T) {
	reserved := func(text string) resources.Resources {
		list := mustParse(text)
		for i := range list {
			list[i].Reservations = []resources.Reservation{{Role: "r", Dynamic: true}}
		}
		return list
	}
	h := New(allocator.Config{Minimum: allocator.DefaultMinimum()})
	h.AddFramework(start, allocator.Framework{ID: "f", Roles: []string{"r"}}, true)
	h.AddAgent(start, allocator.Agent{ID: "a", Total: mustParse("cpus:4;mem:400")}, nil)
	h.Allocate(start.Add(time.Second))
	for _, c := range [][2]resources.Resources{
		{mustParse("cpus:2"), reserved("cpus:2")},
		{mustParse("cpus:1"), reserved("cpus:1")},
		{reserved("cpus:1"), mustParse("cpus:1")},
		{reserved("cpus:1"), mustParse("cpus:1")},
		{reserved("cpus:0.5"), mustParse("cpus:0.5")},
	} {
		if !h.Convert(start, "f", "a", c[0].Allocate("r"), c[1].Allocate("r")) {
			t.Fatalf("Convert(%s to %s) = false", c[0], c[1])
		}
	}
	h.RemoveAgent(start, "a")
	if roles := h.Roles(); len(roles) != 1 || roles[0].Frameworks != 1 {
		t.Errorf("Roles = %v, want r, which has a framework", roles)
	}
	h.AddAgent(start, allocator.Agent{ID: "b", Total: mustParse("cpus:4;mem:400")}, nil)
	if got := h.Allocate(start.Add(2 * time.Second)); len(got) != 1 {
		t.Errorf("Allocate = %v, want all of b for f", got)
	}
	h.RemoveAgent(start, "b")
	h.RemoveFramework(start, "f")
	if roles := h.Roles(); len(roles) != 0 {
		t.Errorf("Roles = %v, want none: nothing is left of r", roles)
	}
}
