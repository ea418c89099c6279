package master

import (
	"fmt"

	"go.uber.org/zap"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/leader"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

func region(d *mesospb.DomainInfo) string { return d.GetFaultDomain().GetRegion().GetName() }

// compareRegion: all masters are in one region, since agents without a domain count as of the master's (mesos-api
// 21.6). While some have no domain yet they are being given one, which is no reason to end.
func (m *master) compareRegion(l leader.Leader) error {
	if l.ID == m.id || len(l.Info) == 0 {
		return nil
	}
	info := &mesospb.MasterInfo{}
	if err := callevent.Unmarshal(callevent.JSON, l.Info, info); err != nil {
		m.cfg.Log.Warn("information of the leading master not understood", zap.String("leader", l.Address), zap.Error(err))
		return nil
	}
	ours, theirs := region(m.cfg.Domain), region(info.GetDomain())
	switch {
	case ours == theirs:
	case ours == "" || theirs == "":
		m.cfg.Log.Warn("only one of this master and the leading one has a --domain: give it to all",
			zap.String("leader", l.Address), zap.String("region", ours), zap.String("leader_region", theirs))
	default:
		return fmt.Errorf("flag --domain: the leading master %s is in region %q, this one in %q: give all masters one region", l.Address, theirs, ours)
	}
	return nil
}
