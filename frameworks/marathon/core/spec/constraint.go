package spec

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
)

// Constraint operators.
const (
	Unique  = "UNIQUE"
	Cluster = "CLUSTER"
	GroupBy = "GROUP_BY"
	Like    = "LIKE"
	Unlike  = "UNLIKE"
	MaxPer  = "MAX_PER"
	Is      = "IS"
)

var operators = []string{Cluster, GroupBy, Is, Like, MaxPer, Unique, Unlike}

// isValue bounds what IS compares with.
var isValue = regexp.MustCompile(`^[a-zA-Z0-9_/.-]*$`)

// A Constraint restricts which agents may run an instance. Value is "" when
// none was given.
type Constraint struct {
	Field, Operator, Value string
	// Given tells an empty value from none; both mean the same to every operator.
	given bool
}

// MarshalJSON writes the two or three strings.
func (c Constraint) MarshalJSON() ([]byte, error) {
	if !c.given {
		return json.Marshal([]string{c.Field, c.Operator})
	}
	return json.Marshal([]string{c.Field, c.Operator, c.Value})
}

// Constraints builds a constraint of two or three strings.
func constraintOf(parts []string) Constraint {
	c := Constraint{Field: parts[0], Operator: parts[1]}
	if len(parts) == 3 {
		c.Value, c.given = parts[2], true
	}
	return c
}

func (r reader) constraints(name string) []Constraint {
	var out []Constraint
	for i, v := range r.array(name) {
		path := element(r.at(name), i)
		list, ok := v.([]any)
		if !ok {
			r.rep.add(path, "error.expected.jsarray")
			continue
		}
		parts := r.texts(path, list)
		switch {
		case len(parts) != len(list):
		case len(parts) < 2:
			r.rep.add(path, "error.minItems: a constraint is [field, operator] or [field, operator, value]")
		case len(parts) > 3:
			r.rep.add(path, "error.maxItems: a constraint is [field, operator] or [field, operator, value]")
		default:
			out = append(out, constraintOf(parts))
		}
	}
	return out
}

func checkConstraints(rep *report, a *App) {
	for i, c := range a.Constraints {
		checkConstraint(rep, element("/constraints", i), c)
	}
}

func checkConstraint(rep *report, path string, c Constraint) {
	switch c.Operator {
	case Unique:
		// The answer of old servers, sent back by clients, has an empty value here.
		if c.Value != "" {
			rep.add(path, "UNIQUE does not accept a value")
		}
	case Cluster:
	case GroupBy:
		if _, err := strconv.Atoi(c.Value); err != nil && c.Value != "" {
			rep.add(path, "GROUP_BY accepts an integer or no value, got %q", c.Value)
		}
	case MaxPer:
		if _, err := strconv.Atoi(c.Value); err != nil {
			rep.add(path, "MAX_PER requires an integer, got %q", c.Value)
		}
	case Like, Unlike:
		checkPattern(rep, path, c)
	case Is:
		if !c.given || !isValue.MatchString(c.Value) {
			rep.add(path, "IS requires a value that matches %s", isValue)
		}
	default:
		rep.add(path, "operator %q must be one of %q", c.Operator, operators)
	}
	if c.Field == "" {
		rep.add(path, "the field of a constraint must not be empty")
	}
}

func checkPattern(rep *report, path string, c Constraint) {
	if !c.given || c.Value == "" {
		rep.add(path, "%s requires a regular expression", c.Operator)
		return
	}
	if _, err := CompilePattern(c.Value); err != nil {
		rep.add(path, "%q is not a regular expression: %v", c.Value, err)
	}
}

// CompilePattern compiles a LIKE or UNLIKE value, which must match a value whole.
func CompilePattern(value string) (*regexp.Regexp, error) {
	return regexp.Compile(`^(?:` + value + `)$`)
}

// Constrains reports whether some constraint is on one of the fields.
func (a *App) Constrains(fields ...string) bool {
	return slices.ContainsFunc(a.Constraints, func(c Constraint) bool { return slices.Contains(fields, c.Field) })
}
