package api

import (
	"strings"
	"testing"

	"github.com/soukproject/souk/frameworks/marathon/core"
)

// TestSlowListenersAreCutOff: one that does not read must not hold up the others.
func TestSlowListenersAreCutOff(t *testing.T) {
	h := NewHub(2)
	slow, picky := h.listen(nil, false), h.listen([]string{"b"}, false)
	for range 3 {
		h.Publish(core.Publish{Type: "a"})
	}
	if n := len(slow.events); n != 2 {
		t.Errorf("%d events wait, want 2", n)
	}
	<-slow.events
	<-slow.events
	if _, open := <-slow.events; open {
		t.Error("a listener that missed an event is still connected")
	}
	h.Publish(core.Publish{Type: "b"})
	if e := <-picky.events; e.Type != "b" {
		t.Errorf("event = %s, want b", e.Type)
	}
	h.leave(picky)
	h.leave(slow) // a second time does no harm
}

// TestPlans: the Python client cannot do without the trees, others ask for
// plans without.
func TestPlans(t *testing.T) {
	e := core.Publish{Type: "deployment_success", Data: core.DeploymentEnded{ID: "d", Plan: core.Plan{Original: &core.Tree{ID: "/"}, Target: &core.Tree{ID: "/"}}}}
	for light, want := range map[bool]bool{false: true, true: false} {
		frame, err := (&listener{light: light}).frame(e)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(frame), `"original":{"id":"/"`); got != want {
			t.Errorf("light %v: %s", light, frame)
		}
	}
}

func TestSelectorErrors(t *testing.T) {
	for _, text := range []string{"a==", "a in b", "a in (b", "a b", ",", "a,", "a in ()", "=="} {
		if s, err := parseSelector(text); err == nil {
			t.Errorf("parseSelector(%q) = %v, want an error", text, s)
		}
	}
}

func FuzzSelector(f *testing.F) {
	for _, text := range []string{"a", "a==b,c!=d", "k in (a, b)", "k notin (a)", `a\ b`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSelector(text)
		if err == nil && text != "" {
			s.matches(map[string]string{"a": "b"})
		}
	})
}
