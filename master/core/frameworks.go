package core

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/validation"
	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// A framework is one whose scheduler has subscribed, or that agents told of
// (then it is recovered), or one that was removed and is remembered.
type framework struct {
	id     mesos.FrameworkID
	handle uint32
	info   *mesospb.FrameworkInfo // replaced, never changed

	stream                                 Stream // "" while its scheduler is disconnected
	recovered, completed                   bool
	registered, reregistered, unregistered time.Time
	away                                   time.Time // since when its scheduler is, zero if it is not

	roles       []string // sorted
	suppressed  []string // sorted
	constraints *schedulerpb.OfferConstraints
	compiled    map[string]allocator.Constraints

	offers                     map[uint64]*offer
	inverse                    []*inverseOffer     // oldest first
	used                       resources.Resources // scalars only
	active, unreachable, ended chain               // of tasks
	count                      tallies
}

func (f *framework) can(c mesospb.FrameworkInfo_Capability_Type) bool { return can(f.info, c) }

func can(info *mesospb.FrameworkInfo, c mesospb.FrameworkInfo_Capability_Type) bool {
	return slices.ContainsFunc(info.GetCapabilities(), func(x *mesospb.FrameworkInfo_Capability) bool { return x.GetType() == c })
}

// orLost is a state that only frameworks aware of partitions know, or TASK_LOST
// for the others (mesos-api 8.5).
func (f *framework) orLost(s mesospb.TaskState) mesospb.TaskState {
	if f.can(mesospb.FrameworkInfo_Capability_PARTITION_AWARE) {
		return s
	}
	return mesospb.TaskState_TASK_LOST
}

// form is how a framework writes reservations.
func (f *framework) form() resources.Form {
	if f.can(mesospb.FrameworkInfo_Capability_RESERVATION_REFINEMENT) {
		return resources.PostRefinement
	}
	return resources.PreRefinement
}

// subscribed opens a scheduler's stream (mesos-api 8.3).
func (m *Master) subscribed(ev Subscribed) {
	if m.streams[ev.Stream] != nil || m.welcoming[ev.Stream] || ev.Stream == "" {
		m.refuse("subscription", string(ev.Stream), "the stream is open already")
		return
	}
	call := ev.Call.GetSubscribe()
	info := claimed(call.GetFrameworkInfo(), ev.Principal)
	want, err := m.wish(info, call.GetSuppressedRoles(), call.GetOfferConstraints())
	if err != nil {
		m.rejectStream(ev.Stream, err.text)
		return
	}
	id := mesos.FrameworkID(info.GetId().GetValue())
	f := m.frameworks[id]
	switch {
	case m.over(id):
		m.rejectStream(ev.Stream, "Framework has been removed")
	case f == nil && m.welcome(id, ev):
	case f == nil:
		m.count.messages["register_framework"]++
		m.newFramework(info, want, ev.Stream)
	case f.info.GetPrincipal() != info.GetPrincipal():
		m.rejectStream(ev.Stream, "Changing framework's principal is not allowed.")
	case m.welcome(id, ev):
	default:
		m.count.messages["reregister_framework"]++
		m.resubscribe(f, info, want, ev.Stream)
	}
}

// claimed is info under the name of who sent it, with no id rather than an empty one.
func claimed(info *mesospb.FrameworkInfo, principal string) *mesospb.FrameworkInfo {
	info = proto.CloneOf(info)
	if info == nil {
		info = &mesospb.FrameworkInfo{}
	}
	if info.Principal == nil && principal != "" {
		info.Principal = new(principal)
	}
	if info.GetId().GetValue() == "" {
		info.Id = nil
	}
	return info
}

func (m *Master) rejectStream(s Stream, text string) {
	m.do(SendFramework{s, errorEvent(text)}, CloseFramework{s})
}

// A wish is what a framework wants to be offered.
type wish struct {
	roles, suppressed []string // sorted
	constraints       *schedulerpb.OfferConstraints
	compiled          map[string]allocator.Constraints
}

// A refusal says which part of a subscription is wrong.
type refusal struct {
	ofInfo bool // FrameworkInfo itself; else the rest of the call
	text   string
}

// wish checks a subscription against everything but the framework it is for.
func (m *Master) wish(info *mesospb.FrameworkInfo, suppressed []string, c *schedulerpb.OfferConstraints) (wish, *refusal) {
	if err := validation.Framework(info, validation.FrameworkRules{Roles: m.cfg.Roles, RootSubmissions: m.cfg.RootSubmissions}); err != nil {
		return wish{}, &refusal{true, err.Error()}
	}
	w := wish{roles: validation.Roles(info), suppressed: slices.Compact(slices.Sorted(slices.Values(suppressed))), constraints: c}
	if err := validation.SuppressedRoles(w.suppressed, w.roles); err != nil {
		return wish{}, &refusal{false, err.Error()}
	}
	compiled, err := validation.OfferConstraints(c, w.roles)
	if err != nil {
		return wish{}, &refusal{false, err.Error()}
	}
	w.compiled = compiled
	return w, nil
}

func (f *framework) take(info *mesospb.FrameworkInfo, w wish) {
	f.info = info
	f.roles, f.suppressed, f.constraints, f.compiled = w.roles, w.suppressed, w.constraints, w.compiled
}

// newFramework begins a framework; one that has an id already kept it over a
// change of masters.
func (m *Master) newFramework(info *mesospb.FrameworkInfo, w wish, s Stream) {
	if info.Id == nil {
		info.Id = frameworkID(m.mintFrameworkID())
	}
	f := m.addFramework(info)
	f.take(info, w)
	f.registered, f.reregistered = m.now, m.now
	m.connect(f, s)
	m.cfg.Allocator.AddFramework(m.now, allocatorFramework(f), true)
	m.publishFramework(f, true)
}

// mintFrameworkID skips ids that somebody has chosen for himself.
func (m *Master) mintFrameworkID() mesos.FrameworkID {
	for {
		id := mesos.FrameworkID(fmt.Sprintf("%s-%04d", m.cfg.MasterID, m.frameworkIDs))
		m.frameworkIDs++
		if m.frameworks[id] == nil {
			return id
		}
	}
}

func (m *Master) addFramework(info *mesospb.FrameworkInfo) *framework {
	m.frameworkHandles++
	f := &framework{
		id: mesos.FrameworkID(info.GetId().GetValue()), handle: m.frameworkHandles,
		info: info, offers: map[uint64]*offer{},
	}
	m.frameworks[f.id], m.frameworkOf[f.handle] = f, f
	m.order = append(m.order, f)
	return f
}

// maxStrays is how many frameworks may be known from agents alone. There are as
// many as may subscribe.
const maxStrays = 10_000

// tooManyStrays refuses an agent that brings more frameworks without a scheduler
// than a master keeps; "" if it does not.
func (m *Master) tooManyStrays(s *linkpb.Subscribe) string {
	brought := 0
	for _, info := range s.GetFrameworks() {
		if m.frameworks[mesos.FrameworkID(info.GetId().GetValue())] == nil {
			brought++
		}
	}
	if brought == 0 || m.strays+brought <= maxStrays {
		return ""
	}
	return fmt.Sprintf("it brings %d frameworks without a scheduler, to %d that wait for theirs; at most %d may: tear some down", brought, m.strays, maxStrays)
}

// recoverFramework adds a framework that an agent told of. It is removed if its
// scheduler does not come back; Mesos would keep it for ever (MESOS-4659).
func (m *Master) recoverFramework(info *mesospb.FrameworkInfo) *framework {
	f := m.addFramework(info)
	f.recovered = true
	m.strays++
	f.take(info, wish{roles: rolesOfRecovered(info)})
	m.cfg.Allocator.AddFramework(m.now, allocatorFramework(f), false)
	since, until := m.recoveredUntil(f)
	m.awaitScheduler(f, since, until)
	m.publishFramework(f, true)
	return f
}

// resubscribe gives a framework a new stream; the newest subscriber always wins.
// user and checkpoint stay what they were (mesos-api 8.3).
func (m *Master) resubscribe(f *framework, info *mesospb.FrameworkInfo, w wish, s Stream) {
	info.User, info.Checkpoint = f.info.User, f.info.Checkpoint
	if f.stream != "" {
		f.count.events.add(int32(schedulerpb.Event_ERROR))
		m.do(SendFramework{f.stream, errorEvent("Framework failed over")}, CloseFramework{f.stream})
		delete(m.streams, f.stream)
	}
	for _, o := range f.inOrder() {
		m.withdraw(o)
	}
	m.dropQuestions(f)
	if f.recovered {
		m.strays--
		f.recovered, f.registered = false, m.now
	}
	f.reregistered = m.now
	m.forgetAway(f)
	f.take(info, w)
	m.connect(f, s)
	m.cfg.Allocator.UpdateFramework(m.now, allocatorFramework(f))
	m.cfg.Allocator.SetFrameworkActive(m.now, f.id, true)
	m.tellItsAgents(f)
	m.publishFramework(f, false)
}

// connect makes a stream the framework's and greets its scheduler.
func (m *Master) connect(f *framework, s Stream) {
	f.stream = s
	m.streams[s] = f
	f.count.calls.add(int32(schedulerpb.Call_SUBSCRIBE))
	f.count.events.add(int32(schedulerpb.Event_SUBSCRIBED))
	m.do(SendFramework{s, subscribedEvent(f.id, m.cfg.Info)})
	m.askAgain()
}

// tellItsAgents passes a changed FrameworkInfo to the agents with its tasks.
func (m *Master) tellItsAgents(f *framework) {
	for _, a := range m.agentsOf(f) {
		if a.session != 0 {
			m.tellAgent(a, &linkpb.Event{
				Type: linkpb.Event_UPDATE_FRAMEWORK.Enum(), UpdateFramework: &linkpb.UpdateFramework{Framework: f.info},
			})
		}
	}
}

// agentsOf lists the agents that run something of a framework, in the order they came.
func (m *Master) agentsOf(f *framework) []*agent {
	found := map[uint32]bool{}
	for row := range m.tasks.walk(f.active, byFramework) {
		found[m.tasks.rows.at(row).agent] = true
	}
	for _, a := range m.agents {
		if slices.ContainsFunc(a.executors, func(x executor) bool { return x.framework == f.handle }) {
			found[a.handle] = true
		}
	}
	var list []*agent
	for _, handle := range slices.Sorted(maps.Keys(found)) {
		list = append(list, m.agentOf[handle])
	}
	return list
}

// disconnected is the end of a scheduler's stream: its offers go back, and it has
// its failover timeout to come back.
func (m *Master) disconnected(ev Disconnected) {
	delete(m.welcoming, ev.Stream)
	f := m.streams[ev.Stream]
	if f == nil {
		return // ended from our side
	}
	m.hangUp(f)
	m.cfg.Allocator.SetFrameworkActive(m.now, f.id, false)
	for _, o := range f.inOrder() {
		m.withdraw(o)
	}
	m.dropQuestions(f)
	if timeout := failoverTimeout(f.info); timeout > 0 {
		m.awaitScheduler(f, m.now, m.now.Add(timeout))
		return
	}
	m.removeFramework(f)
}

func (m *Master) hangUp(f *framework) {
	delete(m.streams, f.stream)
	f.stream = ""
}

func (m *Master) failoverTimedOut(f *framework) { m.removeFramework(f) }

// failoverTimeout is valid: validation.Framework has seen it, or it counts as none.
func failoverTimeout(info *mesospb.FrameworkInfo) time.Duration {
	seconds := info.GetFailoverTimeout()
	if !(seconds > 0) || seconds*1e9 >= math.MaxInt64 {
		return 0
	}
	return time.Duration(seconds * 1e9)
}

// removeFramework ends a framework: its agents shut it down, its tasks are
// killed, and its id is of no use any more (mesos-api 20.3).
func (m *Master) removeFramework(f *framework) {
	m.forgetAway(f)
	for _, o := range f.inOrder() {
		m.withdraw(o)
	}
	for _, a := range m.agentsOf(f) {
		m.shutDown(f.id, a)
		m.dropExecutors(a, func(of *framework) bool { return of == f })
	}
	if f.stream != "" {
		m.do(CloseFramework{f.stream})
		m.hangUp(f)
	}
	for row := range m.tasks.walk(f.active, byFramework) {
		m.endTask(row, mesospb.TaskState_TASK_KILLED, mesospb.TaskStatus_REASON_FRAMEWORK_REMOVED,
			"Framework "+string(f.id)+" removed")
	}
	m.orphanOperations(f)
	if f.recovered {
		m.strays--
	}
	f.unregistered, f.recovered, f.completed = m.now, false, true
	m.strikeAnswers(f)
	m.cfg.Allocator.RemoveFramework(m.now, f.id)
	m.publishFrameworkRemoved(f)
	m.order = slices.DeleteFunc(m.order, func(x *framework) bool { return x == f })
	m.completed = append(m.completed, f)
	if len(m.completed) > m.cfg.MaxCompletedFrameworks {
		m.forgetFramework(m.completed[0])
	}
}

// shutDown tells an agent that a framework is over.
func (m *Master) shutDown(id mesos.FrameworkID, a *agent) {
	if a.session != 0 {
		m.tellAgent(a, &linkpb.Event{
			Type: linkpb.Event_SHUTDOWN_FRAMEWORK.Enum(), ShutdownFramework: &linkpb.ShutdownFramework{FrameworkId: frameworkID(id)},
		})
	}
}

// forgetFramework lets go of the oldest completed framework and of its history.
func (m *Master) forgetFramework(f *framework) {
	for row := range m.tasks.walk(f.unreachable, byFramework) {
		m.dropUnreachable(f, row)
	}
	for row := range m.tasks.walk(f.ended, byFramework) {
		m.tasks.leave(&f.ended, byFramework, row)
		m.tasks.remove(row)
	}
	m.completed = slices.Delete(m.completed, 0, 1)
	delete(m.frameworks, f.id)
	delete(m.frameworkOf, f.handle)
}

// updateFramework changes all of a framework's wishes, or nothing (mesos-api 8.12).
func (m *Master) updateFramework(f *framework, call *schedulerpb.Call_UpdateFramework) (code int, text string) {
	info := claimed(call.GetFrameworkInfo(), f.info.GetPrincipal())
	w, err := m.wish(info, call.GetSuppressedRoles(), call.GetOfferConstraints())
	switch {
	case err != nil && err.ofInfo:
		return 400, "Supplied FrameworkInfo is not valid: " + err.text
	case err != nil:
		return 400, "'UpdateFramework' call is not valid: " + err.text
	}
	if err := validation.FrameworkUpdate(f.info, info); err != nil {
		return 400, "FrameworkInfo update is not valid: " + err.Error()
	}
	changed := !proto.Equal(f.info, info)
	f.take(info, w)
	m.rescindLostRoles(f)
	m.cfg.Allocator.UpdateFramework(m.now, allocatorFramework(f))
	if changed {
		m.tellItsAgents(f)
		m.publishFramework(f, false)
	}
	return 200, ""
}

// rescindLostRoles takes back offers for roles that a framework has left.
func (m *Master) rescindLostRoles(f *framework) {
	for _, o := range f.inOrder() {
		if !slices.Contains(f.roles, o.role) {
			m.rescind(o)
		}
	}
}

// inOrder lists a framework's offers, oldest first.
func (f *framework) inOrder() []*offer {
	return slices.SortedFunc(maps.Values(f.offers), func(a, b *offer) int { return cmp.Compare(a.number, b.number) })
}

// tellFramework sends an event to a framework whose scheduler is connected.
func (m *Master) tellFramework(f *framework, e *schedulerpb.Event) {
	if f.stream != "" {
		f.count.events.add(int32(e.GetType()))
		m.do(SendFramework{f.stream, e})
	}
}

func allocatorFramework(f *framework) allocator.Framework {
	return allocator.Framework{
		ID: f.id, Roles: slices.Clone(f.roles), Suppressed: slices.Clone(f.suppressed),
		Constraints: maps.Clone(f.compiled), Minimum: validation.OfferMinimum(f.info),
		Capabilities: allocator.FrameworkCapabilities{
			Revocable:             f.can(mesospb.FrameworkInfo_Capability_REVOCABLE_RESOURCES),
			GPU:                   f.can(mesospb.FrameworkInfo_Capability_GPU_RESOURCES),
			Shared:                f.can(mesospb.FrameworkInfo_Capability_SHARED_RESOURCES),
			MultiRole:             f.can(mesospb.FrameworkInfo_Capability_MULTI_ROLE),
			ReservationRefinement: f.can(mesospb.FrameworkInfo_Capability_RESERVATION_REFINEMENT),
			RegionAware:           f.can(mesospb.FrameworkInfo_Capability_REGION_AWARE),
		},
	}
}

func frameworkID(id mesos.FrameworkID) *mesospb.FrameworkID {
	return &mesospb.FrameworkID{Value: new(string(id))}
}
