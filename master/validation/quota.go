package validation

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	quotapb "github.com/soukproject/souk/proto/mesos/v1/quota"
)

// A Quota is what an operator wants for a role; nothing at all removes what there was.
type Quota struct {
	Role string
	allocator.Quota
}

// Limits of quota. The amounts are Mesos': a trillion units, or an exabyte in megabytes.
const (
	maxQuotaNames = 100
	maxUnits      = 1_000_000_000_000
	maxMegabytes  = 1 << 40
)

// Quotas checks what an UPDATE_QUOTA says, and reads it (mesos-api 21.3). The text
// of its error is the whole body of a 400 answer. whitelist may be empty: any role.
func Quotas(configs []*quotapb.QuotaConfig, whitelist []string) ([]Quota, error) {
	if len(configs) > maxRoles {
		return nil, fmt.Errorf("Invalid QuotaConfig: %d roles, at most %d can be updated in one call", len(configs), maxRoles)
	}
	var list []Quota
	for _, c := range configs {
		switch {
		case !listedRole(c.GetRole(), whitelist):
			return nil, fmt.Errorf("Invalid QuotaConfig: '%s' is not on the roles whitelist", c.GetRole())
		case strings.Contains(c.GetRole(), "/"):
			return nil, fmt.Errorf("Updating quota on nested role '%s' is not supported yet", c.GetRole())
		}
		q, err := quotaOf(c)
		if err != nil {
			return nil, fmt.Errorf("Invalid QuotaConfig: %w", err)
		}
		list = append(list, q)
	}
	return list, nil
}

// quotaOf reads one config.
func quotaOf(c *quotapb.QuotaConfig) (Quota, error) {
	q := Quota{Role: c.GetRole()}
	if err := storedRole(q.Role); err != nil {
		return q, fmt.Errorf("Invalid 'QuotaConfig.role': %w", err)
	}
	guarantees, err := amounts(c.GetGuarantees(), "guarantee")
	if err != nil {
		return q, err
	}
	limits, err := amounts(c.GetLimits(), "limit")
	if err != nil {
		return q, err
	}
	q.Guarantees, q.Limits = resources.QuantitiesOf(guarantees...), resources.LimitsOf(limits...)
	if !q.Limits.Contains(q.Guarantees) {
		return q, fmt.Errorf("'QuotaConfig.guarantees' %s is not contained within the 'QuotaConfig.limits' %s",
			amountsText(c.GetGuarantees()), amountsText(c.GetLimits()))
	}
	return q, nil
}

// amounts reads one half of a config, sorted by name.
func amounts(m map[string]*mesospb.Value_Scalar, what string) ([]resources.Quantity, error) {
	if len(m) > maxQuotaNames {
		return nil, fmt.Errorf("Invalid 'QuotaConfig.%ss': %d resources, at most %d are supported", what, len(m), maxQuotaNames)
	}
	var list []resources.Quantity
	for _, name := range slices.Sorted(maps.Keys(m)) {
		amount := m[name].GetValue()
		if err := amountOf(name, amount); err != nil {
			return nil, fmt.Errorf("Invalid %s configuration {'%s': %s}: %w", what, name, whole(amount), err)
		}
		if most, word := largest(name); amount > most {
			return nil, fmt.Errorf("Invalid 'QuotaConfig.%ss': {'%s': %s} is invalid: values greater than %s (%s) are not supported",
				what, name, whole(amount), word, whole(most))
		}
		list = append(list, resources.Quantity{Name: name, Amount: resources.Scalar(math.Round(amount * 1000))})
	}
	return list, nil
}

func amountOf(name string, amount float64) error {
	switch {
	case name == "" || len(name) > maxRoleLength:
		return fmt.Errorf("The name of a resource must have 1 to %d bytes", maxRoleLength)
	case math.IsNaN(amount):
		return errors.New("NaN not supported")
	case math.IsInf(amount, 0):
		return errors.New("Infinite values not supported")
	case amount < 0:
		return errors.New("Negative values not supported")
	}
	return nil
}

// largest is the most that quota can name of a resource, and Mesos' word for it.
func largest(name string) (float64, string) {
	if name == "mem" || name == "disk" {
		return maxMegabytes, "1 exabyte"
	}
	return maxUnits, "1 trillion"
}

// amountsText prints one half of a config: "{ cpus: 5, mem: 256 }".
func amountsText(m map[string]*mesospb.Value_Scalar) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, name+": "+whole(m[name].GetValue()))
	}
	return set(list)
}

// whole is an amount without an exponent.
func whole(f float64) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return number(f)
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// QuotaRequest checks what a SET_QUOTA or a POST of /quota says, and reads it: the
// guarantees are the limits, too (mesos-api 21.2). The text of its error is the
// whole body of a 400 answer.
func QuotaRequest(r *quotapb.QuotaRequest, whitelist []string) (Quota, error) {
	q, err := quotaRequested(r, whitelist)
	if err != nil {
		return q, fmt.Errorf("Failed to validate set quota request: %w", err)
	}
	return q, nil
}

func quotaRequested(r *quotapb.QuotaRequest, whitelist []string) (Quota, error) {
	q := Quota{Role: r.GetRole()}
	if r.Role == nil {
		return q, errors.New("QuotaInfo must specify a role")
	}
	if err := storedRole(q.Role); err != nil {
		return q, fmt.Errorf("QuotaInfo with invalid role: %w", err)
	}
	guarantees, err := guaranteed(r.GetGuarantee())
	if err != nil {
		return q, err
	}
	q.Guarantees = guarantees
	q.Limits = guarantees.Limits()
	parent, _, nested := strings.Cut(q.Role, "/")
	switch {
	case !listedRole(q.Role, whitelist):
		return q, fmt.Errorf("Unknown role '%s'", q.Role)
	case nested:
		// Only roles at the top have quota, so that no parent has enough.
		return q, fmt.Errorf("Invalid quota configuration. Parent role '%s' with guarantees ({}) does not contain the sum of its children's guarantees (%s)",
			parent, guarantees)
	}
	return q, nil
}

// guaranteed reads the resources of a request: scalars that are nothing else.
func guaranteed(list []*mesospb.Resource) (resources.Quantities, error) {
	var sum resources.Quantities
	if len(list) == 0 {
		return sum, errors.New("QuotaInfo with empty 'guarantee'")
	}
	seen := map[string]bool{}
	for _, r := range list {
		switch {
		case r.GetRole() != "" && r.GetRole() != "*" || r.Reservation != nil || len(r.GetReservations()) > 0:
			return sum, errors.New("QuotaInfo must not contain any ReservationInfo")
		case r.Disk != nil:
			return sum, errors.New("QuotaInfo must not contain DiskInfo")
		case r.Revocable != nil:
			return sum, errors.New("QuotaInfo must not contain RevocableInfo")
		case r.GetType() != mesospb.Value_SCALAR:
			return sum, errors.New("QuotaInfo must not include non-scalar resources")
		case seen[r.GetName()]:
			return sum, fmt.Errorf("QuotaInfo contains duplicate resource name '%s'", r.GetName())
		}
		seen[r.GetName()] = true
		part, err := amounts(map[string]*mesospb.Value_Scalar{r.GetName(): r.GetScalar()}, "guarantee")
		if err != nil {
			return sum, err
		}
		sum = sum.Add(resources.QuantitiesOf(part...))
	}
	return sum, nil
}
