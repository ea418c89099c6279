package frameworktest

import (
	"encoding/binary"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// Next is the framework's next call. The test fails if none comes.
func (m *Master) Next() *schedulerpb.Call {
	m.t.Helper()
	select {
	case call := <-m.calls:
		return call
	case <-time.After(patience):
		m.t.Fatalf("frameworktest: no call within %v", patience)
		return nil
	}
}

// Expect is the framework's next call of the given type; others before it are
// skipped. The test fails if none comes.
func (m *Master) Expect(want schedulerpb.Call_Type) *schedulerpb.Call {
	m.t.Helper()
	late := time.After(patience)
	for {
		select {
		case call := <-m.calls:
			if call.GetType() == want {
				return call
			}
			m.t.Logf("frameworktest: skipped %v while waiting for %v", call.GetType(), want)
		case <-late:
			m.t.Fatalf("frameworktest: no %v within %v", want, patience)
			return nil
		}
	}
}

// Quiet fails the test if a call has come that it has not read.
func (m *Master) Quiet() {
	m.t.Helper()
	select {
	case call := <-m.calls:
		m.t.Errorf("frameworktest: unexpected call %v", call)
	default:
	}
}

// Send sends an event. The test fails if no framework is subscribed.
func (m *Master) Send(e *schedulerpb.Event) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.box == nil || !m.box.Send(e) {
		m.t.Errorf("frameworktest: no framework is subscribed that could get %v", e.GetType())
	}
}

// Offer offers resources of an agent, with allocation_info filled in for the
// given role, and returns the offer.
func (m *Master) Offer(agent, role string, resources ...*mesospb.Resource) *mesospb.Offer {
	m.t.Helper()
	m.mu.Lock()
	m.offers++
	allocation := &mesospb.Resource_AllocationInfo{Role: proto.String(role)}
	offer := &mesospb.Offer{
		Id:             &mesospb.OfferID{Value: proto.String(fmt.Sprintf("offer-%d", m.offers))},
		FrameworkId:    m.id,
		AgentId:        &mesospb.AgentID{Value: proto.String(agent)},
		Hostname:       proto.String(agent + ".test"),
		AllocationInfo: allocation,
	}
	m.mu.Unlock()
	for _, r := range resources {
		r = proto.CloneOf(r)
		r.AllocationInfo = allocation
		offer.Resources = append(offer.Resources, r)
	}
	m.Send(&schedulerpb.Event{
		Type:   schedulerpb.Event_OFFERS.Enum(),
		Offers: &schedulerpb.Event_Offers{Offers: []*mesospb.Offer{offer}},
	})
	return offer
}

// Update reports a task's state as an agent's executor does, in need of an
// acknowledgement, and returns the status.
func (m *Master) Update(task *mesospb.TaskInfo, state mesospb.TaskState) *mesospb.TaskStatus {
	m.t.Helper()
	m.mu.Lock()
	m.updates++
	uuid := binary.BigEndian.AppendUint64(make([]byte, 8), m.updates)
	m.mu.Unlock()
	status := &mesospb.TaskStatus{
		TaskId: task.GetTaskId(), AgentId: task.GetAgentId(), State: state.Enum(), Uuid: uuid,
		Source:    mesospb.TaskStatus_SOURCE_EXECUTOR.Enum(),
		Timestamp: proto.Float64(float64(time.Now().UnixNano()) / 1e9),
	}
	m.Status(status)
	return status
}

// Status sends any update; without a uuid it needs no acknowledgement.
func (m *Master) Status(status *mesospb.TaskStatus) {
	m.t.Helper()
	m.Send(&schedulerpb.Event{
		Type: schedulerpb.Event_UPDATE.Enum(), Update: &schedulerpb.Event_Update{Status: status},
	})
}

// Error ends the framework with an ERROR event.
func (m *Master) Error(text string) {
	m.t.Helper()
	m.Send(&schedulerpb.Event{
		Type: schedulerpb.Event_ERROR.Enum(), Error: &schedulerpb.Event_Error{Message: proto.String(text)},
	})
	m.Disconnect()
}

// Disconnect ends the subscription, as a master does that stops.
func (m *Master) Disconnect() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.box != nil {
		m.box.Close()
		m.box = nil
	}
}

// Scalar is a resource that counts, such as "cpus" or "mem".
func Scalar(name string, value float64) *mesospb.Resource {
	return &mesospb.Resource{
		Name: proto.String(name), Type: mesospb.Value_SCALAR.Enum(),
		Scalar: &mesospb.Value_Scalar{Value: proto.Float64(value)},
	}
}

// Ports is the resource of the ports from begin to end, both included.
func Ports(begin, end uint64) *mesospb.Resource {
	return &mesospb.Resource{
		Name: proto.String("ports"), Type: mesospb.Value_RANGES.Enum(),
		Ranges: &mesospb.Value_Ranges{Range: []*mesospb.Value_Range{{Begin: proto.Uint64(begin), End: proto.Uint64(end)}}},
	}
}
