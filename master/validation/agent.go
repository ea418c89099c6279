package validation

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// maxHostname is the longest hostname that names can have (RFC 1035).
const maxHostname = 255

// AgentSubscribe checks what an agent says of itself: not its tasks, which are
// looked at one by one.
func AgentSubscribe(s *linkpb.Subscribe) error {
	for _, rule := range []func(*linkpb.Subscribe) error{agentPresent, agentHostname, agentIP, agentPort, agentID, agentDomain, agentResources} {
		if err := rule(s); err != nil {
			return err
		}
	}
	return nil
}

func agentPresent(s *linkpb.Subscribe) error {
	if s.GetAgent() == nil {
		return missing("agent")
	}
	return nil
}

func agentHostname(s *linkpb.Subscribe) error {
	if n := len(s.GetAgent().GetHostname()); n == 0 || n > maxHostname {
		return fmt.Errorf("'AgentInfo.hostname' must have 1 to %d characters, not %d", maxHostname, n)
	}
	return nil
}

func agentIP(s *linkpb.Subscribe) error {
	if s.GetIp() == "" {
		return nil
	}
	if at, err := netip.ParseAddr(s.GetIp()); err != nil || at.IsUnspecified() || at.Zone() != "" {
		return fmt.Errorf("'ip' must be an address that others reach the agent at, not '%.64s'", s.GetIp())
	}
	return nil
}

func agentPort(s *linkpb.Subscribe) error {
	if port := s.GetAgent().GetPort(); port < 0 || port > 65535 {
		return fmt.Errorf("'AgentInfo.port' must be a port number, not %d", port)
	}
	return nil
}

func agentID(s *linkpb.Subscribe) error {
	if s.GetAgent().GetId().GetValue() == "" {
		return nil
	}
	if err := mesos.CheckID(s.GetAgent().GetId().GetValue()); err != nil {
		return fmt.Errorf("'AgentInfo.id' is invalid: %w", err)
	}
	return nil
}

func agentDomain(s *linkpb.Subscribe) error {
	fault := s.GetAgent().GetDomain().GetFaultDomain()
	if fault == nil {
		return nil
	}
	if err := mesos.CheckDomain(fault.GetRegion().GetName(), fault.GetZone().GetName()); err != nil {
		return fmt.Errorf("'AgentInfo.domain' is invalid: %w", err)
	}
	return nil
}

func agentResources(s *linkpb.Subscribe) error {
	for _, list := range [][]*mesospb.Resource{s.GetAgent().GetResources(), s.GetTotal()} {
		r, err := resources.FromProto(list)
		if err != nil {
			return err
		}
		if err := r.WholeGPUs(); err != nil {
			return err
		}
		for _, x := range r {
			if x.Allocation != "" {
				return errors.New("'Resource.allocation_info' must not be set by an agent: " + x.String())
			}
		}
	}
	return nil
}
