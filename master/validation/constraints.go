package validation

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/soukproject/souk/master/allocator"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// Limits of patterns (Mesos: --offer_constraints_re2_max_mem and _max_program_size).
const (
	maxPatternLength = 4096
	maxProgramSize   = 100
)

// OfferConstraints checks a framework's constraints and makes them fit for use (mesos-api 8.13).
func OfferConstraints(c *schedulerpb.OfferConstraints, roles []string) (map[string]allocator.Constraints, error) {
	out := map[string]allocator.Constraints{}
	for _, role := range slices.Sorted(maps.Keys(c.GetRoleConstraints())) {
		groups, err := roleConstraints(role, c.GetRoleConstraints()[role])
		if err != nil {
			return nil, fmt.Errorf("Offer constraints are not valid: %w", err)
		}
		out[role] = groups
	}
	for _, role := range slices.Sorted(maps.Keys(out)) {
		if !slices.Contains(roles, role) {
			return nil, fmt.Errorf("Offer constraints specify `role_constraints` for a role '%s'not contained in the set of roles", role)
		}
	}
	return out, nil
}

func roleConstraints(role string, c *schedulerpb.OfferConstraints_RoleConstraints) (allocator.Constraints, error) {
	if len(c.GetGroups()) == 0 {
		return nil, fmt.Errorf("'OfferConstraints::role_constraints' has an empty 'RoleConstraints::groups' for role %s", role)
	}
	var groups allocator.Constraints
	for _, g := range c.GetGroups() {
		if len(g.GetAttributeConstraints()) == 0 {
			return nil, fmt.Errorf("'OfferConstraints::RoleConstraints::groups' for role %scontains an empty RoleConstraints::Group", role)
		}
		var group []allocator.Constraint
		for _, a := range g.GetAttributeConstraints() {
			constraint, err := attributeConstraint(a)
			if err != nil {
				return nil, fmt.Errorf("A role %s has an invalid 'AttributeConstraint': %w", role, err)
			}
			group = append(group, constraint)
		}
		groups = append(groups, group)
	}
	return groups, nil
}

func attributeConstraint(a *schedulerpb.AttributeConstraint) (allocator.Constraint, error) {
	var out allocator.Constraint
	if err := selector(a.GetSelector(), &out); err != nil {
		return out, err
	}
	return out, predicate(a.GetPredicate(), &out)
}

func selector(s *schedulerpb.AttributeConstraint_Selector, out *allocator.Constraint) error {
	if name, ok := s.GetSelector().(*schedulerpb.AttributeConstraint_Selector_AttributeName); ok {
		out.Subject, out.Attribute = allocator.SubjectAttribute, name.AttributeName
		return nil
	}
	if s.GetSelector() == nil {
		return errors.New("Exactly one of 'AttributeConstraint::Selector::name' or 'AttributeConstraint::Selector::pseudoattribute_type' must be set")
	}
	switch s.GetPseudoattributeType() {
	case schedulerpb.AttributeConstraint_Selector_HOSTNAME:
		out.Subject = allocator.SubjectHostname
	case schedulerpb.AttributeConstraint_Selector_REGION:
		out.Subject = allocator.SubjectRegion
	case schedulerpb.AttributeConstraint_Selector_ZONE:
		out.Subject = allocator.SubjectZone
	default:
		return errors.New("Unknown pseudoattribute type")
	}
	return nil
}

func predicate(p *schedulerpb.AttributeConstraint_Predicate, out *allocator.Constraint) (err error) {
	switch x := p.GetPredicate().(type) {
	case *schedulerpb.AttributeConstraint_Predicate_Exists_:
		out.Predicate = allocator.Exists
	case *schedulerpb.AttributeConstraint_Predicate_NotExists_:
		out.Predicate = allocator.NotExists
	case *schedulerpb.AttributeConstraint_Predicate_TextEquals_:
		out.Predicate, out.Value = allocator.TextEquals, x.TextEquals.GetValue()
	case *schedulerpb.AttributeConstraint_Predicate_TextNotEquals_:
		out.Predicate, out.Value = allocator.TextNotEquals, x.TextNotEquals.GetValue()
	case *schedulerpb.AttributeConstraint_Predicate_TextMatches_:
		out.Predicate = allocator.TextMatches
		out.Pattern, err = pattern(x.TextMatches.GetRegex())
	case *schedulerpb.AttributeConstraint_Predicate_TextNotMatches_:
		out.Predicate = allocator.TextNotMatches
		out.Pattern, err = pattern(x.TextNotMatches.GetRegex())
	default:
		return errors.New("Unknown predicate type")
	}
	return err
}

// pattern compiles a pattern that must match the whole of a text.
func pattern(text string) (*regexp.Regexp, error) {
	fail := func(why string) (*regexp.Regexp, error) {
		return nil, fmt.Errorf("Failed to construct regex from pattern '%s': %s", text, why)
	}
	if len(text) > maxPatternLength {
		return fail("pattern too large - compile failed")
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return fail(complaint(err))
	}
	if program, err := syntax.Compile(tree.Simplify()); err != nil || len(program.Inst) > maxProgramSize {
		return fail("pattern too large - compile failed")
	}
	compiled, err := regexp.Compile(`\A(?:` + text + `)\z`)
	if err != nil {
		return fail(complaint(err))
	}
	return compiled, nil
}

// complaint is what RE2 says where Go says the same in other words.
func complaint(err error) string {
	var e *syntax.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	return strings.Replace(e.Code.String(), "missing closing", "missing", 1) + ": " + e.Expr
}
