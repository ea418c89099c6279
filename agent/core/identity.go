package core

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// withID is info with an id.
func withID(info *mesospb.AgentInfo, id string) *mesospb.AgentInfo {
	named := proto.CloneOf(info)
	named.Id = &mesospb.AgentID{Value: &id}
	return named
}

// incompatible says why an agent whose configuration was old must not go on as
// fresh, "" if it may (Mesos: --reconfiguration_policy).
func incompatible(old, fresh *mesospb.AgentInfo, additive bool) string {
	switch {
	case old.GetHostname() != fresh.GetHostname():
		return fmt.Sprintf("hostname was '%s' and is '%s'", old.GetHostname(), fresh.GetHostname())
	case old.GetPort() != fresh.GetPort():
		return fmt.Sprintf("port was %d and is %d", old.GetPort(), fresh.GetPort())
	case old.GetDomain() != nil && !proto.Equal(old.GetDomain(), fresh.GetDomain()),
		fresh.GetDomain() != nil && old.GetDomain() == nil && !additive:
		return "domain has changed"
	}
	if why := incompatibleResources(old, fresh, additive); why != "" {
		return why
	}
	return incompatibleAttributes(old, fresh, additive)
}

func incompatibleResources(old, fresh *mesospb.AgentInfo, additive bool) string {
	was, err := resources.FromProto(old.GetResources())
	if err != nil {
		return "stored resources: " + err.Error()
	}
	is, err := resources.FromProto(fresh.GetResources())
	switch {
	case err != nil:
		return err.Error()
	case additive && !is.Contains(was):
		return fmt.Sprintf("resources have shrunk from %v to %v", was, is)
	case !additive && !is.Equal(was):
		return fmt.Sprintf("resources have changed from %v to %v", was, is)
	}
	return ""
}

func incompatibleAttributes(old, fresh *mesospb.AgentInfo, additive bool) string {
	was, is := old.GetAttributes(), fresh.GetAttributes()
	for _, attribute := range was {
		same := func(other *mesospb.Attribute) bool {
			return proto.Equal(attribute, other) || additive && extends(other, attribute)
		}
		if !slices.ContainsFunc(is, same) {
			return fmt.Sprintf("attribute '%s' has changed or is missing", attribute.GetName())
		}
	}
	if !additive && len(is) != len(was) {
		return "attributes were added"
	}
	return ""
}

// extends reports whether an attribute of ranges has all that another one of its
// name has.
func extends(other, attribute *mesospb.Attribute) bool {
	ranges := mesospb.Value_RANGES
	return other.GetName() == attribute.GetName() && other.GetType() == ranges && attribute.GetType() == ranges &&
		asResource(other).Contains(asResource(attribute))
}

// asResource lets ranges be compared as those of resources are; nothing contains
// or is contained in what does not make sense.
func asResource(a *mesospb.Attribute) resources.Resources {
	r, _ := resources.FromProto([]*mesospb.Resource{{Name: a.Name, Type: a.Type, Ranges: a.Ranges}})
	return r
}
