package allocator

import (
	"regexp"
	"testing"
)

func TestConstraints(t *testing.T) {
	agent := Agent{
		Hostname: "h1.example", Region: "r", Zone: "",
		Attributes: []Attribute{
			{Name: "rack", Text: "r1"}, {Name: "rack", Text: "r2"}, {Name: "level", Kind: OtherAttribute},
		},
	}
	on := func(name string, p Predicate, value string) Constraint {
		c := Constraint{Attribute: name, Predicate: p, Value: value}
		if p == TextMatches || p == TextNotMatches {
			c.Pattern = regexp.MustCompile(`\A(?:` + value + `)\z`)
		}
		return c
	}
	one := func(c Constraint) Constraints { return Constraints{{c}} }
	tests := []struct {
		name string
		in   Constraints
		want bool
	}{
		{"no groups", nil, true},
		{"exists", one(on("rack", Exists, "")), true},
		{"exists, missing", one(on("zone", Exists, "")), false},
		{"not exists", one(on("rack", NotExists, "")), false},
		{"not exists, missing", one(on("zone", NotExists, "")), true},
		{"equals the first of the name", one(on("rack", TextEquals, "r1")), true},
		{"equals only the second", one(on("rack", TextEquals, "r2")), false},
		{"equals, missing", one(on("zone", TextEquals, "r1")), false},
		{"not equals", one(on("rack", TextNotEquals, "r1")), false},
		{"not equals, missing", one(on("zone", TextNotEquals, "r1")), true},
		{"matches whole", one(on("rack", TextMatches, "r[0-9]")), true},
		{"matches a part only", one(on("rack", TextMatches, "r")), false},
		{"matches, missing", one(on("zone", TextMatches, ".*")), false},
		{"not matches", one(on("rack", TextNotMatches, "r.")), false},
		{"not matches, missing", one(on("zone", TextNotMatches, ".*")), true},
		{"no text: exists", one(on("level", Exists, "")), true},
		{"no text: every text predicate holds", Constraints{{
			on("level", TextEquals, "3"), on("level", TextNotEquals, ""), on("level", TextMatches, "x"), on("level", TextNotMatches, ".*"),
		}}, true},
		{"all of a group", Constraints{{on("rack", Exists, ""), on("zone", Exists, "")}}, false},
		{"any of the groups", Constraints{{on("zone", Exists, "")}, {on("rack", Exists, "")}}, true},
		{"hostname", one(Constraint{Subject: SubjectHostname, Predicate: TextEquals, Value: "h1.example"}), true},
		{"region", one(Constraint{Subject: SubjectRegion, Predicate: TextEquals, Value: "r"}), true},
		{"zone, which it has not", one(Constraint{Subject: SubjectZone, Predicate: Exists}), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.in.Accept(&agent); got != tt.want {
				t.Errorf("Accept = %v, want %v", got, tt.want)
			}
		})
	}
}
