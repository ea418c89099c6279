package cgroup

import "github.com/soukproject/souk/agent/containerizer"

// Values are limits in the kernel's units, as Mesos computes them. Zero leaves
// the kernel's default.
type Values struct {
	Shares  uint64 // of v1
	Weight  uint64 // of v2
	Quota   int64  // microseconds per Period
	Period  uint64 // microseconds
	MemSoft int64  // bytes
	MemHard int64  // bytes
	PIDs    int64
}

const (
	period    = 100_000  // microseconds
	minQuota  = 1_000    // microseconds; the kernel refuses less
	minMemory = 32 << 20 // bytes; Mesos gives no container less
	minShares = 2        // the kernel's own
)

// ValuesOf turns limits into the kernel's units.
func ValuesOf(l containerizer.Limits) Values {
	v := Values{Period: period, PIDs: l.PIDs}
	if l.CPURequest > 0 {
		v.Shares = max(uint64(l.CPURequest)*1024/1000, minShares)
		v.Weight = min(max(uint64(l.CPURequest)/10, 1), 10_000) // one CPU is the default weight of 100
	}
	if l.CPULimit > 0 {
		v.Quota = max(l.CPULimit*period/1000, minQuota)
	}
	if l.MemRequest > 0 {
		v.MemSoft = max(l.MemRequest, minMemory)
	}
	if hard := l.MemHard(); hard > 0 {
		v.MemHard = max(hard, minMemory)
	}
	return v
}

// OOMScoreAdj makes a container the earlier victim the more it may use beyond
// its request. ok is false when there is nothing to adjust.
func OOMScoreAdj(l containerizer.Limits, total int64) (adj int, ok bool) {
	burstable := l.MemLimit == containerizer.Unlimited || l.MemLimit > l.MemRequest
	if l.MemRequest <= 0 || total <= 0 || !burstable {
		return 0, false
	}
	return int(max(1000-1000*(l.MemRequest>>10)/(total>>10), 0)), true
}
