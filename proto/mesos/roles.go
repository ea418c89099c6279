package mesos

import (
	"fmt"
	"iter"
	"strings"
)

// AnyRole is the role of unreserved resources and of frameworks that name none.
const AnyRole = "*"

// CheckRole says what is wrong with a role name, in Mesos' words; nil if nothing is.
func CheckRole(role string) error {
	switch {
	case role == AnyRole:
		return nil
	case role == "":
		return fmt.Errorf("Role names cannot be the empty string")
	case strings.HasPrefix(role, "/"):
		return fmt.Errorf("Role '%s' cannot start with a slash", role)
	case strings.HasSuffix(role, "/"):
		return fmt.Errorf("Role '%s' cannot end with a slash", role)
	case strings.Contains(role, "//"):
		return fmt.Errorf("Role '%s' cannot contain two adjacent slashes", role)
	}
	for part := range strings.SplitSeq(role, "/") {
		if err := checkRolePart(role, part); err != nil {
			return err
		}
	}
	return nil
}

func checkRolePart(role, part string) error {
	switch {
	case part == "." || part == ".." || part == AnyRole:
		return fmt.Errorf("Role '%s' cannot include '%s' as a component", role, part)
	case strings.HasPrefix(part, "-"):
		return fmt.Errorf("Role component '%s' is invalid because it starts with a dash", part)
	case strings.ContainsFunc(part, blank):
		return fmt.Errorf("Role component '%s' is invalid because it contains backspace or whitespace", part)
	}
	return nil
}

func blank(r rune) bool { return r >= 0x08 && r <= 0x0d || r == 0x20 || r == 0x7f }

// Ancestors yields the roles above role, the nearest first: "a/b", then "a" for "a/b/c".
func Ancestors(role string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := strings.LastIndexByte(role, '/'); i > 0; i = strings.LastIndexByte(role[:i], '/') {
			if !yield(role[:i]) {
				return
			}
		}
	}
}

// Within reports whether role is ancestor itself or lies below it.
func Within(role, ancestor string) bool {
	return role == ancestor || strings.HasPrefix(role, ancestor) && role[len(ancestor)] == '/'
}
