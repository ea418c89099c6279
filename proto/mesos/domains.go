package mesos

import "fmt"

// maxDomainName bounds the name of a region or zone: it goes out with every offer.
const maxDomainName = 255

// CheckDomain says what is wrong with the names of a fault domain; nil if nothing is.
func CheckDomain(region, zone string) error {
	for _, x := range []struct{ field, name string }{{"region", region}, {"zone", zone}} {
		if n := len(x.name); n == 0 || n > maxDomainName {
			return fmt.Errorf("'fault_domain.%s.name' must have 1 to %d characters, not %d", x.field, maxDomainName, n)
		}
	}
	return nil
}
