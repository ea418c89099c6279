package daemon_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/soukproject/souk/internal/daemon"
)

func TestParseDuration(t *testing.T) {
	good := map[string]time.Duration{
		"10secs": 10 * time.Second, "5mins": 5 * time.Minute, "1hrs": time.Hour, "2days": 48 * time.Hour,
		"3weeks": 21 * 24 * time.Hour, "100ms": 100 * time.Millisecond, "1us": time.Microsecond, "1ns": 1,
		"1.5mins": 90 * time.Second, "0ns": 0, "-1secs": -time.Second, "1m30s": 90 * time.Second, "2000ms": 2 * time.Second,
	}
	for text, want := range good {
		if got, err := daemon.ParseDuration(text); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "10", "0", "secs", "10 secs", "1e300secs", "400000weeks", "NaNsecs", "10parsecs", "1secs2"} {
		if got, err := daemon.ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", text, got)
		}
	}
}

func TestDurationsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.SampledFrom([]time.Duration{1, time.Millisecond, time.Second, time.Minute, time.Hour, 24 * time.Hour}).Draw(t, "unit")
		want := time.Duration(rapid.Int64Range(0, 5000).Draw(t, "count")) * unit
		got, err := daemon.ParseDuration(daemon.FormatDuration(want))
		if err != nil || got != want {
			t.Fatalf("%v → %q → %v, %v", want, daemon.FormatDuration(want), got, err)
		}
	})
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		15 * time.Second: "15secs", 10 * time.Minute: "10mins", 90 * time.Second: "90secs",
		7 * 24 * time.Hour: "1weeks", 0: "0ns", time.Hour: "1hrs",
	} {
		if got := daemon.FormatDuration(d); got != want {
			t.Errorf("FormatDuration(%d) = %q, want %q", d, got, want)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]uint64{"0B": 0, "512B": 512, "4096B": 4096, "10MB": 10 << 20, "2GB": 2 << 30, "1.5KB": 1536, "1TB": 1 << 40} {
		if got, err := daemon.ParseBytes(text); err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "10", "MB", "-1MB", "1e30TB", "10 MB", "10mb"} {
		if got, err := daemon.ParseBytes(text); err == nil {
			t.Errorf("ParseBytes(%q) = %d, want an error", text, got)
		}
	}
	for n, want := range map[uint64]string{0: "0B", 1536: "1536B", 2 << 30: "2GB", 10 << 20: "10MB"} {
		if got := daemon.FormatBytes(n); got != want {
			t.Errorf("FormatBytes(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestAppendDouble(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.0", 1: "1.0", 0.1: "0.1", -2.5: "-2.5", 1795210331.5446668: "1795210331.5446668", 25276502016: "25276502016.0",
		1e15: "1000000000000000.0", 1e21: "1e21", 1.5e300: "1.5e300", 0.00001: "0.00001", 1e-7: "1e-7", 1.5e-10: "1.5e-10", 5e-324: "5e-324",
		math.Inf(1): `"Infinity"`, math.Inf(-1): `"-Infinity"`,
	} {
		if got := string(daemon.AppendDouble(nil, v)); got != want {
			t.Errorf("AppendDouble(%g) = %s, want %s", v, got, want)
		}
	}
	if got := string(daemon.AppendDouble(nil, math.NaN())); got != "0.0" {
		t.Errorf("AppendDouble(NaN) = %s, want 0.0", got)
	}
}
