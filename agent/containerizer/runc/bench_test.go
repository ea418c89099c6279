//go:build linux

package runc_test

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/soukproject/souk/agent/containerizer/runc"
)

// BenchmarkLaunch launches containers one after another. The aim is a p50 below
// 50 ms on a quiet machine; fork-ms, what the machine needs to start any program,
// tells how quiet it is.
func BenchmarkLaunch(b *testing.B) {
	root, sandbox := parent(b, runc.Full), b.TempDir()
	c := open(b, b.TempDir(), root)
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		id := fmt.Sprintf("c%d", i)
		began := time.Now()
		if _, err := c.Launch(b.Context(), shell(id, sandbox, "true")); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
		if err := c.Destroy(b.Context(), id); err != nil {
			b.Fatal(err)
		}
	}
	slices.Sort(took)
	b.ReportMetric(milliseconds(took[len(took)/2]), "p50-ms")
	b.ReportMetric(milliseconds(took[len(took)*99/100]), "p99-ms")
	b.ReportMetric(milliseconds(fork(b)), "fork-ms")
}

// BenchmarkLaunchTwoWorkers is the rate of whole lives. The aim is 60 a second on
// two quiet cores.
func BenchmarkLaunchTwoWorkers(b *testing.B) {
	root, sandbox := parent(b, runc.Full), b.TempDir()
	c := open(b, b.TempDir(), root)
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range 2 {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				id := fmt.Sprintf("c%d", i)
				if _, err := c.Launch(b.Context(), shell(id, sandbox, "true")); err != nil {
					b.Error(err)
					return
				}
				if err := c.Destroy(b.Context(), id); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "containers/s")
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// fork is the median time to run a program that does nothing.
func fork(b *testing.B) time.Duration {
	var took []time.Duration
	for range 21 {
		began := time.Now()
		if err := exec.Command("/bin/true").Run(); err != nil && !os.IsNotExist(err) {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)/2]
}
