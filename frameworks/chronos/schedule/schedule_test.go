package schedule

import (
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func at(t testing.TB, text string) time.Time {
	t.Helper()
	got, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func zone(t testing.TB, id string) *time.Location {
	t.Helper()
	loc, err := Zones(time.LoadLocation).Load(id)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestParse(t *testing.T) {
	now := at(t, "2026-03-04T05:06:07.5Z")
	tests := []struct{ name, text, zone, start, written string }{
		{"forever", "R/2014-10-10T18:32:00Z/PT60M", "", "2014-10-10T18:32:00Z", "R/2014-10-10T18:32:00.000Z/PT60M"},
		{"counted", "R5/2012-01-01T00:00:00.000Z/P1D", "", "2012-01-01T00:00:00Z", "R5/2012-01-01T00:00:00.000Z/P1D"},
		{"none left", "R0/2012-01-01T00:00:00.000Z/P1D", "", "2012-01-01T00:00:00Z", "R0/2012-01-01T00:00:00.000Z/P1D"},
		{"missing start is a second ago", "R1//P1D", "", "2026-03-04T05:06:06.5Z", "R1/2026-03-04T05:06:06.500Z/P1D"},
		{"missing start in a zone", "R1//P1D", "Europe/Paris", "2026-03-04T05:06:06.5Z", "R1/2026-03-04T06:06:06.500+01:00/P1D"},
		{"empty period", "R1//P", "", "2026-03-04T05:06:06.5Z", "R1/2026-03-04T05:06:06.500Z/PT0S"},
		{"date alone", "R/2030-02-01/P1M", "", "2030-02-01T00:00:00Z", "R/2030-02-01T00:00:00.000Z/P1M"},
		{"no seconds", "R/2030-02-01T05:30Z/P1W", "", "2030-02-01T05:30:00Z", "R/2030-02-01T05:30:00.000Z/P1W"},
		{"no zone is UTC", "R/2030-02-01T05:30:00/P1W", "", "2030-02-01T05:30:00Z", "R/2030-02-01T05:30:00.000Z/P1W"},
		{"offset", "R/2030-02-01T05:30:00+0200/P1W", "", "2030-02-01T03:30:00Z", "R/2030-02-01T05:30:00.000+02:00/P1W"},
		{"fraction", "R/2030-02-01T05:30:00.1239Z/PT1.5S", "", "2030-02-01T05:30:00.123Z", "R/2030-02-01T05:30:00.123Z/PT1.500S"},
		{"zone replaces, does not convert", "R/2008-03-01T13:00:00Z/P1D", "PST", "2008-03-01T21:00:00Z", "R/2008-03-01T13:00:00.000-08:00/P1D"},
		{"Java's BST is Dhaka", "R/2008-03-01T13:00:00Z/P1D", "BST", "2008-03-01T07:00:00Z", "R/2008-03-01T13:00:00.000+06:00/P1D"},
		{"Java's EST is fixed", "R/2008-07-01T13:00:00Z/P1D", "EST", "2008-07-01T18:00:00Z", "R/2008-07-01T13:00:00.000-05:00/P1D"},
		{"offset as zone", "R/2008-07-01T13:00:00Z/P1D", "GMT-05:30", "2008-07-01T18:30:00Z", "R/2008-07-01T13:00:00.000-05:30/P1D"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse(tt.text, zone(t, tt.zone), now)
			if err != nil {
				t.Fatal(err)
			}
			if want := at(t, tt.start); !s.Start().Equal(want) {
				t.Errorf("Parse(%q).Start() = %v, want %v", tt.text, s.Start(), want)
			}
			if s.String() != tt.written {
				t.Errorf("Parse(%q).String() = %q, want %q", tt.text, s, tt.written)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"", "FOO/BAR/BAM", "R/P1D", "R/2030-01-01T00:00:00Z/", "R-1/2030-01-01T00:00:00Z/P1D", "R/2030-02-30T00:00:00Z/P1D",
		"R/2030-01-01T24:00:00Z/P1D", "R/2030-01-01T00:00:00+19:00/P1D", "R/2030-01-01T00:00:00Z/P-1D", "R/2030-01-01T00:00:00Z/P1001Y",
		"R/2030-01-01T00:00:00Z/1D", "R/2030-01-01T00:00:00Z/PT1D", "R9999999999999/2030-01-01T00:00:00Z/P1D", "R/tomorrow/P1D",
		"R/12030-01-01T00:00:00Z/P1D", " R/2030-01-01T00:00:00Z/P1D",
	} {
		if s, err := Parse(text, nil, time.Unix(0, 0)); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", text, s)
		}
	}
}

func TestZonesRefuse(t *testing.T) {
	for _, id := range []string{"Local", "Europe/Atlantis", "../../etc/passwd", "GMT+19", "paris"} {
		if loc, err := Zones(time.LoadLocation).Load(id); err == nil {
			t.Errorf("Load(%q) = %v, want an error", id, loc)
		}
	}
}

// TestSteps runs a schedule step by step, as a job does.
func TestSteps(t *testing.T) {
	tests := []struct {
		name, text, zone string
		want             []string
	}{
		{"a month clamps and stays clamped", "R/2026-01-31T06:00:00Z/P1M", "",
			[]string{"2026-01-31T06:00:00Z", "2026-02-28T06:00:00Z", "2026-03-28T06:00:00Z", "2026-04-28T06:00:00Z"}},
		{"29 February and a year", "R/2024-02-29T00:00:00Z/P1Y", "",
			[]string{"2024-02-29T00:00:00Z", "2025-02-28T00:00:00Z", "2026-02-28T00:00:00Z"}},
		{"units are added from the largest, each clamped", "R/2024-02-29T00:00:00Z/P1Y1M", "",
			[]string{"2024-02-29T00:00:00Z", "2025-03-28T00:00:00Z"}},
		{"a day keeps the wall clock when clocks go forward", "R/2026-03-28T05:00:00Z/P1D", "Europe/Paris",
			[]string{"2026-03-28T04:00:00Z", "2026-03-29T03:00:00Z", "2026-03-30T03:00:00Z"}},
		{"24 hours do not", "R/2026-03-28T05:00:00Z/PT24H", "Europe/Paris",
			[]string{"2026-03-28T04:00:00Z", "2026-03-29T04:00:00Z", "2026-03-30T04:00:00Z"}},
		{"a skipped clock time moves on for one day only", "R/2026-03-28T02:30:00Z/P1D", "Europe/Paris",
			[]string{"2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"}},
		{"a repeated clock time runs once", "R/2026-10-24T02:30:00Z/P1D", "Europe/Paris",
			[]string{"2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
		{"hourly runs through both repeated hours", "R/2026-10-25T01:30:00Z/PT1H", "Europe/Paris",
			[]string{"2026-10-24T23:30:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"}},
		{"an offset is no zone", "R/2026-03-28T05:00:00+01:00/P1D", "",
			[]string{"2026-03-28T04:00:00Z", "2026-03-29T04:00:00Z", "2026-03-30T04:00:00Z"}},
		{"the day Samoa left out", "R/2011-12-29T09:00:00Z/P1D", "Pacific/Apia",
			[]string{"2011-12-29T19:00:00Z", "2011-12-30T19:00:00Z", "2011-12-30T19:00:00Z", "2011-12-31T19:00:00Z"}},
		{"mixed units", "R/2026-03-28T23:00:00Z/P1DT2H", "Europe/Paris",
			[]string{"2026-03-28T22:00:00Z", "2026-03-29T23:00:00Z", "2026-03-31T01:00:00Z"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse(tt.text, zone(t, tt.zone), time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for range tt.want {
				got = append(got, s.Start().UTC().Format(time.RFC3339))
				stored, err := Parse(s.String(), zone(t, tt.zone), time.Time{})
				if err != nil || !stored.Start().Equal(s.Start()) {
					t.Fatalf("Parse(%q) = %v, %v: want what was written", s, stored, err)
				}
				s, _ = stored.Advance(1)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("steps of %s differ (-want +got):\n%s", tt.text, diff)
			}
		})
	}
}

func TestMissed(t *testing.T) {
	tests := []struct {
		name, text, now string
		want            int64
	}{
		{"in the future", "R/2030-01-01T00:00:00Z/P1D", "2029-12-31T00:00:00Z", 0},
		{"the next one only", "R/2030-01-01T00:00:00Z/P1D", "2030-01-01T23:59:59Z", 0},
		{"exactly on an occurrence", "R/2030-01-01T00:00:00Z/P1D", "2030-01-03T00:00:00Z", 2},
		{"years of days", "R/2012-01-01T00:00:00Z/P1D", "2026-01-01T12:00:00Z", 5114},
		{"months of unequal length", "R/2012-01-31T00:00:00Z/P1M", "2026-02-28T00:00:00Z", 169},
		{"years", "R/2000-02-29T00:00:00Z/P1Y", "2100-02-28T00:00:00Z", 100},
		{"seconds over decades", "R/1970-01-01T00:00:01Z/PT1S", "2026-01-01T00:00:00Z", 1767225599},
		{"no period", "R/1970-01-01T00:00:01Z/P", "2026-01-01T00:00:00Z", 0},
		{"a clock set to another age", "R/1970-01-01T00:00:01Z/P1M", "9999-12-31T00:00:00Z", 96359},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse(tt.text, nil, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Missed(at(t, tt.now)); got != tt.want {
				t.Errorf("Missed(%s) of %s = %d, want %d", tt.now, s, got, tt.want)
			}
		})
	}
}

func TestAdvanceEndsWithTheCalendar(t *testing.T) {
	s, err := Parse("R/9999-12-31T00:00:00Z/P1D", nil, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if moved, ok := s.Advance(1); ok {
		t.Errorf("Advance(1) of %s = %s, want false", s, moved)
	}
	if moved, ok := s.Advance(1 << 60); ok {
		t.Errorf("Advance(1<<60) of %s = %s, want false", s, moved)
	}
}

func schedules() *rapid.Generator[Schedule] {
	zones := []string{"", "UTC", "Europe/Paris", "America/Los_Angeles", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca"}
	return rapid.Custom(func(t *rapid.T) Schedule {
		loc, err := Zones(time.LoadLocation).Load(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		number := func(name string, most int) int64 { return int64(rapid.IntRange(0, most).Draw(t, name)) }
		p := Period{
			Years: number("years", 2), Months: number("months", 14), Weeks: number("weeks", 5), Days: number("days", 40),
			Hours: number("hours", 50), Minutes: number("minutes", 100), Seconds: number("seconds", 100), Milli: number("milli", 999),
		}
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			p = Period{Months: p.Months}
		case 1:
			p = Period{Days: p.Days}
		case 2:
			p = Period{Hours: p.Hours, Seconds: p.Seconds}
		}
		s := Schedule{Repeat: number("repeat", 10) - 1, Period: p}
		return s.startAt(time.UnixMilli(rapid.Int64Range(0, 1893456000000).Draw(t, "start")), loc)
	})
}

// TestMissedBracketsNow: one occurrence is not after now, the next one is.
func TestMissedBracketsNow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := schedules().Draw(t, "schedule")
		now := time.UnixMilli(rapid.Int64Range(0, 2524608000000).Draw(t, "now"))
		n := s.Missed(now)
		if n < 0 {
			t.Fatalf("Missed = %d, want ≥ 0", n)
		}
		if s.Period.IsZero() || s.Start().After(now) {
			if n != 0 {
				t.Fatalf("Missed = %d, want 0", n)
			}
			return
		}
		if latest, ok := s.At(n); !ok || latest.After(now) {
			t.Fatalf("At(%d) = %v, want ≤ %v", n, latest, now)
		}
		if next, ok := s.At(n + 1); !ok || !next.After(now) {
			t.Fatalf("At(%d) = %v, want > %v", n+1, next, now)
		}
	})
}

// TestWrittenFormReadsBack: what is stored is what was meant, step after step.
func TestWrittenFormReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := schedules().Draw(t, "schedule")
		n := rapid.Int64Range(0, 500).Draw(t, "n")
		moved, ok := s.Advance(n)
		if !ok {
			t.Fatalf("Advance(%d) = false, want true", n)
		}
		back, err := Parse(moved.String(), s.Start().Location(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if !back.Start().Equal(moved.Start()) || back.Repeat != moved.Repeat || back.Period != moved.Period || !back.clock.Equal(moved.clock) {
			t.Fatalf("Parse(%q) = %v, want %v", moved, back, moved)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"R/2014-10-10T18:32:00Z/PT60M", "R5//P1Y2M3W4DT5H6M7.5S", "R0/2012-01-01/P", "R//PT0S"} {
		f.Add(text, "Europe/Paris")
	}
	f.Fuzz(func(t *testing.T, text, id string) {
		loc, err := Zones(time.LoadLocation).Load(id)
		if err != nil {
			loc = nil
		}
		s, err := Parse(text, loc, time.Unix(1e9, 0))
		if err != nil {
			return
		}
		back, err := Parse(s.String(), loc, time.Unix(2e9, 0))
		if err != nil || !back.Start().Equal(s.Start()) || back.Period != s.Period {
			t.Fatalf("Parse(%q) = %v, written as %q and read as %v, %v", text, s, s, back, err)
		}
		now := time.Unix(4e9, 0)
		if n := s.Missed(now); !s.Period.IsZero() && !s.Start().After(now) {
			if next, ok := s.At(n + 1); ok && !next.After(now) {
				t.Fatalf("Missed(%q) = %d, but occurrence %d is due as well", text, n, n+1)
			}
		}
	})
}
