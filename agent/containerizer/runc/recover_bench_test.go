//go:build linux

package runc_test

import (
	"flag"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/posix"
	"github.com/soukproject/souk/agent/containerizer/runc"
)

var recoverContainers = flag.Int("recover.containers", 100, "how many containers run while BenchmarkRecover recovers them")

// BenchmarkRecover is what an agent that was restarted needs before it knows all
// containers again. The aim is 2 s for 2,000.
func BenchmarkRecover(b *testing.B) {
	root := parent(b, runc.Full)
	for _, way := range []struct {
		name string
		open func(dir string) (containerizer.Containerizer, error)
	}{
		{"runc", func(dir string) (containerizer.Containerizer, error) {
			return runc.New(runc.Config{RunDir: dir, Helper: helper, Level: runc.Full, CgroupsRoot: root})
		}},
		{"posix", func(dir string) (containerizer.Containerizer, error) {
			return posix.New(posix.Config{RunDir: dir, Helper: helper})
		}},
	} {
		b.Run(way.name, func(b *testing.B) {
			dir := b.TempDir()
			c, err := way.open(dir)
			if err != nil {
				b.Fatal(err)
			}
			known := launchMany(b, c, *recoverContainers)
			for b.Loop() {
				b.StopTimer()
				c.(io.Closer).Close()
				b.StartTimer()
				if c, err = way.open(dir); err != nil {
					b.Fatal(err)
				}
				began := time.Now()
				alive, err := c.Recover(b.Context(), known)
				if err != nil || len(alive) != len(known) {
					b.Fatalf("Recover() = %d containers, %v, want %d", len(alive), err, len(known))
				}
				b.ReportMetric(milliseconds(time.Since(began)), "recover-ms")
			}
			each(known, func(id string) {
				if err := c.Destroy(b.Context(), id); err != nil {
					b.Error(err)
				}
			})
			c.(io.Closer).Close()
		})
	}
}

func launchMany(b *testing.B, c containerizer.Containerizer, n int) (ids []string) {
	b.Helper()
	if _, err := c.Recover(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	for i := range n {
		ids = append(ids, fmt.Sprintf("c%d", i))
	}
	sandbox := b.TempDir()
	each(ids, func(id string) {
		if _, err := c.Launch(b.Context(), shell(id, sandbox, "sleep 10000")); err != nil {
			b.Error(err)
		}
	})
	return ids
}

// each calls do for every id, four at a time.
func each(ids []string, do func(id string)) {
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := worker; i < len(ids); i += 4 {
				do(ids[i])
			}
		})
	}
	wg.Wait()
}
