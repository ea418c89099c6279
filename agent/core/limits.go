package core

import (
	"math"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// What Mesos' command executor adds to the container of its task. Ours is no
// process, but tasks were sized with it, and what fitted there has to fit here.
const (
	overheadCPUs = 100      // thousandths
	overheadMem  = 32 << 20 // bytes
)

// minMem is the least memory a container is given (Mesos).
const minMem = 32 << 20

// Unlimited as a MemLimit lifts the hard limit.
const Unlimited int64 = -1

// Limits bound what a container may use. Zero means none of this kind.
type Limits struct {
	CPURequest int64 // thousandths of a CPU: its weight
	CPULimit   int64 // thousandths of a CPU: a quota
	MemRequest int64 // bytes: the soft limit, and the hard one unless MemLimit is set
	MemLimit   int64 // bytes, or Unlimited
	PIDs       int64 // processes and threads
}

// memory is the hard limit in bytes; 0 is none.
func (l Limits) memory() int64 {
	if l.MemLimit != 0 {
		return max(l.MemLimit, 0)
	}
	return l.MemRequest
}

// ownLimits are those of an executor that a framework brought: what it has itself
// and what its tasks have. A task's own limit counts in place of what it requests.
func (a *Agent) ownLimits(x *executor) Limits {
	own := &mesospb.TaskInfo{Resources: x.own.info.GetResources()}
	l := Limits{PIDs: a.cfg.PIDs}
	var cpu, mem float64 // limits, in CPUs and megabytes
	limited := map[string]bool{"cpus": a.cfg.HardCPU}
	for _, t := range append([]*task{{info: own}}, x.live()...) {
		cpus, request := scalar(t.info, "cpus"), scalar(t.info, "mem")
		l.CPURequest, l.MemRequest = l.CPURequest+thousandths(cpus), l.MemRequest+megabytes(request)
		cpu, mem = cpu+limitOr(t.info, "cpus", cpus, limited), mem+limitOr(t.info, "mem", request, limited)
	}
	l.MemRequest = max(l.MemRequest, minMem)
	if limited["cpus"] && !math.IsInf(cpu, 1) {
		l.CPULimit = thousandths(cpu)
	}
	if limited["mem"] {
		l.MemLimit = Unlimited
		if !math.IsInf(mem, 1) {
			l.MemLimit = max(megabytes(mem), minMem)
		}
	}
	return l
}

// limitOr is a task's limit of a resource, noted in limited, or else what it requests.
func limitOr(t *mesospb.TaskInfo, name string, request float64, limited map[string]bool) float64 {
	limit, ok := t.GetLimits()[name]
	if !ok {
		return request
	}
	limited[name] = true
	return limit.GetValue()
}

// limitsOf are those of a container. A task of the default executor shares the
// cgroup of that, unless it says otherwise; then there is no overhead.
func (a *Agent) limitsOf(c *container) Limits {
	switch {
	case c.task == nil:
		return a.ownLimits(c.executor)
	case !c.nested():
		return a.limits(c.task.info, overheadCPUs, overheadMem)
	case sharesCgroups(c.task.info):
		return Limits{}
	}
	return a.limits(c.task.info, 0, 0)
}

// sharesCgroups reports whether a task of a group is held to the limits of its
// executor together with the others, which is the default.
func sharesCgroups(t *mesospb.TaskInfo) bool {
	linux := t.GetContainer().GetLinuxInfo()
	return linux == nil || linux.ShareCgroups == nil || linux.GetShareCgroups()
}

// limits follows Mesos: the container gets what the task has and the executor's
// overhead; limits of the task's own, which may be infinite, get the same on top.
func (a *Agent) limits(t *mesospb.TaskInfo, moreCPUs, moreMem int64) Limits {
	cpus, mem := scalar(t, "cpus"), scalar(t, "mem")
	l := Limits{
		CPURequest: thousandths(cpus) + moreCPUs,
		MemRequest: max(megabytes(mem)+moreMem, minMem),
		PIDs:       a.cfg.PIDs,
	}
	if a.cfg.HardCPU {
		l.CPULimit = l.CPURequest
	}
	if limit, ok := t.GetLimits()["cpus"]; ok {
		l.CPULimit = 0
		if !math.IsInf(limit.GetValue(), 1) {
			l.CPULimit = thousandths(limit.GetValue()) + moreCPUs
		}
	}
	if limit, ok := t.GetLimits()["mem"]; ok {
		l.MemLimit = Unlimited
		if !math.IsInf(limit.GetValue(), 1) {
			l.MemLimit = max(megabytes(limit.GetValue())+moreMem, minMem)
		}
	}
	return l
}

// scalar is how much of a resource t has in all.
func scalar(t *mesospb.TaskInfo, name string) (sum float64) {
	for _, r := range t.GetResources() {
		if r.GetName() == name {
			sum += r.GetScalar().GetValue()
		}
	}
	return sum
}

// thousandths rounds as Mesos does with all scalars.
func thousandths(x float64) int64 { return int64(math.Round(clamp(x) * 1000)) }

func megabytes(x float64) int64 { return int64(clamp(x) * (1 << 20)) }

// clamp keeps nonsense from overflowing; the master has validated sums already.
func clamp(x float64) float64 {
	if math.IsNaN(x) || x < 0 {
		return 0
	}
	return min(x, 1e9)
}
