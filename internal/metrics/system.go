package metrics

import (
	"context"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
)

// System is the source of system/*: processors, load and memory of the machine.
// What the operating system does not tell is left out.
func System(_ context.Context, emit func(Value)) {
	gauge := func(name string, v float64) { emit(Value{"system/" + name, GaugeKind, v}) }
	gauge("cpus_total", float64(runtime.NumCPU()))
	loads := strings.Fields(readFile("/proc/loadavg"))
	for i, name := range []string{"load_1min", "load_5min", "load_15min"} {
		if i < len(loads) {
			if v, err := strconv.ParseFloat(loads[i], 64); err == nil {
				gauge(name, v)
			}
		}
	}
	for line := range strings.Lines(readFile("/proc/meminfo")) {
		switch name, kib := memory(line); name {
		case "MemTotal":
			gauge("mem_total_bytes", kib*1024)
		case "MemFree":
			gauge("mem_free_bytes", kib*1024)
		}
	}
}

func memory(line string) (name string, kib float64) {
	name, rest, _ := strings.Cut(line, ":")
	kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
	if err != nil {
		return "", 0
	}
	return name, kib
}

func readFile(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(content)
}

// Runtime is the source of runtime/*: what the process itself takes.
func Runtime(_ context.Context, emit func(Value)) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}}
	metrics.Read(sample)
	emit(Value{"runtime/goroutines", GaugeKind, float64(runtime.NumGoroutine())})
	emit(Value{"runtime/heap_bytes", GaugeKind, float64(sample[0].Value.Uint64())})
	emit(Value{"runtime/memory_bytes", GaugeKind, float64(sample[1].Value.Uint64())})
}
