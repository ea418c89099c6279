package shim

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStatOfAProcessWithAnEvilName(t *testing.T) {
	line := "7 (a) S 1 (b)) Z 3 4 5 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 6 0 1234 99 2 18446744073709551615 0 0"
	got, err := parseStat(7, []byte(line))
	if err != nil {
		t.Fatal(err)
	}
	want := process{
		pid: 7, parent: 3, session: 5, zombie: true, start: 1234,
		user: 2500 * time.Millisecond, system: 500 * time.Millisecond, threads: 6, rss: got.rss,
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(process{})); diff != "" {
		t.Errorf("parseStat() (-want +got):\n%s", diff)
	}
	if got.rss <= 0 {
		t.Errorf("rss = %d, want two pages", got.rss)
	}
}

func FuzzStat(f *testing.F) {
	f.Add([]byte("1 (init) S 0 1 1 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 1 0 2 99 2 0"))
	f.Add([]byte(")"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := parseStat(1, data); err == nil && p.pid != 1 {
			t.Errorf("parseStat() = %+v", p)
		}
	})
}
