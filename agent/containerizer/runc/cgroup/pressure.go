package cgroup

import (
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/soukproject/souk/agent/containerizer"
)

// pressure reads what the kernel tells of the group on the v2 hierarchy, which a
// hybrid machine has, too; nil where it tells nothing.
func (g Group) pressure() *containerizer.Pressure {
	if g.tree.Unified == "" {
		return nil
	}
	var p containerizer.Pressure
	for _, f := range []struct {
		name string
		to   *containerizer.Stalls
	}{{"cpu.pressure", &p.CPU}, {"memory.pressure", &p.Memory}, {"io.pressure", &p.IO}} {
		text, ok := read(filepath.Join(g.tree.Unified, g.path, f.name))
		if !ok {
			return nil
		}
		*f.to = parseStalls(text)
	}
	return &p
}

// parseStalls understands "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" and the
// same with "full"; total is in microseconds.
func parseStalls(text string) (s containerizer.Stalls) {
	for line := range strings.Lines(text) {
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch kind {
		case "some":
			s.Some = parseStall(rest)
		case "full":
			s.Full = parseStall(rest)
		}
	}
	return s
}

func parseStall(text string) (s containerizer.Stall) {
	for field := range strings.FieldsSeq(text) {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "avg10":
			s.Avg10, _ = strconv.ParseFloat(value, 64)
		case "avg60":
			s.Avg60, _ = strconv.ParseFloat(value, 64)
		case "avg300":
			s.Avg300, _ = strconv.ParseFloat(value, 64)
		case "total":
			n, _ := strconv.ParseInt(value, 10, 64)
			s.Total = time.Duration(n) * time.Microsecond
		}
	}
	return s
}
