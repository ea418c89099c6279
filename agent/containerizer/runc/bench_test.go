//go:build linux

package runc_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
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

// BenchmarkLaunchNested is what a health check by a command costs.
func BenchmarkLaunchNested(b *testing.B) {
	root, sandbox := parent(b, runc.Full), b.TempDir()
	c := open(b, b.TempDir(), root)
	if _, err := c.Launch(b.Context(), shell("p", sandbox, "sleep 1000")); err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		cfg := shell(fmt.Sprintf("c%d", i), sandbox, "true")
		cfg.Parent = "p"
		if _, err := c.Launch(b.Context(), cfg); err != nil {
			b.Fatal(err)
		}
		if err := c.Destroy(b.Context(), cfg.ID); err != nil {
			b.Fatal(err)
		}
	}
	if err := c.Destroy(b.Context(), "p"); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkDestroy is the end of a container that runs.
func BenchmarkDestroy(b *testing.B) {
	root, sandbox := parent(b, runc.Full), b.TempDir()
	c := open(b, b.TempDir(), root)
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		id := fmt.Sprintf("c%d", i)
		if _, err := c.Launch(b.Context(), shell(id, sandbox, "sleep 1000")); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := c.Destroy(b.Context(), id); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStats is what it costs to measure one container. 1,000 of them looked
// at every ten seconds take 5 % of a processor if it is half a millisecond.
func BenchmarkStats(b *testing.B) {
	root, sandbox := parent(b, runc.Full), b.TempDir()
	c := open(b, b.TempDir(), root)
	if _, err := c.Launch(b.Context(), shell("c", sandbox, "sleep 10000")); err != nil {
		b.Fatal(err)
	}
	before := ownCPU(b)
	for b.Loop() {
		if _, err := c.Stats(b.Context(), "c"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(milliseconds(ownCPU(b)-before)/float64(b.N), "cpu-ms/op")
	if err := c.Destroy(b.Context(), "c"); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkLaunchCPU measures the processor time of whole lives, by plan, by
// libcontainer, by Debian's runc and of fork and exec alone, one after another on
// the same machine; the ratios are what to rely on.
func BenchmarkLaunchCPU(b *testing.B) {
	for _, way := range []struct {
		name         string
		libcontainer bool
	}{{"plan", false}, {"libcontainer", true}} {
		b.Run(way.name, func(b *testing.B) {
			root, sandbox := parent(b, runc.Full), b.TempDir()
			c, err := runc.New(runc.Config{RunDir: b.TempDir(), Helper: helper, Level: runc.Full, CgroupsRoot: root, Libcontainer: way.libcontainer})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := c.Recover(b.Context(), nil); err != nil {
				b.Fatal(err)
			}
			measureCPU(b, func(i int) error {
				id := fmt.Sprintf("c%d", i)
				if _, err := c.Launch(b.Context(), shell(id, sandbox, "true")); err != nil {
					return err
				}
				if _, err := c.Wait(b.Context(), id); err != nil {
					return err
				}
				return c.Destroy(b.Context(), id)
			}, func() { c.Close() }) // and with it what the helper has used
		})
	}
	b.Run("runc", func(b *testing.B) {
		bundle := runcBundle(b)
		measureCPU(b, func(i int) error {
			return exec.Command("runc", "run", "--bundle", bundle, fmt.Sprintf("souk-bench-%d-%d", os.Getpid(), i)).Run()
		}, func() {})
	})
	b.Run("fork", func(b *testing.B) {
		measureCPU(b, func(int) error { return exec.Command("/bin/sh", "-c", "true").Run() }, func() {})
	})
}

// runcBundle describes a container for runc with the machine's own programs.
func runcBundle(b *testing.B) string {
	if _, err := exec.LookPath("runc"); err != nil {
		b.Skip("needs runc: apt-get install runc")
	}
	dir := b.TempDir()
	if err := os.Mkdir(dir+"/rootfs", 0o755); err != nil {
		b.Fatal(err)
	}
	if out, err := exec.Command("runc", "spec", "--bundle", dir).CombinedOutput(); err != nil {
		b.Fatalf("runc spec: %v: %s", err, out)
	}
	data, err := os.ReadFile(dir + "/config.json")
	if err != nil {
		b.Fatal(err)
	}
	var spec map[string]any
	if err := json.Unmarshal(data, &spec); err != nil {
		b.Fatal(err)
	}
	process := spec["process"].(map[string]any)
	process["terminal"], process["args"] = false, []string{"/bin/sh", "-c", "true"}
	var binds []any
	for _, name := range []string{"/bin", "/lib", "/lib64", "/usr"} {
		binds = append(binds, map[string]any{"destination": name, "type": "bind", "source": name, "options": []string{"rbind", "ro"}})
	}
	spec["mounts"] = append(spec["mounts"].([]any), binds...)
	if data, err = json.Marshal(spec); err == nil {
		err = os.WriteFile(dir+"/config.json", data, 0o644)
	}
	if err != nil {
		b.Fatal(err)
	}
	return dir
}

// measureCPU reports the processor time that the machine spent per call, less
// what it spends on others; on a busy machine it means little.
func measureCPU(b *testing.B, do func(i int) error, end func()) {
	before := ownCPU(b)
	for i := 0; b.Loop(); i++ {
		if err := do(i); err != nil {
			b.Fatal(err)
		}
	}
	end()
	b.ReportMetric(milliseconds(ownCPU(b)-before)/float64(b.N), "cpu-ms/op")
}

// ownCPU is what this process and its ended children have used. Processes of a
// container end as descendants of its shim, whose parent this process is.
func ownCPU(b *testing.B) time.Duration {
	var total time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			b.Fatal(err)
		}
		total += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return total
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
