package core

import (
	"maps"
	"slices"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// below are the apps that a dependency names: one app, or all of a group.
func (t *target) below(id string) []string {
	if t.tree[id] != nil {
		return []string{id}
	}
	var out []string
	for _, other := range slices.Sorted(maps.Keys(t.tree)) {
		if spec.Below(other, id) {
			out = append(out, other)
		}
	}
	return out
}

// dependencies of an app. One on a group it lies in does not count.
func (t *target) dependencies(id string) []string {
	def := t.tree[id]
	if def == nil {
		return nil
	}
	var out []string
	for _, d := range def.Dependencies {
		if d != id && spec.Below(id, d) {
			continue
		}
		out = append(out, t.below(d)...)
	}
	return out
}

// layer is the length of the longest chain of dependencies below the app.
// Cycles were refused before.
func (t *target) layer(id string) int { return t.depth(id, map[string]int{}) }

func (t *target) depth(id string, known map[string]int) int {
	if d, ok := known[id]; ok {
		return d
	}
	deepest := 0
	for _, dep := range t.dependencies(id) {
		deepest = max(deepest, 1+t.depth(dep, known))
	}
	known[id] = deepest
	return deepest
}

// cyclic reports whether some app depends on itself, however far around.
func (t *target) cyclic() bool {
	const visiting, visited = 1, 2
	state := map[string]int{}
	var visit func(id string) bool
	visit = func(id string) bool {
		switch state[id] {
		case visiting:
			return true
		case visited:
			return false
		}
		state[id] = visiting
		if slices.ContainsFunc(t.dependencies(id), visit) {
			return true
		}
		state[id] = visited
		return false
	}
	return slices.ContainsFunc(slices.Sorted(maps.Keys(t.tree)), visit)
}
