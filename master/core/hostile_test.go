package core

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// FuzzStep feeds a master messages that keep to their types and to nothing else:
// fields missing, numbers absurd, enums unknown, ids of others. It must not
// panic, and its books must balance.
func FuzzStep(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed, uint8(100))
	}
	f.Fuzz(func(t *testing.T, seed uint64, steps uint8) {
		h := &hostile{rng: rand.New(rand.NewPCG(seed, seed^0x9e3779b97f4a7c15)), now: time.Unix(1000, 0)}
		h.m = New(worldConfig(seed%2 == 1))
		h.m.Step(h.now, Elected{})
		for range steps {
			ev := h.event()
			h.feed(ev)
			if err := h.m.Check(); err != nil {
				t.Fatalf("after %T: %v", ev, err)
			}
		}
		snapshot := h.m.Snapshot()
		snapshot.GetState()
		snapshot.GetRoles()
		snapshot.Metrics()
	})
}

type hostile struct {
	rng    *rand.Rand
	m      *Master
	now    time.Time
	minted uint64
}

// feed steps the master, makes its writes durable at once or later, and lets time pass.
func (h *hostile) feed(ev Event) {
	for _, e := range h.m.Step(h.now, ev) {
		if p, ok := e.(Persist); ok && h.rng.IntN(4) > 0 {
			h.feed(Persisted{p.Seq})
		}
	}
	h.now = h.now.Add(time.Duration(h.rng.IntN(2000)) * time.Millisecond)
	if at, ok := h.m.Deadline(); ok && h.rng.IntN(3) == 0 && at.Sub(h.now) < time.Hour {
		if at.After(h.now) {
			h.now = at
		}
		h.m.Step(h.now, Tick{})
	}
}

func (h *hostile) event() Event {
	switch h.rng.IntN(16) {
	case 0, 1:
		return h.subscribed()
	case 2, 3:
		return h.agentSubscribed()
	case 4, 5, 6:
		return h.agentSent()
	case 7:
		call := &masterpb.Call{}
		h.fill(call.ProtoReflect(), 0)
		return Operated{1, "", call}
	case 8:
		return AgentDisconnected{h.anySession()}
	case 9:
		return Disconnected{h.anyStream()}
	case 10:
		return Persisted{h.rng.Uint64N(20)}
	}
	return h.called()
}

// often is true more often than not: what is all wrong gets nowhere.
func (h *hostile) often() bool { return h.rng.IntN(8) > 0 }

func (h *hostile) subscribed() Event {
	call := &schedulerpb.Call{}
	h.fill(call.ProtoReflect(), 0)
	if call.Subscribe != nil && h.often() {
		info := call.Subscribe.FrameworkInfo
		call.Subscribe.SuppressedRoles, call.Subscribe.OfferConstraints = nil, nil
		if info != nil {
			info.User, info.FailoverTimeout, info.OfferFilters = new("u"), new(float64(h.rng.IntN(100))), nil
			info.Roles, info.Role, info.Capabilities = nil, new([]string{"a", "*", "a/b"}[h.rng.IntN(3)]), nil
			if h.often() {
				info.Id, info.Principal = nil, nil
			}
		}
	}
	h.minted++
	return Subscribed{Stream(fmt.Sprint("s", h.minted)), "", call}
}

func (h *hostile) agentSubscribed() Event {
	h.minted++
	sub := &linkpb.Subscribe{}
	h.fill(sub.ProtoReflect(), 0)
	if sub.Agent != nil && h.often() {
		sub.Agent.Hostname, sub.Agent.Port = new("h"), new(int32(5050+h.rng.IntN(3)))
		sub.Agent.Resources, sub.Total = (&traceResources{cpus: 4, mem: 100, port: 31000}).proto(), nil
		sub.Capabilities = nil
		if h.often() {
			sub.Agent.Id = nil
		}
	}
	for _, f := range sub.Frameworks {
		if h.often() {
			f.Id, f.Roles, f.Capabilities, f.Role = frameworkID("back"), nil, nil, new("a")
		}
	}
	for _, t := range sub.Tasks {
		h.tame(t.Info, "")
		if h.often() {
			t.FrameworkId = h.anyFramework()
		}
	}
	for _, x := range sub.Executors {
		if x.Info != nil && h.often() {
			x.FrameworkId, x.Info.ExecutorId = h.anyFramework(), executorID(fmt.Sprint("e", h.rng.IntN(3)))
			x.Info.Resources = (&traceResources{cpus: 1, mem: 5}).proto()
		}
	}
	return AgentSubscribed{Session(h.minted), "10.0.0.1:1", sub}
}

// tame makes a task that could be.
func (h *hostile) tame(t *mesospb.TaskInfo, agent mesos.AgentID) {
	if t == nil || !h.often() {
		return
	}
	t.TaskId, t.AgentId = taskID(fmt.Sprint("t", h.rng.IntN(6))), agentID(agent)
	t.Resources = (&traceResources{cpus: float64(h.rng.IntN(2)), mem: 5, port: 31000 * h.rng.Uint64N(2)}).proto()
	if h.often() {
		t.Executor, t.HealthCheck, t.Check, t.Container, t.KillPolicy, t.Limits, t.MaxCompletionTime = nil, nil, nil, nil, nil, nil, nil
		t.Command = &mesospb.CommandInfo{}
	}
}

func (h *hostile) anyFramework() *mesospb.FrameworkID {
	if len(h.m.order) == 0 || h.rng.IntN(6) == 0 {
		return frameworkID("back")
	}
	return frameworkID(h.m.order[h.rng.IntN(len(h.m.order))].id)
}

func (h *hostile) anySession() Session {
	live := slices.Sorted(maps.Keys(h.m.sessions))
	if len(live) == 0 || !h.often() {
		return Session(h.rng.Uint64N(h.minted + 2))
	}
	return live[h.rng.IntN(len(live))]
}

func (h *hostile) anyStream() Stream {
	live := slices.Sorted(maps.Keys(h.m.streams))
	if len(live) == 0 || !h.often() {
		return ""
	}
	return live[h.rng.IntN(len(live))]
}

func (h *hostile) agentSent() Event {
	ev := AgentSent{Session: h.anySession()}
	s := h.m.sessions[ev.Session]
	next := uint64(1)
	if s != nil {
		next = s.heard + 1
	}
	for range h.rng.IntN(4) {
		msg := &linkpb.Message{}
		h.fill(msg.ProtoReflect(), 0)
		if h.often() {
			msg.Seq = new(next)
			next++
		}
		if u := msg.StatusUpdate; u != nil && u.Status != nil && h.often() {
			u.FrameworkId, u.Status.TaskId = h.anyFramework(), taskID(fmt.Sprint("t", h.rng.IntN(6)))
		}
		if x := msg.ExecutorExited; x != nil && h.often() {
			x.FrameworkId, x.ExecutorId = h.anyFramework(), executorID(fmt.Sprint("e", h.rng.IntN(3)))
		}
		if h.often() && msg.GetType() == linkpb.Message_UNREGISTER {
			msg.Type = linkpb.Message_STATUS_UPDATE.Enum()
		}
		ev.Messages = append(ev.Messages, msg)
	}
	return ev
}

func (h *hostile) called() Event {
	call := &schedulerpb.Call{}
	h.fill(call.ProtoReflect(), 0)
	s := h.anyStream()
	f := h.m.streams[s]
	if f == nil || !h.often() {
		return Called{1, s, "", call}
	}
	call.FrameworkId = frameworkID(f.id)
	if call.GetType() == schedulerpb.Call_TEARDOWN && h.often() || h.rng.IntN(2) == 0 {
		call.Type = schedulerpb.Call_ACCEPT.Enum()
	}
	if numbers := slices.Sorted(maps.Keys(f.offers)); call.Accept != nil && len(numbers) > 0 {
		o := f.offers[numbers[0]]
		call.Accept.OfferIds = []*mesospb.OfferID{offerID(h.m.offerID(o.number))}
		for _, op := range call.Accept.Operations {
			if h.often() && op.Launch != nil {
				op.Type, op.Id = mesospb.Offer_Operation_LAUNCH.Enum(), nil
				for _, t := range op.Launch.TaskInfos {
					h.tame(t, o.agent.id)
				}
			}
		}
	}
	for _, id := range []*mesospb.TaskID{call.GetKill().GetTaskId(), call.GetAcknowledge().GetTaskId()} {
		if id != nil && h.often() {
			id.Value = new(fmt.Sprint("t", h.rng.IntN(6)))
		}
	}
	if u := call.UpdateFramework; u != nil && u.FrameworkInfo != nil && h.often() {
		u.FrameworkInfo = proto.CloneOf(f.info)
		u.FrameworkInfo.Role = new("b")
		u.SuppressedRoles, u.OfferConstraints = nil, nil
	}
	return Called{1, s, "", call}
}

// text is an id that somebody has, or something else.
func (h *hostile) text() string {
	list := []string{
		"", "a", "b", "*", "a/b", "..", "a\x00b", "\xff\xfe", "M-S0", "M-S1", "M-S2", "M-0000", "M-0001", "M-O0", "M-O1", "M-O99999999999999999999",
		"M-O-1", "cpus", "mem", "ports", "disk", "gpus", "10.0.0.1:1", "[::1]:5", string(make([]byte, 300)),
	}
	return list[h.rng.IntN(len(list))]
}

func (h *hostile) number() float64 {
	list := []float64{0, 1, -1, 0.5, 0.0001, 3, 1e308, -1e308, math.NaN(), math.Inf(1), math.Inf(-1), 1e13, 9.3e9, math.MaxInt64, 1e-320}
	return list[h.rng.IntN(len(list))]
}

// fill sets most fields of a message to something.
func (h *hostile) fill(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if h.rng.IntN(5) == 0 || depth > 6 || depth > 3 && h.rng.IntN(2) == 0 {
			continue
		}
		switch {
		case f.IsMap():
			h.fillMap(m, f, depth)
		case f.IsList():
			list := m.Mutable(f).List()
			for range h.rng.IntN(3) {
				if f.Message() != nil {
					x := list.NewElement()
					h.fill(x.Message(), depth+1)
					list.Append(x)
					continue
				}
				list.Append(h.scalar(f))
			}
		case f.Message() != nil:
			h.fill(m.Mutable(f).Message(), depth+1)
		default:
			m.Set(f, h.scalar(f))
		}
	}
}

func (h *hostile) fillMap(m protoreflect.Message, f protoreflect.FieldDescriptor, depth int) {
	value := m.Mutable(f).Map()
	if f.MapValue().Message() == nil {
		return
	}
	x := value.NewValue()
	h.fill(x.Message(), depth+1)
	value.Set(protoreflect.ValueOfString(h.text()).MapKey(), x)
}

func (h *hostile) scalar(f protoreflect.FieldDescriptor) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(h.text())
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(uuidOf(h.text()))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(h.rng.IntN(2) == 0)
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(h.number())
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		if h.rng.IntN(20) == 0 {
			return protoreflect.ValueOfEnum(protoreflect.EnumNumber(h.rng.Int32()))
		}
		return protoreflect.ValueOfEnum(values.Get(h.rng.IntN(values.Len())).Number())
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32([]int32{0, -1, 1, math.MaxInt32, math.MinInt32}[h.rng.IntN(5)])
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64([]int64{0, -1, 1, math.MaxInt64, math.MinInt64}[h.rng.IntN(5)])
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32([]uint32{0, 1, 80, math.MaxUint32}[h.rng.IntN(4)])
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64([]uint64{0, 1, 31000, 31001, math.MaxUint64}[h.rng.IntN(5)])
	}
	return f.Default()
}

// TestEmptyMessagesAreHarmless: every pointer that may be nil is nil.
func TestEmptyMessagesAreHarmless(t *testing.T) {
	m := New(worldConfig(false))
	now := time.Unix(1000, 0)
	for _, ev := range []Event{
		Elected{}, Persisted{}, AgentSubscribed{}, AgentSubscribed{Session: 1}, AgentSent{}, AgentSent{Session: 1, Messages: []*linkpb.Message{nil}},
		AgentDisconnected{}, Subscribed{}, Subscribed{Stream: "s"}, Called{}, Called{Call: &schedulerpb.Call{}}, Disconnected{}, Operated{}, Tick{},
	} {
		m.Step(now, ev)
		if err := m.Check(); err != nil {
			t.Errorf("after %T: %v", ev, err)
		}
	}
}
