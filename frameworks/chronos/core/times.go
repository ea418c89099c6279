package core

import (
	"math"
	"slices"
	"time"
)

// maxSamples bounds the durations kept per job.
const maxSamples = 256

// samples is the durations of the latest successful runs, in milliseconds from
// the time a run stood for to its end, as Chronos counts.
type samples struct {
	total int64
	last  []float64
	next  int // where the next one goes once last is full
}

func (s *samples) count(run *RunRecord) {
	if !run.Successful {
		return
	}
	s.total++
	took := float64(run.Finished.Sub(run.Due) / time.Millisecond)
	if len(s.last) < maxSamples {
		s.last = append(s.last, took)
		return
	}
	s.last[s.next] = took
	s.next = (s.next + 1) % maxSamples
}

// Times is durations to compute statistics from.
type Times struct {
	Count        int64
	Milliseconds []float64
}

// Mean is the average, 0 without samples.
func (t Times) Mean() float64 {
	if len(t.Milliseconds) == 0 {
		return 0
	}
	sum := 0.0
	for _, ms := range t.Milliseconds {
		sum += ms
	}
	return sum / float64(len(t.Milliseconds))
}

// Quantile is the value that the share q of the samples does not exceed,
// interpolated between neighbours; 0 without samples.
func (t Times) Quantile(q float64) float64 {
	n := len(t.Milliseconds)
	if n == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t.Milliseconds))
	pos := q * float64(n+1)
	switch {
	case pos < 1:
		return sorted[0]
	case pos >= float64(n):
		return sorted[n-1]
	}
	low := int(math.Floor(pos))
	return sorted[low-1] + (pos-math.Floor(pos))*(sorted[low]-sorted[low-1])
}
