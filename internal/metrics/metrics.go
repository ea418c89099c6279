// Package metrics keeps the numbers a daemon publishes: counters, gauges and
// timers by their Mesos names, as flat JSON for /metrics/snapshot and in
// Prometheus' text form for /metrics. It owns its registry and no global one;
// it does not decide what is worth counting. Safe for concurrent use.
package metrics

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Kind says how a value behaves over time.
type Kind int

const (
	CounterKind Kind = iota // only grows while the process lives
	GaugeKind               // goes up and down
)

// A Value is one number at one moment.
type Value struct {
	Name  string
	Kind  Kind
	Value float64
}

// A Source computes values when they are asked for. It stops early when ctx ends.
type Source func(ctx context.Context, emit func(Value))

// Registry holds the metrics of one daemon.
type Registry struct {
	mu       sync.Mutex
	counters map[string]*Counter
	gauges   map[string]*Gauge
	timers   map[string]*Timer
	sources  []Source
}

// New returns an empty registry.
func New() *Registry {
	return &Registry{
		counters: make(map[string]*Counter),
		gauges:   make(map[string]*Gauge),
		timers:   make(map[string]*Timer),
	}
}

// Counter returns the counter called name, which starts at 0.
func (r *Registry) Counter(name string) *Counter {
	r.mu.Lock()
	defer r.mu.Unlock()
	return obtain(r.counters, name)
}

// Gauge returns the gauge called name, which starts at 0.
func (r *Registry) Gauge(name string) *Gauge {
	r.mu.Lock()
	defer r.mu.Unlock()
	return obtain(r.gauges, name)
}

// Timer returns the timer called name; its values carry the suffix _ms.
func (r *Registry) Timer(name string) *Timer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return obtain(r.timers, name)
}

// AddSource adds values that are computed with every snapshot.
func (r *Registry) AddSource(s Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sources = append(r.sources, s)
}

func obtain[M any](all map[string]*M, name string) *M {
	m, ok := all[name]
	if !ok {
		m = new(M)
		all[name] = m
	}
	return m
}

// Snapshot returns all values sorted by name, each name once: a metric held by
// the registry wins over one of a source.
func (r *Registry) Snapshot(ctx context.Context) []Value {
	values := make(map[string]Value)
	sources := r.held(values)
	for _, source := range sources {
		if ctx.Err() != nil {
			break
		}
		source(ctx, func(v Value) {
			if _, ok := values[v.Name]; !ok {
				values[v.Name] = v
			}
		})
	}
	return slices.SortedFunc(maps.Values(values), func(a, b Value) int { return cmp.Compare(a.Name, b.Name) })
}

// held adds the registry's own metrics to values and returns the sources, which
// are asked without holding the lock.
func (r *Registry) held(values map[string]Value) []Source {
	r.mu.Lock()
	defer r.mu.Unlock()
	put := func(v Value) { values[v.Name] = v }
	for name, c := range r.counters {
		put(Value{name, CounterKind, float64(c.n.Load())})
	}
	for name, g := range r.gauges {
		put(Value{name, GaugeKind, g.value()})
	}
	for name, t := range r.timers {
		t.emit(name+"_ms", put)
	}
	return slices.Clone(r.sources)
}

// A Counter counts up.
type Counter struct{ n atomic.Uint64 }

// Add adds n.
func (c *Counter) Add(n uint64) { c.n.Add(n) }

// Inc adds one.
func (c *Counter) Inc() { c.n.Add(1) }

// A Gauge holds the newest value set.
type Gauge struct{ bits atomic.Uint64 }

// Set replaces the value.
func (g *Gauge) Set(v float64) { g.bits.Store(math.Float64bits(v)) }

func (g *Gauge) value() float64 { return math.Float64frombits(g.bits.Load()) }

// samples is how many durations a timer remembers for its percentiles.
const samples = 1000

// A Timer remembers the newest durations it was told.
type Timer struct {
	mu    sync.Mutex
	ring  []float64 // milliseconds
	count uint64
}

// Observe records one duration.
func (t *Timer) Observe(d time.Duration) {
	ms := float64(d) / float64(time.Millisecond)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ring) < samples {
		t.ring = append(t.ring, ms)
	} else {
		t.ring[t.count%samples] = ms
	}
	t.count++
}

// percentiles of timers, as Mesos names them.
var percentiles = []struct {
	name string
	at   float64
}{
	{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"p999", 0.999}, {"p9999", 0.9999},
}

// emit publishes the last value and its company; nothing before the first sample.
func (t *Timer) emit(name string, put func(Value)) {
	t.mu.Lock()
	ring, count := slices.Clone(t.ring), t.count
	t.mu.Unlock()
	if count == 0 {
		return
	}
	put(Value{name, GaugeKind, ring[(count-1)%samples]})
	slices.Sort(ring)
	put(Value{name + "/count", CounterKind, float64(count)})
	put(Value{name + "/min", GaugeKind, ring[0]})
	put(Value{name + "/max", GaugeKind, ring[len(ring)-1]})
	for _, p := range percentiles {
		put(Value{fmt.Sprintf("%s/%s", name, p.name), GaugeKind, quantile(ring, p.at)})
	}
}

// quantile interpolates between the two samples around position at.
func quantile(sorted []float64, at float64) float64 {
	position := at * float64(len(sorted)-1)
	low := int(position)
	if low+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[low] + (position-float64(low))*(sorted[low+1]-sorted[low])
}
