package daemon

import (
	"errors"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// Domain adds the flag --domain: the fault domain of a machine, in Mesos' JSON (mesos-api 21.6).
func (f *FlagSet) Domain(p **mesospb.DomainInfo, usage string) {
	f.Func("domain", "", usage, func(text string) error {
		domain := &mesospb.DomainInfo{}
		if err := callevent.Unmarshal(callevent.JSON, []byte(text), domain); err != nil {
			return err
		}
		fault := domain.GetFaultDomain()
		if fault == nil {
			return errors.New(`there is no fault_domain in it: write {"fault_domain":{"region":{"name":"r"},"zone":{"name":"z"}}}`)
		}
		*p = domain
		return mesos.CheckDomain(fault.GetRegion().GetName(), fault.GetZone().GetName())
	})
}
