package doctest

import (
	"regexp"
	"strconv"
)

// Ports are those that pages use, the defaults of the daemons and one for a
// second agent. A test puts others in their place.
func Ports() []int { return []int{5050, 5051, 5052, 8080, 4400} }

// A Mapping gives each of Ports the one that is really used.
type Mapping map[int]int

var number = regexp.MustCompile(`\b\d{4,5}\b`)

// Apply puts the real ports into commands.
func (m Mapping) Apply(text string) string { return m.replace(text) }

// Undo puts the documented ports into output.
func (m Mapping) Undo(text string) string {
	back := make(Mapping, len(m))
	for shown, real := range m {
		back[real] = shown
	}
	return back.replace(text)
}

func (m Mapping) replace(text string) string {
	return number.ReplaceAllStringFunc(text, func(digits string) string {
		n, err := strconv.Atoi(digits)
		if other, ok := m[n]; err == nil && ok {
			return strconv.Itoa(other)
		}
		return digits
	})
}
