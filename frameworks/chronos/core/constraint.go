package core

import (
	"regexp"
	"strconv"
	"strings"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// A constraint says which agents a job may run on. Operators other than EQUALS,
// LIKE and UNLIKE place no condition, as in Chronos.
type constraint struct {
	attribute, operator, value string
	pattern                    *regexp.Regexp // of LIKE and UNLIKE
}

func readConstraint(p Placing) (constraint, *Invalid) {
	c := constraint{attribute: p[0], operator: p[1], value: p[2]}
	if c.operator != "LIKE" && c.operator != "UNLIKE" {
		return c, nil
	}
	pattern, err := regexp.Compile(`^(?:` + c.value + `)$`)
	if err != nil {
		return c, invalid("constraints", "%s %s %.80q: not a regular expression that can be used (RE2 syntax): %v", c.attribute, c.operator, c.value, err)
	}
	c.pattern = pattern
	return c, nil
}

// matches reports whether an agent with these attributes and host name will do.
// An attribute called hostname is the host name unless the agent has its own.
func (c constraint) matches(attributes []*mesospb.Attribute, hostname string) bool {
	if c.operator != "EQUALS" && c.pattern == nil {
		return true
	}
	for _, a := range attributes {
		if a.GetName() == c.attribute {
			return c.holds(a)
		}
	}
	if c.attribute == "hostname" {
		return c.holdsText(hostname)
	}
	return false // UNLIKE as well: Chronos refuses agents without the attribute
}

func (c constraint) holds(a *mesospb.Attribute) bool {
	switch a.GetType() {
	case mesospb.Value_TEXT:
		return c.holdsText(a.GetText().GetValue())
	case mesospb.Value_SCALAR:
		return c.operator != "EQUALS" && c.holdsText(decimal(a.GetScalar().GetValue()))
	case mesospb.Value_SET:
		return c.holdsSet(a.GetSet().GetItem())
	}
	return false
}

func (c constraint) holdsText(text string) bool {
	switch c.operator {
	case "EQUALS":
		return text == c.value
	case "LIKE":
		return c.pattern.MatchString(text)
	}
	return !c.pattern.MatchString(text)
}

func (c constraint) holdsSet(items []string) bool {
	if c.operator == "EQUALS" {
		return false
	}
	for _, item := range items {
		if c.pattern.MatchString(item) {
			return c.operator == "LIKE"
		}
	}
	return c.operator == "UNLIKE"
}

// decimal writes a number as Chronos does: 3.0, 0.1.
func decimal(f float64) string {
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}
