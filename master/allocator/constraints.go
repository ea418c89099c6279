package allocator

import "regexp"

// Constraints are alternatives: an agent is acceptable if all constraints of at least one group hold (mesos-api 8.13).
type Constraints [][]Constraint

// Constraint is a claim about one attribute of an agent.
type Constraint struct {
	Subject   Subject
	Attribute string // the name, for SubjectAttribute
	Predicate Predicate
	Value     string         // of TextEquals and TextNotEquals
	Pattern   *regexp.Regexp // of TextMatches and TextNotMatches; matches must be whole: compile with \A(?:…)\z
}

// Subject is what a constraint is about.
type Subject uint8

// The subjects: an attribute by its name, or a pseudo attribute.
const (
	SubjectAttribute Subject = iota
	SubjectHostname
	SubjectRegion
	SubjectZone
)

// Predicate is what a constraint claims.
type Predicate uint8

// The predicates.
const (
	Exists Predicate = iota
	NotExists
	TextEquals
	TextNotEquals
	TextMatches
	TextNotMatches
)

// Accept reports whether the agent is acceptable. No groups at all accept every agent.
func (c Constraints) Accept(a *Agent) bool {
	for _, group := range c {
		if acceptAll(group, a) {
			return true
		}
	}
	return len(c) == 0
}

func acceptAll(group []Constraint, a *Agent) bool {
	for i := range group {
		if !group[i].holds(a) {
			return false
		}
	}
	return true
}

func (c *Constraint) holds(a *Agent) bool {
	value, found := c.subject(a)
	switch c.Predicate {
	case Exists:
		return found
	case NotExists:
		return !found
	}
	if !found {
		return c.Predicate == TextNotEquals || c.Predicate == TextNotMatches
	}
	if value.Kind != TextAttribute {
		return true // as in Mesos: predicates on text do not judge what is not text
	}
	switch c.Predicate {
	case TextEquals:
		return value.Text == c.Value
	case TextNotEquals:
		return value.Text != c.Value
	case TextMatches:
		return c.Pattern.MatchString(value.Text)
	case TextNotMatches:
		return !c.Pattern.MatchString(value.Text)
	}
	return false
}

// subject finds what the constraint is about: the first attribute of the name.
func (c *Constraint) subject(a *Agent) (Attribute, bool) {
	switch c.Subject {
	case SubjectHostname:
		return Attribute{Text: a.Hostname}, true
	case SubjectRegion:
		return Attribute{Text: a.Region}, a.Region != ""
	case SubjectZone:
		return Attribute{Text: a.Zone}, a.Zone != ""
	}
	for _, x := range a.Attributes {
		if x.Name == c.Attribute {
			return x, true
		}
	}
	return Attribute{}, false
}
