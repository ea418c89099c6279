package core

import (
	"strings"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// An operationEnd is what an operation of a type came to.
type operationEnd struct {
	kind  mesospb.Offer_Operation_Type
	state mesospb.OperationState
}

func (m *Master) countOperation(op *mesospb.Offer_Operation, state mesospb.OperationState) {
	m.count.operations[operationEnd{op.GetType(), state}]++
}

// operationMetrics are the operations by state, of all types and of each (mesos-api 25).
func (s *Snapshot) operationMetrics(out map[string]float64) {
	for number, name := range mesospb.Offer_Operation_Type_name {
		switch kind := mesospb.Offer_Operation_Type(number); kind {
		case mesospb.Offer_Operation_UNKNOWN, mesospb.Offer_Operation_LAUNCH, mesospb.Offer_Operation_LAUNCH_GROUP:
		default:
			s.operationsOfType(kind, "master/operations/"+strings.ToLower(name)+"/", out)
		}
	}
}

// operationsOfType adds those of one type to the sums, too. What is not done is
// pending as long as its agent is there; operations are forgotten with their agent.
func (s *Snapshot) operationsOfType(kind mesospb.Offer_Operation_Type, prefix string, out map[string]float64) {
	count := func(name string, n int) {
		out[prefix+name] = float64(n)
		out["master/operations/"+name] += float64(n)
	}
	pending, total := 0, 0
	for _, op := range s.Operations {
		if op.GetInfo().GetType() != kind {
			continue
		}
		total++
		if op.GetLatestStatus().GetState() == mesospb.OperationState_OPERATION_PENDING {
			pending++
		}
	}
	count("total", total)
	count("pending", pending)
	count("recovering", 0)
	count("unreachable", 0)
	for name, state := range map[string]mesospb.OperationState{
		"finished": mesospb.OperationState_OPERATION_FINISHED, "failed": mesospb.OperationState_OPERATION_FAILED,
		"error": mesospb.OperationState_OPERATION_ERROR, "dropped": mesospb.OperationState_OPERATION_DROPPED,
		"gone_by_operator": mesospb.OperationState_OPERATION_GONE_BY_OPERATOR,
	} {
		count(name, s.count.operations[operationEnd{kind, state}])
	}
}
