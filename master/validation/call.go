package validation

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// ValidateCall checks the shape of a scheduler's call (mesos-api 8.2, row 1). The
// text of its error is the whole body of a 400 answer.
func ValidateCall(c *schedulerpb.Call) error {
	if err := schedulerCall(c); err != nil {
		return fmt.Errorf("Failed to validate scheduler::Call: %w", err)
	}
	return nil
}

func schedulerCall(c *schedulerpb.Call) error {
	if err := initialized(c); err != nil {
		return err
	}
	switch {
	case c.Type == nil:
		return missing("type")
	case c.GetType() == schedulerpb.Call_SUBSCRIBE:
		return subscribeCall(c)
	case c.FrameworkId == nil:
		return missing("framework_id")
	}
	if err := ownField(c, c.GetType().String(), "revive", "suppress"); err != nil {
		return err
	}
	switch c.GetType() {
	case schedulerpb.Call_ACKNOWLEDGE:
		return uuid(c.GetAcknowledge().GetUuid())
	case schedulerpb.Call_ACKNOWLEDGE_OPERATION_STATUS:
		return operationAcknowledgement(c.GetAcknowledgeOperationStatus())
	case schedulerpb.Call_UPDATE_FRAMEWORK:
		if c.GetUpdateFramework().GetFrameworkInfo().GetId().GetValue() != c.GetFrameworkId().GetValue() {
			return errors.New("'framework_id' differs from 'update_framework.framework_info.id'")
		}
	}
	return nil
}

func subscribeCall(c *schedulerpb.Call) error {
	if c.Subscribe == nil {
		return missing("subscribe")
	}
	if c.GetSubscribe().GetFrameworkInfo().GetId().GetValue() != c.GetFrameworkId().GetValue() {
		return errors.New("'framework_id' differs from 'subscribe.framework_info.id'")
	}
	return nil
}

func operationAcknowledgement(a *schedulerpb.Call_AcknowledgeOperationStatus) error {
	if err := uuid(a.GetUuid()); err != nil {
		return err
	}
	if a.AgentId == nil {
		return missing("agent_id")
	}
	return nil
}

// uuid is 16 bytes, not all of them zero.
func uuid(b []byte) error {
	if len(b) != 16 || strings.Trim(string(b), "\x00") == "" {
		return errors.New("Not a valid UUID")
	}
	return nil
}

// ValidatePrincipal checks that a call does not speak for somebody else. principal
// is the authenticated one; "" if nobody was.
func ValidatePrincipal(c *schedulerpb.Call, principal string) error {
	for _, info := range []*mesospb.FrameworkInfo{c.GetSubscribe().GetFrameworkInfo(), c.GetUpdateFramework().GetFrameworkInfo()} {
		if principal != "" && info != nil && info.Principal != nil && info.GetPrincipal() != principal {
			return fmt.Errorf("Failed to validate scheduler::Call: Authenticated principal '%s' does not match principal '%s' set in `FrameworkInfo`",
				principal, info.GetPrincipal())
		}
	}
	return nil
}

// ValidateOperatorCall checks the shape of an operator's call (mesos-api 4). The
// text of its error is the whole body of a 400 answer.
func ValidateOperatorCall(c *masterpb.Call) error {
	err := initialized(c)
	switch {
	case err != nil:
	case c.Type == nil:
		err = missing("type")
	default:
		err = ownField(c, c.GetType().String())
	}
	if err == nil {
		err = ownDisks(c)
	}
	if err != nil {
		return fmt.Errorf("Failed to validate master::Call: %w", err)
	}
	return nil
}

// ownDisks: volumes of resource providers, which need no agent, are not resized.
func ownDisks(c *masterpb.Call) error {
	if c.GetGrowVolume() != nil && c.GetGrowVolume().AgentId == nil || c.GetShrinkVolume() != nil && c.GetShrinkVolume().AgentId == nil {
		return errors.New("Expecting 'agent_id' to be present; only agent default resources are supported right now")
	}
	return nil
}

// ownField checks that a call carries the message named like its type, if there
// is one and it is not optional.
func ownField(c proto.Message, kind string, optional ...string) error {
	name := strings.ToLower(kind)
	for _, o := range optional {
		if name == o {
			return nil
		}
	}
	m := c.ProtoReflect()
	if field := m.Descriptor().Fields().ByName(protoreflect.Name(name)); field != nil && !m.Has(field) {
		return missing(name)
	}
	return nil
}

func missing(field string) error { return fmt.Errorf("Expecting '%s' to be present", field) }

func initialized(m proto.Message) error {
	if err := proto.CheckInitialized(m); err != nil {
		return fmt.Errorf("Not initialized: %s", strings.TrimPrefix(err.Error(), "proto: "))
	}
	return nil
}
