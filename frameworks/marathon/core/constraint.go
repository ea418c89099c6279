package core

import (
	"strconv"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// meets reports whether an instance of the app may run where the offer comes
// from, beside the instances of its configuration that exist.
func (a *app) meets(c spec.Constraint, o *offer, peers []*Instance) bool {
	value, ok := o.field(c.Field)
	if !ok {
		return c.Operator == spec.Unlike // what an agent lacks it cannot match
	}
	switch c.Operator {
	case spec.Unique:
		return count(peers, c.Field, value) == 0
	case spec.Cluster:
		return cluster(c, value, peers)
	case spec.GroupBy:
		return groupBy(c, value, peers)
	case spec.Like:
		return matches(c.Value, value)
	case spec.Unlike:
		return !matches(c.Value, value)
	case spec.MaxPer:
		limit, err := strconv.Atoi(c.Value)
		return err == nil && count(peers, c.Field, value) < limit
	case spec.Is:
		return sameValue(c.Value, value)
	}
	return false
}

// peers are the instances that constraints count: those of the current
// configuration, so that a new one spreads by itself while the old one leaves.
func (a *app) peers() []*Instance {
	var out []*Instance
	since := a.current().VersionInfo.LastConfigChangeAt
	for _, in := range a.instances {
		if in.Version >= since && in.Condition != UnreachableInactive {
			out = append(out, in)
		}
	}
	return out
}

func count(peers []*Instance, field, value string) (n int) {
	for _, in := range peers {
		if v, ok := in.field(field); ok && v == value {
			n++
		}
	}
	return n
}

// cluster: the given value or else that of the first instance.
func cluster(c spec.Constraint, value string, peers []*Instance) bool {
	if c.Value != "" {
		return c.Value == value
	}
	for _, in := range peers {
		if v, ok := in.field(c.Field); ok {
			return v == value
		}
	}
	return true
}

// groupBy opens a new group whenever it meets one; with at least as many groups
// as asked for, it also fills up the smallest.
func groupBy(c spec.Constraint, value string, peers []*Instance) bool {
	groups := map[string]int{}
	for _, in := range peers {
		if v, ok := in.field(c.Field); ok {
			groups[v]++
		}
	}
	size, used := groups[value]
	if !used {
		return true
	}
	wanted, err := strconv.Atoi(c.Value)
	if err != nil {
		wanted = 1
	}
	if len(groups) < wanted {
		return false
	}
	for _, n := range groups {
		if n < size {
			return false
		}
	}
	return true
}

func matches(pattern, value string) bool {
	re, err := spec.CompilePattern(pattern)
	return err == nil && re.MatchString(value)
}

// sameValue: 1 is 1.0.
func sameValue(want, value string) bool {
	if want == value {
		return true
	}
	x, err := strconv.ParseFloat(want, 64)
	y, err2 := strconv.ParseFloat(value, 64)
	return err == nil && err2 == nil && x == y
}
