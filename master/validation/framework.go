package validation

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// FrameworkRules are the master's own.
type FrameworkRules struct {
	Roles           []string // whitelist; empty: any role
	RootSubmissions bool     // frameworks of user root are welcome
}

// Framework checks what a framework says of itself when it subscribes (mesos-api 8.3, 8.4).
func Framework(info *mesospb.FrameworkInfo, r FrameworkRules) error {
	for _, rule := range []func(*mesospb.FrameworkInfo) error{
		frameworkSize, frameworkRoles, frameworkID, failoverTimeout, offerFilters, r.whitelisted, r.notRoot,
	} {
		if err := rule(info); err != nil {
			return err
		}
	}
	return nil
}

// Roles are the roles of a framework, sorted: 'roles' if it is MULTI_ROLE capable, else 'role'.
func Roles(info *mesospb.FrameworkInfo) []string {
	if multiRole(info) {
		return slices.Compact(slices.Sorted(slices.Values(info.GetRoles())))
	}
	return []string{info.GetRole()}
}

func multiRole(info *mesospb.FrameworkInfo) bool {
	return slices.ContainsFunc(info.GetCapabilities(), func(c *mesospb.FrameworkInfo_Capability) bool {
		return c.GetType() == mesospb.FrameworkInfo_Capability_MULTI_ROLE
	})
}

// Bounds of what one framework may say of itself: agents are told all of it, and
// each role costs the allocator. Mesos has none.
const (
	maxFrameworkBytes = 256 << 10
	maxFrameworkRoles = 1000
)

func frameworkSize(info *mesospb.FrameworkInfo) error {
	if n := len(info.GetRoles()); n > maxFrameworkRoles {
		return fmt.Errorf("'FrameworkInfo.roles' has %d roles: at most %d are allowed", n, maxFrameworkRoles)
	}
	if n := proto.Size(info); n > maxFrameworkBytes {
		return fmt.Errorf("FrameworkInfo has %d bytes: at most %d are allowed; shorten its name, labels or other texts", n, maxFrameworkBytes)
	}
	return nil
}

func frameworkRoles(info *mesospb.FrameworkInfo) error {
	if !multiRole(info) {
		return frameworkRole(info)
	}
	if info.Role != nil {
		return errors.New("'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable")
	}
	if twice := duplicates(info.GetRoles()); len(twice) > 0 {
		return fmt.Errorf("'FrameworkInfo.roles' contains duplicate items: %s", set(twice))
	}
	for _, role := range info.GetRoles() {
		if err := mesos.CheckRole(role); err != nil {
			return fmt.Errorf("'FrameworkInfo.roles' contains invalid role: %w", err)
		}
	}
	return nil
}

func frameworkRole(info *mesospb.FrameworkInfo) error {
	if len(info.GetRoles()) > 0 {
		return errors.New("'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable")
	}
	if err := mesos.CheckRole(info.GetRole()); err != nil {
		return fmt.Errorf("'FrameworkInfo.role' is not a valid role: %w", err)
	}
	return nil
}

func frameworkID(info *mesospb.FrameworkInfo) error {
	if info.GetId().GetValue() == "" {
		return nil
	}
	return mesos.CheckID(info.GetId().GetValue())
}

// failoverTimeout must fit a signed 64-bit number of nanoseconds.
func failoverTimeout(info *mesospb.FrameworkInfo) error {
	seconds := info.GetFailoverTimeout()
	if math.Abs(seconds)*1e9 < math.MaxInt64 {
		return nil
	}
	return fmt.Errorf("The framework failover_timeout (%s) is invalid", number(seconds))
}

// number is a double as Mesos prints it.
func number(f float64) string {
	return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(f, 'g', 6, 64), "+"))
}

func offerFilters(info *mesospb.FrameworkInfo) error {
	for _, role := range slices.Sorted(maps.Keys(info.GetOfferFilters())) {
		for _, q := range info.GetOfferFilters()[role].GetMinAllocatableResources().GetQuantities() {
			for _, name := range slices.Sorted(maps.Keys(q.GetQuantities())) {
				if err := quantity(name, q.GetQuantities()[name].GetValue()); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func quantity(name string, f float64) error {
	switch {
	case math.IsNaN(f):
		return fmt.Errorf("Invalid resource quantity for '%s': NaN not supported", name)
	case math.IsInf(f, 0):
		return fmt.Errorf("Invalid resource quantity for '%s': Infinite values not supported", name)
	case f < 0:
		return fmt.Errorf("Invalid resource quantity for '%s': Negative values not supported", name)
	case f > resources.MaxScalar.Float():
		return fmt.Errorf("Invalid resource quantity for '%s': Values above %s not supported", name, resources.MaxScalar)
	}
	return nil
}

// OfferMinimum is what an offer for single roles must contain: at least one of
// the entries. Filters that Framework refuses are left out.
func OfferMinimum(info *mesospb.FrameworkInfo) map[string][]resources.Quantities {
	var out map[string][]resources.Quantities
	for role, filter := range info.GetOfferFilters() {
		if filter.GetMinAllocatableResources() == nil || offerFilters(info) != nil {
			continue
		}
		list := []resources.Quantities{}
		for _, q := range filter.GetMinAllocatableResources().GetQuantities() {
			var entry resources.Quantities
			for name, v := range q.GetQuantities() {
				entry = entry.With(name, resources.Scalar(math.Round(v.GetValue()*1000)))
			}
			list = append(list, entry)
		}
		if out == nil {
			out = map[string][]resources.Quantities{}
		}
		out[role] = list
	}
	return out
}

func (r FrameworkRules) whitelisted(info *mesospb.FrameworkInfo) error {
	if len(r.Roles) == 0 {
		return nil
	}
	if rest := without(Roles(info), append([]string{mesos.AnyRole}, r.Roles...)); len(rest) > 0 {
		return fmt.Errorf("Roles %s are not present in the master's --roles", set(rest))
	}
	return nil
}

func (r FrameworkRules) notRoot(info *mesospb.FrameworkInfo) error {
	if info.GetUser() == "root" && !r.RootSubmissions {
		return errors.New("User 'root' is not allowed to run frameworks without --root_submissions set")
	}
	return nil
}

// SuppressedRoles checks that a framework suppresses only roles it has.
func SuppressedRoles(suppressed, roles []string) error {
	if rest := without(suppressed, roles); len(rest) > 0 {
		return fmt.Errorf("Suppressed roles %s are not contained in the set of roles", set(rest))
	}
	return nil
}

// FrameworkUpdate checks that an UPDATE_FRAMEWORK leaves alone what cannot change (mesos-api 8.12).
func FrameworkUpdate(old, fresh *mesospb.FrameworkInfo) error {
	switch {
	case old.GetPrincipal() != fresh.GetPrincipal():
		return errors.New("Changing framework's principal is not allowed.")
	case old.GetUser() != fresh.GetUser():
		return fmt.Errorf("Updating 'FrameworkInfo.user' is unsupported; attempted to update from '%s' to '%s'", old.GetUser(), fresh.GetUser())
	case old.GetCheckpoint() != fresh.GetCheckpoint():
		return fmt.Errorf("Updating 'FrameworkInfo.checkpoint' is unsupported; attempted to update from '%t' to '%t'", old.GetCheckpoint(), fresh.GetCheckpoint())
	}
	return nil
}

// duplicates lists what occurs more than once, sorted.
func duplicates(list []string) []string {
	seen := map[string]int{}
	for _, x := range list {
		seen[x]++
	}
	maps.DeleteFunc(seen, func(_ string, n int) bool { return n == 1 })
	return slices.Sorted(maps.Keys(seen))
}

// without is a without what is in b, sorted.
func without(a, b []string) []string {
	rest := slices.DeleteFunc(slices.Clone(a), func(x string) bool { return slices.Contains(b, x) })
	slices.SortFunc(rest, cmp.Compare[string])
	return slices.Compact(rest)
}

// set is a list in the way Mesos prints sets.
func set(list []string) string { return "{ " + strings.Join(list, ", ") + " }" }
