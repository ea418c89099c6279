package validation

import (
	"fmt"
	"math"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// Weights checks weights that an operator sets (mesos-api 21.1). The text of its
// error is the whole body of a 400 answer. whitelist may be empty: any role.
func Weights(list []*mesospb.WeightInfo, whitelist []string) error {
	const failed = "Failed to validate update weights request JSON"
	if len(list) > maxRoles {
		return fmt.Errorf("%s: %d weights, at most %d can be set in one call", failed, len(list), maxRoles)
	}
	for _, w := range list {
		role, weight := w.GetRole(), w.GetWeight()
		if err := storedRole(role); err != nil {
			return fmt.Errorf("%s: Invalid role '%s': %w", failed, role, err)
		}
		switch {
		case !listedRole(role, whitelist):
			return fmt.Errorf("%s: Unknown role '%s'", failed, role)
		case !(weight > 0):
			return fmt.Errorf("%s for role '%s': Invalid weight '%s': Weights must be positive", failed, role, number(weight))
		case math.IsInf(weight, 0):
			return fmt.Errorf("%s for role '%s': Invalid weight '%s': Weights must be finite", failed, role, number(weight))
		}
	}
	return nil
}
