package validation_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/validation"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

func TestValidateOperatorCall(t *testing.T) {
	for _, test := range []struct {
		name string
		call *masterpb.Call
		want string
	}{
		{"no type", &masterpb.Call{}, "Failed to validate master::Call: Expecting 'type' to be present"},
		{"query", &masterpb.Call{Type: masterpb.Call_GET_STATE.Enum()}, ""},
		{"query with a field", &masterpb.Call{Type: masterpb.Call_GET_METRICS.Enum()}, "Failed to validate master::Call: Expecting 'get_metrics' to be present"},
		{"teardown", &masterpb.Call{Type: masterpb.Call_TEARDOWN.Enum()}, "Failed to validate master::Call: Expecting 'teardown' to be present"},
		{"mark gone", &masterpb.Call{Type: masterpb.Call_MARK_AGENT_GONE.Enum()}, "Failed to validate master::Call: Expecting 'mark_agent_gone' to be present"},
		{"complete", &masterpb.Call{
			Type: masterpb.Call_TEARDOWN.Enum(), Teardown: &masterpb.Call_Teardown{FrameworkId: &mesospb.FrameworkID{Value: new("f")}},
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := textOf(validation.ValidateOperatorCall(test.call)); got != test.want {
				t.Errorf("ValidateOperatorCall(%v) = %q, want %q", test.call, got, test.want)
			}
		})
	}
	if got := textOf(validation.ValidateOperatorCall(&masterpb.Call{Type: masterpb.Call_TEARDOWN.Enum(), Teardown: &masterpb.Call_Teardown{}})); !strings.HasPrefix(got, "Failed to validate master::Call: Not initialized: ") {
		t.Errorf("a required field is missing, but the error is %q", got)
	}
}

func TestValidatePrincipal(t *testing.T) {
	call := &schedulerpb.Call{Subscribe: &schedulerpb.Call_Subscribe{FrameworkInfo: &mesospb.FrameworkInfo{Principal: new("q")}}}
	want := "Failed to validate scheduler::Call: Authenticated principal 'p' does not match principal 'q' set in `FrameworkInfo`"
	if got := textOf(validation.ValidatePrincipal(call, "p")); got != want {
		t.Errorf("ValidatePrincipal = %q, want %q", got, want)
	}
	for _, principal := range []string{"", "q"} {
		if err := validation.ValidatePrincipal(call, principal); err != nil {
			t.Errorf("ValidatePrincipal(%q) = %v, want nil", principal, err)
		}
	}
}

func TestAgentSubscribe(t *testing.T) {
	scalar := func(name string, v float64) *mesospb.Resource {
		return &mesospb.Resource{Name: new(name), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: new(v)}}
	}
	allocated := scalar("cpus", 1)
	allocated.AllocationInfo = &mesospb.Resource_AllocationInfo{Role: new("a")}
	for _, test := range []struct {
		name string
		in   *linkpb.Subscribe
		want string
	}{
		{"nothing", nil, "Expecting 'agent' to be present"},
		{"no hostname", &linkpb.Subscribe{Agent: &mesospb.AgentInfo{}}, "'AgentInfo.hostname' must have 1 to 255 characters, not 0"},
		{"bad port", &linkpb.Subscribe{Agent: &mesospb.AgentInfo{Hostname: new("h"), Port: new(int32(70000))}}, "'AgentInfo.port' must be a port number, not 70000"},
		{"ip of a name", &linkpb.Subscribe{Agent: &mesospb.AgentInfo{Hostname: new("h")}, Ip: new("agent1")}, "'ip' must be an address that others reach the agent at, not 'agent1'"},
		{"ip of nobody", &linkpb.Subscribe{Agent: &mesospb.AgentInfo{Hostname: new("h")}, Ip: new("::")}, "'ip' must be an address that others reach the agent at, not '::'"},
		{"good ip", &linkpb.Subscribe{Agent: &mesospb.AgentInfo{Hostname: new("h")}, Ip: new("10.0.0.7")}, ""},
		{"bad id", &linkpb.Subscribe{Agent: &mesospb.AgentInfo{Hostname: new("h"), Id: &mesospb.AgentID{Value: new("a/b")}}}, "'AgentInfo.id' is invalid: 'a/b' contains invalid characters"},
		{"not a number", &linkpb.Subscribe{Agent: &mesospb.AgentInfo{Hostname: new("h"), Resources: []*mesospb.Resource{scalar("cpus", math.NaN())}}}, "Resource 'cpus:NaN' is invalid: Invalid scalar resource: value is not a finite number"},
		{"half a gpu", &linkpb.Subscribe{Agent: &mesospb.AgentInfo{Hostname: new("h")}, Total: []*mesospb.Resource{scalar("gpus", 0.5)}}, "Invalid 'gpus' resource: The 'gpus' resource must be an unsigned integer"},
		{"allocated", &linkpb.Subscribe{Agent: &mesospb.AgentInfo{Hostname: new("h")}, Total: []*mesospb.Resource{allocated}}, "'Resource.allocation_info' must not be set by an agent: cpus(allocated: a):1"},
		{"good", &linkpb.Subscribe{Agent: &mesospb.AgentInfo{Hostname: new("h"), Resources: []*mesospb.Resource{scalar("cpus", 4)}}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := textOf(validation.AgentSubscribe(test.in)); got != test.want {
				t.Errorf("AgentSubscribe = %q, want %q", got, test.want)
			}
		})
	}
}

func TestOfferMinimum(t *testing.T) {
	filter := func(list ...map[string]float64) *mesospb.OfferFilters {
		out := &mesospb.OfferFilters{MinAllocatableResources: &mesospb.OfferFilters_MinAllocatableResources{}}
		for _, amounts := range list {
			q := &mesospb.OfferFilters_ResourceQuantities{Quantities: map[string]*mesospb.Value_Scalar{}}
			for name, v := range amounts {
				q.Quantities[name] = &mesospb.Value_Scalar{Value: new(v)}
			}
			out.MinAllocatableResources.Quantities = append(out.MinAllocatableResources.Quantities, q)
		}
		return out
	}
	got := validation.OfferMinimum(&mesospb.FrameworkInfo{OfferFilters: map[string]*mesospb.OfferFilters{
		"a": filter(map[string]float64{"cpus": 1, "mem": 32}, map[string]float64{"gpus": 1}),
		"b": filter(),
		"c": {},
	}})
	want := map[string][]resources.Quantities{
		"a": {
			resources.QuantitiesOf(resources.Quantity{Name: "cpus", Amount: 1000}, resources.Quantity{Name: "mem", Amount: 32000}),
			resources.QuantitiesOf(resources.Quantity{Name: "gpus", Amount: 1000}),
		},
		"b": {},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(resources.Quantities.Equal)); diff != "" {
		t.Errorf("OfferMinimum differs (-want +got):\n%s", diff)
	}
	if got := validation.OfferMinimum(&mesospb.FrameworkInfo{OfferFilters: map[string]*mesospb.OfferFilters{"a": filter(map[string]float64{"cpus": math.Inf(1)})}}); got != nil {
		t.Errorf("OfferMinimum of an invalid filter = %v, want nil", got)
	}
}

// TestPatternsMatchTheWholeText: and an alternative cannot escape the anchors.
func TestPatternsMatchTheWholeText(t *testing.T) {
	constraints, err := validation.OfferConstraints(&schedulerpb.OfferConstraints{RoleConstraints: map[string]*schedulerpb.OfferConstraints_RoleConstraints{
		"a": {Groups: []*schedulerpb.OfferConstraints_RoleConstraints_Group{{AttributeConstraints: []*schedulerpb.AttributeConstraint{{
			Selector: &schedulerpb.AttributeConstraint_Selector{Selector: &schedulerpb.AttributeConstraint_Selector_AttributeName{AttributeName: "rack"}},
			Predicate: &schedulerpb.AttributeConstraint_Predicate{Predicate: &schedulerpb.AttributeConstraint_Predicate_TextMatches_{
				TextMatches: &schedulerpb.AttributeConstraint_Predicate_TextMatches{Regex: new("r1|r2")},
			}},
		}}}}},
	}}, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"r1": true, "r2": true, "xr2": false, "r1x": false} {
		agent := &allocator.Agent{Attributes: []allocator.Attribute{{Name: "rack", Text: text}}}
		if got := constraints["a"].Accept(agent); got != want {
			t.Errorf("rack %q accepted: %t, want %t", text, got, want)
		}
	}
}

func TestInferHealthCheck(t *testing.T) {
	command := &mesospb.HealthCheck{Command: &mesospb.CommandInfo{Value: new("true")}, GracePeriodSeconds: new(3.0)}
	if got := validation.InferHealthCheck(command); got.GetType() != mesospb.HealthCheck_COMMAND || got.GetGracePeriodSeconds() != 3 || command.Type != nil {
		t.Errorf("InferHealthCheck = %v, want a COMMAND check, and the argument as it was", got)
	}
	tcp := &mesospb.HealthCheck{Tcp: &mesospb.HealthCheck_TCPCheckInfo{Port: new(uint32(1))}}
	if got := validation.InferHealthCheck(tcp); got != tcp {
		t.Errorf("InferHealthCheck = %v, want it unchanged: there is nothing to infer", got)
	}
}
