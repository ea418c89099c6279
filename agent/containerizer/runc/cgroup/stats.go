package cgroup

import (
	"time"

	"github.com/soukproject/souk/agent/containerizer"
)

// Stats measures the group. What cannot be read is zero.
func (g Group) Stats() containerizer.Statistics {
	s := containerizer.Statistics{Time: time.Now()}
	if g.tree.V2 {
		g.measureV2(&s)
	} else {
		g.measureV1(&s)
	}
	pids, _ := g.Procs()
	s.Processes = int64(len(pids))
	s.Threads = max(g.number("pids", "pids.current"), s.Processes)
	s.MemPeak = g.MemPeak()
	s.Pressure = g.pressure()
	return s
}

func (g Group) measureV1(s *containerizer.Statistics) {
	s.CPUUser = time.Duration(g.number("cpuacct", "cpuacct.usage_user"))
	s.CPUSystem = time.Duration(g.number("cpuacct", "cpuacct.usage_sys"))
	cpu := g.numbers("cpu", "cpu.stat")
	s.CPUPeriods, s.CPUThrottled = cpu["nr_periods"], cpu["nr_throttled"]
	s.CPUThrottledTime = time.Duration(cpu["throttled_time"])

	mem := g.numbers("memory", "memory.stat")
	s.MemTotal = g.number("memory", "memory.usage_in_bytes")
	s.MemAnon, s.MemFile = mem["total_rss"], mem["total_cache"]
	s.MemMapped, s.MemSwap = mem["total_mapped_file"], mem["total_swap"]
	s.MemUnevictable = mem["total_unevictable"]
	s.MemLimit = g.number("memory", "memory.limit_in_bytes")
	s.MemSoftLimit = g.number("memory", "memory.soft_limit_in_bytes")
	s.MemAndSwap = g.number("memory", "memory.memsw.usage_in_bytes")
	s.Blocks = g.blocksV1()
}

func (g Group) measureV2(s *containerizer.Statistics) {
	cpu := g.numbers("", "cpu.stat")
	s.CPUUser = time.Duration(cpu["user_usec"]) * time.Microsecond
	s.CPUSystem = time.Duration(cpu["system_usec"]) * time.Microsecond
	s.CPUPeriods, s.CPUThrottled = cpu["nr_periods"], cpu["nr_throttled"]
	s.CPUThrottledTime = time.Duration(cpu["throttled_usec"]) * time.Microsecond

	mem := g.numbers("", "memory.stat")
	s.MemTotal = g.number("", "memory.current")
	s.MemAnon, s.MemFile = mem["anon"], mem["file"]
	s.MemMapped, s.MemUnevictable = mem["file_mapped"], mem["unevictable"]
	s.MemSwap = g.number("", "memory.swap.current")
	s.MemLimit, s.MemSoftLimit = g.number("", "memory.max"), g.number("", "memory.low")
	s.MemAndSwap = s.MemTotal + s.MemSwap
	s.Blocks = g.blocksV2()
}

// MemPeak is the most memory the group ever used, in bytes; 0 on kernels that do
// not tell.
func (g Group) MemPeak() int64 {
	if g.tree.V2 {
		return g.number("", "memory.peak")
	}
	return g.number("memory", "memory.max_usage_in_bytes")
}

// OOMKills counts the processes of the group that were killed for memory.
func (g Group) OOMKills() int64 {
	if g.tree.V2 {
		return g.numbers("", "memory.events")["oom_kill"]
	}
	return g.numbers("memory", "memory.oom_control")["oom_kill"]
}
