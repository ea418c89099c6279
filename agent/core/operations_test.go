package core

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// TestOperationsSurvive drives an agent through operations, failures of its disk,
// lost sessions and crashes. Whatever it said of an operation or of its resources
// stays so, and the folders of volumes are in the end those of its total.
func TestOperationsSurvive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &store{t: t, folders: map[string]bool{}, seed: rapid.Uint64().Draw(t, "seed")}
		s.boot()
		actions := []func(){s.apply, s.apply, s.write, s.write, s.work, s.acknowledge, s.tick, s.reconnect, s.crash}
		for range rapid.IntRange(5, 80).Draw(t, "steps") {
			rapid.SampledFrom(actions).Draw(t, "action")()
		}
		s.rest()
	})
}

// store is what is around an agent whose resources are converted.
type store struct {
	t       *rapid.T
	seed    uint64
	agent   *Agent
	now     time.Time
	disk    checkpointpb.Table
	pending []Checkpoint
	works   []PrepareVolumes
	folders map[string]bool // of volumes
	session Session
	online  bool
	seq     uint64

	minted  int
	sent    []sent               // operations the agent was sent, in order, as far as they count
	waiting []*mesospb.Operation // statuses to be acknowledged
}

type sent struct {
	uuid   string
	by     resources.Conversion
	done   bool // the agent said so
	failed bool // once, and nobody was told: a crash may have it redone
}

// outcomes are what may have become of the first n operations: each that failed
// may have been redone. That as little as can be was redone comes first: what was
// made and taken away again leaves the same.
func (s *store) outcomes(n int) (all [][]sent) {
	var failed []string
	for _, x := range s.sent[:n] {
		if x.failed {
			failed = append(failed, x.uuid)
		}
	}
	for mask := 1<<len(failed) - 1; mask >= 0; mask-- {
		all = append(all, possible(slices.DeleteFunc(slices.Clone(s.sent[:n]), func(x sent) bool {
			at := slices.Index(failed, x.uuid)
			return at >= 0 && mask&(1<<at) != 0
		})))
	}
	return all
}

// finished is how many operations are done at least: they are done in order.
func (s *store) finished() int {
	for n := len(s.sent); n > 0; n-- {
		if s.sent[n-1].done {
			return n
		}
	}
	return 0
}

// fold is what operations make.
func fold(list []sent) resources.Resources {
	total := configured()
	for _, x := range list {
		total, _ = total.Convert(x.by)
	}
	return total
}

func configured() resources.Resources {
	return resources.Of(resources.Resource{Name: "disk", Scalar: resources.Whole(100)})
}

func (s *store) boot() {
	cfg := testConfig()
	cfg.Info.Resources = configured().Proto(resources.PostRefinement)
	s.seed++
	cfg.Rand = rand.New(rand.NewPCG(s.seed, 0))
	s.agent, s.pending, s.works, s.online, s.now = New(cfg), nil, nil, false, s.now.Add(time.Second)
	s.step(Recovered{Records: s.disk.Records()})
}

func (s *store) step(ev Event) {
	for _, e := range s.agent.Step(s.now, ev) {
		switch e := e.(type) {
		case Checkpoint:
			s.pending = append(s.pending, e)
		case PrepareVolumes:
			s.works = append(s.works, e)
		case Subscribe:
			s.subscribed(e.Subscribe)
		case Send:
			s.said(e.Message)
		case Disconnect, Exit:
			s.t.Fatalf("%T: %+v", e, e)
		}
	}
	if err := s.agent.Check(); err != nil {
		s.t.Fatalf("after %T: %v", ev, err)
	}
}

// subscribed: the total is that after as many operations as are known to be done, at least.
func (s *store) subscribed(x *linkpb.Subscribe) {
	total, err := resources.FromProto(x.GetTotal())
	if err != nil {
		s.t.Fatal(err)
	}
	for n := len(s.sent); n >= s.finished(); n-- {
		for _, left := range s.outcomes(n) {
			if !fold(left).Equal(total) {
				continue
			}
			s.sent, s.waiting, s.online, s.seq = left, nil, true, 0
			for i := range s.sent {
				s.sent[i].done, s.sent[i].failed = true, false
			}
			s.event(&linkpb.Event{Type: linkpb.Event_REGISTERED.Enum(), Registered: &linkpb.Registered{
				AgentId: &mesospb.AgentID{Value: new("S0")}, PingTimeoutSeconds: new(1e6), MaxPingTimeouts: new(uint32(1)),
			}})
			return
		}
	}
	s.t.Fatalf("the agent has %s, which is not what %d to %d operations make: %v", total, s.finished(), len(s.sent), s.sent)
}

func (s *store) event(e *linkpb.Event) {
	s.seq++
	e.Seq = new(s.seq)
	s.step(Received{Session: s.session, Event: e})
}

func (s *store) said(m *linkpb.Message) {
	u := m.GetOperationUpdate()
	if u == nil {
		return
	}
	at := slices.IndexFunc(s.sent, func(x sent) bool { return x.uuid == string(u.GetUuid()) })
	switch state := u.GetStatus().GetState(); {
	case state == mesospb.OperationState_OPERATION_FINISHED && at >= 0:
		s.sent[at].done = true
	case state == mesospb.OperationState_OPERATION_FINISHED: // repeated; its session is over
	case state == mesospb.OperationState_OPERATION_FAILED || state == mesospb.OperationState_OPERATION_DROPPED:
		if at >= 0 {
			// It did not happen, and neither did what builds on it.
			s.sent = slices.Delete(s.sent, at, at+1)
			s.sent = possible(s.sent)
		}
	default:
		s.t.Fatalf("operation %x is %s", u.GetUuid(), state)
	}
	if u.GetStatus().Uuid != nil {
		s.waiting = append(s.waiting, &mesospb.Operation{Uuid: &mesospb.UUID{Value: u.GetUuid()}, LatestStatus: u.GetStatus()})
	}
}

// possible leaves out the operations that cannot be applied any more.
func possible(list []sent) (out []sent) {
	total := configured()
	for _, x := range list {
		if next, err := total.Convert(x.by); err == nil {
			total, out = next, append(out, x)
		}
	}
	return out
}

// apply sends an operation that is possible as far as the master knows.
func (s *store) apply() {
	if !s.online {
		return
	}
	s.minted++
	op := drawnOperation(s.t)
	if rapid.Bool().Draw(s.t, "feedback") {
		op.Id = &mesospb.OperationID{Value: new(fmt.Sprintf("o%d", s.minted))}
	}
	c, err := resources.ConversionOf(op)
	if err != nil {
		s.t.Fatal(err)
	}
	has := fold(s.sent)
	if _, err := has.Convert(c); err != nil || op.Create != nil && has.Contains(c.To) {
		return // the master would not let it pass
	}
	uuid := fmt.Sprintf("%016d", s.minted)
	s.sent = append(s.sent, sent{uuid: uuid, by: c})
	s.event(&linkpb.Event{Type: linkpb.Event_APPLY_OPERATION.Enum(), ApplyOperation: &linkpb.ApplyOperation{Uuid: []byte(uuid), Info: op}})
}

func drawnOperation(t *rapid.T) *mesospb.Offer_Operation {
	space := resources.Resource{Name: "disk", Scalar: resources.Whole(10), Reservations: []resources.Reservation{{Dynamic: true, Role: "r"}}}
	volume := space
	volume.Disk = &resources.Disk{Persistence: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "volume"), Volume: &resources.Volume{ContainerPath: "d"}}
	reserved, volumes := resources.Of(space).Proto(resources.PostRefinement), resources.Of(volume).Proto(resources.PostRefinement)
	switch rapid.IntRange(0, 4).Draw(t, "operation") {
	case 0, 1:
		return &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_RESERVE.Enum(), Reserve: &mesospb.Offer_Operation_Reserve{Resources: reserved}}
	case 2:
		return &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_CREATE.Enum(), Create: &mesospb.Offer_Operation_Create{Volumes: volumes}}
	case 3:
		return &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_DESTROY.Enum(), Destroy: &mesospb.Offer_Operation_Destroy{Volumes: volumes}}
	}
	return &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_UNRESERVE.Enum(), Unreserve: &mesospb.Offer_Operation_Unreserve{Resources: reserved}}
}

// write makes some of what waits for it durable.
func (s *store) write() { s.writeN(rapid.IntRange(0, len(s.pending)).Draw(s.t, "written")) }

func (s *store) writeN(n int) {
	if n == 0 {
		return
	}
	done := s.pending[:n]
	s.pending = s.pending[n:]
	for _, p := range done {
		s.disk.Put(p.Records...)
	}
	s.step(Checkpointed{Seq: done[n-1].Seq})
}

// work does what the disk is asked for, or fails to.
func (s *store) work() {
	if len(s.works) == 0 {
		return
	}
	w := s.works[0]
	s.works = s.works[1:]
	gone := slices.ContainsFunc(w.Remove, func(v resources.Resource) bool { return !s.folders[v.Disk.Persistence] })
	if rapid.IntRange(0, 5).Draw(s.t, "fails") == 0 && !gone {
		for _, v := range w.Create {
			delete(s.folders, v.Disk.Persistence) // one that an earlier agent made is empty
		}
		for i := range s.sent {
			s.sent[i].failed = s.sent[i].failed || s.sent[i].uuid == w.Operation
		}
		s.step(VolumesPrepared{Operation: w.Operation, Why: "it does"})
		return
	}
	s.prepare(w)
	s.step(VolumesPrepared{Operation: w.Operation})
}

func (s *store) prepare(w PrepareVolumes) {
	for _, v := range w.Remove {
		delete(s.folders, v.Disk.Persistence)
	}
	for _, v := range w.Create {
		s.folders[v.Disk.Persistence] = true
	}
}

func (s *store) acknowledge() {
	if len(s.waiting) == 0 || !s.online {
		return
	}
	x := s.waiting[0]
	s.waiting = s.waiting[1:]
	s.event(&linkpb.Event{Type: linkpb.Event_ACKNOWLEDGE_OPERATION.Enum(), AcknowledgeOperation: &linkpb.AcknowledgeOperation{
		Uuid: x.GetUuid().GetValue(), StatusUuid: x.GetLatestStatus().GetUuid().GetValue(),
	}})
}

func (s *store) tick() {
	s.now = s.now.Add(15 * time.Second)
	s.step(Tick{})
}

func (s *store) reconnect() {
	if s.session != 0 {
		s.step(Disconnected{Session: s.session})
	}
	s.session++
	s.online = false
	s.step(Connecting{Session: s.session})
}

// crash starts the agent anew. Some of what it was writing may be durable, and
// some of the work on the disk may be done.
func (s *store) crash() {
	for _, p := range s.pending[:rapid.IntRange(0, len(s.pending)).Draw(s.t, "durable")] {
		s.disk.Put(p.Records...)
	}
	if len(s.works) > 0 && rapid.Bool().Draw(s.t, "worked") {
		s.prepare(s.works[0])
	}
	s.boot()
}

// rest lets everything come to an end, without failures.
func (s *store) rest() {
	s.reconnect()
	for range 1000 {
		switch {
		case len(s.pending) > 0:
			s.writeN(len(s.pending))
		case len(s.works) > 0:
			w := s.works[0]
			s.works = s.works[1:]
			s.prepare(w)
			s.step(VolumesPrepared{Operation: w.Operation})
		case len(s.waiting) > 0:
			s.acknowledge()
		case len(s.agent.operations) > 0:
			s.tick()
		default:
			s.rested()
			return
		}
	}
	s.t.Fatalf("it does not come to rest: %d operations", len(s.agent.operations))
}

func (s *store) rested() {
	for _, r := range s.disk.Records() {
		if r.GetOperation() != nil {
			s.t.Fatalf("operation %x is kept", r.GetOperation().GetUuid())
		}
	}
	if want := fold(s.sent); !s.agent.total.Equal(want) {
		s.t.Fatalf("the agent has %s, want %s", s.agent.total, want)
	}
	want := map[string]bool{}
	for _, v := range s.agent.total.PersistentVolumes() {
		want[v.Disk.Persistence] = true
	}
	if fmt.Sprint(s.folders) != fmt.Sprint(want) {
		s.t.Fatalf("the folders are %v, the volumes %v", s.folders, want)
	}
}
