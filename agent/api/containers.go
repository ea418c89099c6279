package api

import (
	"context"
	"net/http"
	"time"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/agent/disk"
	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// statsTimeout bounds measuring all containers for one request.
const statsTimeout = 10 * time.Second

// containerDoc is an element of /containers and /monitor/statistics.
type containerDoc struct {
	Container   string `json:"container_id,omitempty"`
	Executor    string `json:"executor_id"`
	Name        string `json:"executor_name"`
	FrameworkID string `json:"framework_id"`
	Source      string `json:"source"`
	Statistics  any    `json:"statistics,omitempty"`
	Pressure    any    `json:"pressure,omitempty"` // ours: Mesos' message has no place for it
	Status      any    `json:"status,omitempty"`
}

// containers answers /containers, of one container with ?container_id=.
func (a *api) containers(w http.ResponseWriter, r *http.Request) {
	only := r.URL.Query().Get("container_id")
	a.listContainers(w, r, only, true)
}

// statistics answers /monitor/statistics.
func (a *api) statistics(w http.ResponseWriter, r *http.Request) { a.listContainers(w, r, "", false) }

func (a *api) listContainers(w http.ResponseWriter, r *http.Request, only string, status bool) {
	s, ok := a.snapshot(w, r)
	if !ok {
		return
	}
	list := []containerDoc{}
	for _, m := range a.measure(r.Context(), s, only) {
		x := m.executor
		d := containerDoc{
			Executor: string(x.Run.Executor), Name: x.Info.GetName(),
			FrameworkID: string(x.Run.Framework), Source: x.Info.GetSource(),
		}
		if m.statistics != nil {
			d.Statistics = message{m.statistics}
		}
		if m.pressure != nil {
			d.Pressure = m.pressure
		}
		if status {
			d.Container = string(x.Run.Container)
			d.Status = message{containerStatus(x)}
		}
		list = append(list, d)
	}
	answer(w, r, list)
}

type measured struct {
	executor   core.Executor
	statistics *mesospb.ResourceStatistics // nil when it could not be measured
	pressure   *containerizer.Pressure     // nil when the kernel does not tell
}

// measure measures the containers that run; only names one, "" means all.
func (a *api) measure(ctx context.Context, s core.Snapshot, only string) []measured {
	ctx, cancel := context.WithTimeout(ctx, statsTimeout)
	defer cancel()
	var list []measured
	for _, f := range s.Frameworks {
		for _, x := range f.Executors {
			if !x.Running || only != "" && x.Run.Container != mesos.ContainerID(only) {
				continue
			}
			m := measured{executor: x}
			if stats, err := a.Agent.Stats(ctx, string(x.Run.Container)); err == nil {
				m.statistics, m.pressure = resourceStatistics(stats), stats.Pressure
				addDisks(m.statistics, a.Agent.Disks(string(x.Run.Container)))
			}
			list = append(list, m)
		}
	}
	return list
}

// addDisks adds what a container was last found to keep on disks.
func addDisks(s *mesospb.ResourceStatistics, list []disk.Reading) {
	for _, r := range list {
		d := &mesospb.DiskStatistics{LimitBytes: new(uint64(r.Limit)), UsedBytes: new(uint64(r.Used))}
		if r.Volume == "" {
			s.DiskLimitBytes, s.DiskUsedBytes = d.LimitBytes, d.UsedBytes
		} else {
			d.Persistence = &mesospb.Resource_DiskInfo_Persistence{Id: &r.Volume}
		}
		s.DiskStatistics = append(s.DiskStatistics, d)
	}
}

func containerStatus(x core.Executor) *mesospb.ContainerStatus {
	s := &mesospb.ContainerStatus{ContainerId: &mesospb.ContainerID{Value: new(string(x.Run.Container))}}
	if x.PID != 0 {
		s.ExecutorPid = new(x.PID)
	}
	return s
}

// resourceStatistics puts measurements into Mesos' message; what was not
// measured is left out.
func resourceStatistics(s containerizer.Statistics) *mesospb.ResourceStatistics {
	bytes := func(n int64) *uint64 {
		if n == 0 {
			return nil
		}
		return new(uint64(n))
	}
	count := func(n int64) *uint32 {
		if n == 0 {
			return nil
		}
		return new(uint32(n))
	}
	thousandths := func(n int64) *float64 {
		if n == 0 {
			return nil
		}
		return new(float64(n) / 1000)
	}
	r := &mesospb.ResourceStatistics{
		Timestamp:           new(float64(seconds(s.Time))),
		Processes:           count(s.Processes),
		Threads:             count(s.Threads),
		CpusUserTimeSecs:    new(s.CPUUser.Seconds()),
		CpusSystemTimeSecs:  new(s.CPUSystem.Seconds()),
		CpusSoftLimit:       thousandths(s.CPURequest),
		CpusLimit:           thousandths(s.CPULimit),
		CpusNrPeriods:       count(s.CPUPeriods),
		CpusNrThrottled:     count(s.CPUThrottled),
		MemTotalBytes:       bytes(s.MemTotal),
		MemRssBytes:         bytes(s.MemAnon),
		MemAnonBytes:        bytes(s.MemAnon),
		MemFileBytes:        bytes(s.MemFile),
		MemCacheBytes:       bytes(s.MemFile),
		MemMappedFileBytes:  bytes(s.MemMapped),
		MemSwapBytes:        bytes(s.MemSwap),
		MemUnevictableBytes: bytes(s.MemUnevictable),
		MemLimitBytes:       bytes(s.MemLimit),
		MemSoftLimitBytes:   bytes(s.MemSoftLimit),
		MemTotalMemswBytes:  bytes(s.MemAndSwap),
		BlkioStatistics:     blkioStatistics(s.Blocks),
	}
	if s.CPUPeriods > 0 {
		r.CpusThrottledTimeSecs = new(s.CPUThrottledTime.Seconds())
	}
	if t := s.Traffic; t != nil {
		r.NetRxBytes, r.NetRxPackets, r.NetRxErrors, r.NetRxDropped = &t.Received.Bytes, &t.Received.Count, &t.Received.Errors, &t.Received.Dropped
		r.NetTxBytes, r.NetTxPackets, r.NetTxErrors, r.NetTxDropped = &t.Sent.Bytes, &t.Sent.Count, &t.Sent.Errors, &t.Sent.Dropped
	}
	return r
}

// blkioStatistics are those of the throttling layer: the kernel counts there
// whichever scheduler a device has.
func blkioStatistics(list []containerizer.BlockIO) *mesospb.CgroupInfo_Blkio_Statistics {
	if len(list) == 0 {
		return nil
	}
	values := func(reads, writes uint64) []*mesospb.CgroupInfo_Blkio_Value {
		return []*mesospb.CgroupInfo_Blkio_Value{
			{Op: mesospb.CgroupInfo_Blkio_READ.Enum(), Value: &reads},
			{Op: mesospb.CgroupInfo_Blkio_WRITE.Enum(), Value: &writes},
			{Op: mesospb.CgroupInfo_Blkio_TOTAL.Enum(), Value: new(reads + writes)},
		}
	}
	s := &mesospb.CgroupInfo_Blkio_Statistics{}
	for _, b := range list {
		s.Throttling = append(s.Throttling, &mesospb.CgroupInfo_Blkio_Throttling_Statistics{
			Device:         &mesospb.Device_Number{MajorNumber: &b.Major, MinorNumber: &b.Minor},
			IoServiced:     values(b.Reads, b.Writes),
			IoServiceBytes: values(b.ReadBytes, b.WriteBytes),
		})
	}
	return s
}
