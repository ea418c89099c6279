package simulation

import (
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	registrypb "github.com/soukproject/souk/proto/mesos/registry"
)

// A fence is what makes every write conditional on the leader's epoch.
type fence struct {
	epoch uint64
}

// takeOver begins an epoch; whoever wrote before writes no more.
func (f *fence) takeOver() uint64 {
	f.epoch++
	return f.epoch
}

func (f *fence) admits(epoch uint64) bool { return epoch == f.epoch }

// An outcome is what became of a write.
type outcome int

const (
	written outcome = iota
	refused         // another leader has taken over
	failed          // it was not done, and the store says so
	unknown         // no answer; it may have been done
)

// A disk is where a group of leaders keeps what must outlive them. It is one for
// all, as an ensemble is, and may be out of reach for a while.
type disk struct {
	c     *Cluster
	fence fence
	away  bool // nobody reaches it
	full  bool // it takes nothing
}

// write does apply under an epoch, or not, and tells in its time.
func (d *disk) write(p *process, epoch uint64, apply func(), then func(outcome)) {
	life := p.life
	d.c.after(d.c.delay(), func() {
		if !p.alive(life) && d.c.rng.IntN(2) == 0 {
			return // it died before its request was on its way
		}
		answer, at := written, d.c.delay()
		switch {
		case d.away:
			answer, at = unknown, storeTimeout
			d.c.result[AwayStores]++
		case d.full:
			answer = failed
			d.c.result[FullStores]++
		case !d.fence.admits(epoch) && d.c.opts.mutant != openFence:
			answer = refused
			d.c.result[RefusedWrites]++
		default:
			d.c.result[Writes]++
			if epoch != d.fence.epoch {
				d.c.violate("%s writes under epoch %d in epoch %d", p.name, epoch, d.fence.epoch)
			}
			apply()
			if d.c.chance(d.c.faults.AnswerLost) {
				answer, at = unknown, storeTimeout
				d.c.result[LostAnswers]++
			}
		}
		d.c.after(at, func() {
			if p.alive(life) {
				then(answer)
			}
		})
	})
}

// storeTimeout is how long a process waits for the store before it ends.
const storeTimeout = 3 * time.Second

// A registry is the masters' part of the disk.
type registry struct {
	disk
	held registrypb.Registry
}

// records are a framework's part of the disk.
type records struct {
	disk
	held map[string][]byte
}

// An entry is one record of a framework; a nil value deletes it.
type entry struct {
	key   string
	value []byte
}

func (r *records) put(list []entry) {
	for _, e := range list {
		if e.value == nil {
			delete(r.held, e.key)
		} else {
			r.held[e.key] = e.value
		}
	}
}

// sorted lists what is held, by key.
func (r *records) sorted() []entry {
	var list []entry
	for _, key := range slices.Sorted(maps.Keys(r.held)) {
		list = append(list, entry{key, r.held[key]})
	}
	return list
}

// put is what the registrar does, as simply as can be.
func (r *registry) put(ops []*registrypb.Operation) {
	held := &r.held
	for _, op := range ops {
		op = proto.CloneOf(op)
		switch op.GetType() {
		case registrypb.Operation_ADMIT_AGENT, registrypb.Operation_MARK_REACHABLE:
			forget(held, op.GetAgent().GetInfo().GetId().GetValue())
			held.Agents = append(held.Agents, op.GetAgent())
		case registrypb.Operation_REMOVE_AGENT:
			forget(held, op.GetAgentId().GetValue())
		case registrypb.Operation_MARK_UNREACHABLE:
			forget(held, op.GetUnreachable().GetInfo().GetId().GetValue())
			held.Unreachable = append(held.Unreachable, op.GetUnreachable())
		case registrypb.Operation_MARK_GONE:
			forget(held, op.GetGone().GetId().GetValue())
			held.Gone = append(held.Gone, op.GetGone())
		case registrypb.Operation_PRUNE:
			for _, id := range op.GetAgentIds() {
				forget(held, id.GetValue())
			}
		case registrypb.Operation_SET_WEIGHTS:
			for _, w := range op.GetWeights() {
				held.Weights = append(without(held.Weights, w.GetRole()), w)
			}
		case registrypb.Operation_SET_QUOTAS:
			for _, q := range op.GetQuotas() {
				held.Quotas = without(held.Quotas, q.GetRole())
				if len(q.GetGuarantees())+len(q.GetLimits()) > 0 {
					held.Quotas = append(held.Quotas, q)
				}
			}
		case registrypb.Operation_SET_MAINTENANCE:
			held.Maintenance = op.GetMaintenance()
		case registrypb.Operation_SET_ORPHANS:
			for _, x := range op.GetOrphans() {
				held.Orphans = slices.DeleteFunc(held.Orphans, func(o *registrypb.Orphan) bool { return o.GetId().GetValue() == x.GetId().GetValue() })
				if x.Since != nil {
					held.Orphans = append(held.Orphans, x)
				}
			}
		default:
			r.c.violate("the simulated store does not know the operation %v", op.GetType())
		}
	}
}

// without drops what is said of a role.
func without[R interface{ GetRole() string }](list []R, role string) []R {
	return slices.DeleteFunc(list, func(r R) bool { return r.GetRole() == role })
}

// forget takes an agent off every list.
func forget(r *registrypb.Registry, id string) {
	r.Agents = slices.DeleteFunc(r.Agents, func(a *registrypb.Agent) bool { return a.GetInfo().GetId().GetValue() == id })
	r.Unreachable = slices.DeleteFunc(r.Unreachable, func(u *registrypb.Unreachable) bool { return u.GetInfo().GetId().GetValue() == id })
	r.Gone = slices.DeleteFunc(r.Gone, func(g *registrypb.Gone) bool { return g.GetId().GetValue() == id })
}

// agent is the admitted agent of an id, nil if there is none.
func (r *registry) agent(id string) *registrypb.Agent {
	for _, a := range r.held.GetAgents() {
		if a.GetInfo().GetId().GetValue() == id {
			return a
		}
	}
	return nil
}

func (r *registry) gone(id string) bool {
	return slices.ContainsFunc(r.held.GetGone(), func(g *registrypb.Gone) bool { return g.GetId().GetValue() == id })
}

// parted reports whether an agent is neither admitted nor unreachable: it is gone,
// or its machine was taken down.
func (r *registry) parted(id string) bool {
	return r.agent(id) == nil && !slices.ContainsFunc(r.held.GetUnreachable(), func(u *registrypb.Unreachable) bool {
		return u.GetInfo().GetId().GetValue() == id
	})
}
