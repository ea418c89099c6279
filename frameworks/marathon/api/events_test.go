package api

import (
	"testing"

	"github.com/soukproject/souk/frameworks/marathon/core"
)

// TestSlowListenersAreCutOff: one that does not read must not hold up the others.
func TestSlowListenersAreCutOff(t *testing.T) {
	h := NewHub(2)
	slow, picky := h.listen(nil), h.listen([]string{"b"})
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
