package checker

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// writes: the last one that was acknowledged holds, or one without an answer
// that may have happened after it.
func (c *check) writes() {
	byKey := make(map[string][]Write)
	for _, w := range c.Writes {
		byKey[w.Key] = append(byKey[w.Key], w)
		if w.Outcome == Refused {
			c.violate(RefusesNothing, "%s = %d at %v: %s", w.Key, w.Value, clock(w.Asked), w.Answer)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		value, ok := c.Final.Values[key]
		if !ok {
			value = Absent
		}
		if may := possible(byKey[key]); len(may) > 0 && !slices.Contains(may, value) {
			c.violate(KeepsWrites, "%s is %d at the end, want one of %v", key, value, may)
		}
	}
}

// possible lists the values that a key may have after its writes, which one
// client made one after the other; none: any.
func possible(writes []Write) []int {
	var may []int
	var last time.Time
	for _, w := range writes {
		if w.Outcome == Done {
			may, last = []int{w.Value}, w.Answered
		}
	}
	if last.IsZero() {
		return nil
	}
	for _, w := range writes {
		if w.Outcome == Unknown && w.Asked.After(last.Add(-lingering)) && !slices.Contains(may, w.Value) {
			may = append(may, w.Value)
		}
	}
	return may
}

// counts: an app that exists has exactly as many tasks as it should.
func (c *check) counts() {
	for _, key := range slices.Sorted(maps.Keys(c.Final.Values)) {
		if n := c.Final.Values[key]; strings.HasPrefix(key, "/") && len(c.Final.Instances[key]) != n {
			c.violate(CountsMatch, "app %s has %d instances, want %d: %v", key, len(c.Final.Instances[key]), n, c.Final.Instances[key])
		}
	}
	for _, app := range slices.Sorted(maps.Keys(c.Final.Instances)) {
		if _, ok := c.Final.Values[app]; !ok {
			c.violate(CountsMatch, "app %s does not exist, and has tasks %v", app, c.Final.Instances[app])
		}
	}
}
