// Command simulate runs simulated clusters through faults, one per seed, and
// prints the line that replays the first one that fails.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/soukproject/souk/internal/simulation"
)

func main() {
	seed := flag.Uint64("seed", 0, "run this one seed")
	first := flag.Uint64("first", 1, "the first of many seeds")
	seeds := flag.Uint64("seeds", 1000, "how many seeds to run")
	workers := flag.Int("workers", runtime.NumCPU(), "how many seeds to run at a time")
	trace := flag.Bool("trace", false, "with -seed: print every event and effect")
	flag.Parse()
	debug.SetGCPercent(800) // seeds need little memory, and much of it for a short time
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *seed != 0 {
		fail(one(*seed, *trace))
		return
	}
	fail(many(ctx, *first, *seeds, *workers))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func one(seed uint64, trace bool) error {
	opts := simulation.Options{Seed: seed}
	if trace {
		opts.Trace = func(line string) { fmt.Println(line) }
	}
	result, err := simulation.Run(opts)
	fmt.Printf("seed %d: %v\n", seed, result)
	return err
}

// many runs seeds, so many at a time, and reports the sum.
func many(ctx context.Context, first, n uint64, workers int) error {
	start := time.Now()
	var (
		next     atomic.Uint64
		wg       sync.WaitGroup
		mu       sync.Mutex
		total    simulation.Result
		failures []error
	)
	for range workers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < n && ctx.Err() == nil; i = next.Add(1) - 1 {
				result, err := simulation.Run(simulation.Options{Seed: first + i})
				mu.Lock()
				total = total.Add(result)
				if err != nil {
					failures = append(failures, err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	fmt.Printf("%d seeds in %v, %d violations: %v\n", min(next.Load(), n), time.Since(start).Round(time.Second), len(failures), total)
	return errors.Join(failures[:min(len(failures), 50)]...)
}
