package validation

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/soukproject/souk/proto/mesos"
)

// Limits of what an operator may set for roles: all of a call is written at once,
// and a role is part of the name it is written under.
const (
	maxRoleLength = 400 // bytes
	maxRoles      = 1000
)

// storedRole checks a role that something is to be remembered of.
func storedRole(role string) error {
	switch {
	case len(role) > maxRoleLength:
		return fmt.Errorf("Role '%.20s…' is longer than %d bytes", role, maxRoleLength)
	case !utf8.ValidString(role) || slices.Contains([]byte(role), 0):
		return fmt.Errorf("Role %q is not UTF-8 text", role)
	}
	return mesos.CheckRole(role)
}

// listedRole reports whether a whitelist, if there is one, has a role.
func listedRole(role string, whitelist []string) bool {
	return len(whitelist) == 0 || role == mesos.AnyRole || slices.Contains(whitelist, role)
}
