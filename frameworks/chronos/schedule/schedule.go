// Package schedule owns when a job runs next: ISO 8601 repeating intervals
// (R[n]/start/period) as Chronos writes them, with Joda's calendar arithmetic
// and the time zones of the IANA. It does not own clocks, jobs or what happens
// at a due time. It is pure; its values are immutable and may be shared.
package schedule

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Forever is the Repeat of a schedule without a number of runs.
const Forever = -1

// maxRepeat bounds the number behind R.
const maxRepeat = 1_000_000_000_000

// lastYear is the last one a start is written in.
const lastYear = 9999

// A Schedule is the next occurrence of a repeating interval and all later ones.
type Schedule struct {
	Repeat int64 // runs left, or Forever
	Period Period

	// The clock fields are kept beside the instant, because the two part ways
	// when daylight saving skips the clock time: a job due at 02:30 runs at
	// 03:30 that day and at 02:30 again the next.
	clock time.Time // as if in UTC
	at    time.Time // in the zone of the schedule
}

var form = regexp.MustCompile(`^R([0-9]{0,13})/(.*)/(P.*)$`)

// Parse reads R[n]/start/period. An empty start is one second before now, as in
// Chronos. A zone replaces the one start is written with and keeps its clock
// fields; nil keeps the zone of the text, UTC if there is none.
func Parse(text string, zone *time.Location, now time.Time) (Schedule, error) {
	m := form.FindStringSubmatch(text)
	if m == nil {
		return Schedule{}, fmt.Errorf("schedule %.80q: not of the form R[n]/start/period", text)
	}
	s := Schedule{Repeat: Forever}
	if m[1] != "" {
		s.Repeat = number(m[1])
	}
	if s.Repeat > maxRepeat {
		return Schedule{}, fmt.Errorf("schedule %.80q: more than %d runs", text, int64(maxRepeat))
	}
	var err error
	if s.Period, err = ParsePeriod(m[3]); err != nil {
		return Schedule{}, err
	}
	if m[2] == "" {
		return s.startAt(now.Add(-time.Second).Truncate(time.Millisecond), zone), nil
	}
	return s.startText(m[2], zone)
}

func (s Schedule) startAt(at time.Time, zone *time.Location) Schedule {
	if zone == nil {
		zone = time.UTC
	}
	s.at = at.In(zone)
	s.clock = clockOf(s.at)
	return s
}

func (s Schedule) startText(text string, zone *time.Location) (Schedule, error) {
	clock, written, err := parseStart(text)
	if err != nil {
		return Schedule{}, err
	}
	if zone == nil {
		zone = written
	}
	s.clock = clock
	s.at = resolve(clock, zone, offsetAt(clock, written))
	return s, nil
}

// String is the form that Chronos stores: milliseconds always, Z for UTC.
// Parse reads it back to the same schedule if given the same zone.
func (s Schedule) String() string {
	repeat := ""
	if s.Repeat != Forever {
		repeat = strconv.FormatInt(s.Repeat, 10)
	}
	offset := int(s.clock.Sub(s.at) / time.Second)
	start := time.Date(s.clock.Year(), s.clock.Month(), s.clock.Day(), s.clock.Hour(), s.clock.Minute(), s.clock.Second(), s.clock.Nanosecond(), time.FixedZone("", offset))
	return "R" + repeat + "/" + start.Format("2006-01-02T15:04:05.000Z07:00") + "/" + s.Period.String()
}

// Start is the next occurrence, in the zone of the schedule.
func (s Schedule) Start() time.Time {
	return s.at
}

// At is the occurrence n periods after the next one. It reports false when the
// calendar ends before.
func (s Schedule) At(n int64) (time.Time, bool) {
	moved, ok := s.Advance(n)
	return moved.at, ok
}

// Advance moves the schedule on by n periods, n ≥ 0, and leaves Repeat alone. A
// day clamped to the end of a month stays there: the start that Chronos stores
// has moved. It reports false when the calendar ends before.
func (s Schedule) Advance(n int64) (Schedule, bool) {
	if n == 0 || s.Period.IsZero() {
		return s, true
	}
	if !s.fits(n) {
		return s, false
	}
	moved := s
	zone := s.at.Location()
	if s.Period.calendar() {
		moved.clock = s.Period.addCalendar(s.clock, n)
		moved.at = resolve(moved.clock, zone, offsetAt(s.at, zone))
	}
	if elapsed := s.Period.timeMilli() * n; elapsed != 0 {
		moved.at = addMilli(moved.at, elapsed)
		moved.clock = clockOf(moved.at)
	}
	if moved.clock.Year() > lastYear {
		return s, false
	}
	return moved, true
}

// fits is a coarse look ahead that keeps Advance clear of overflows.
func (s Schedule) fits(n int64) bool {
	const calendar = (lastYear + 1) * yearMilli
	return n > 0 && n <= calendar && s.Period.average() <= calendar/n
}

// addMilli adds more than a time.Duration holds.
func addMilli(t time.Time, milli int64) time.Time {
	return time.Unix(t.Unix()+milli/1000, int64(t.Nanosecond())+milli%1000*1e6).In(t.Location())
}

// Missed counts the occurrences after the next one that are not after now, so
// that At(Missed(now)) is the latest one. It is 0 when nothing is due, or when
// only the next one is. It estimates and corrects: its cost does not depend on
// how long ago the schedule started.
func (s Schedule) Missed(now time.Time) int64 {
	length := s.Period.average()
	if length == 0 || s.at.After(now) {
		return 0
	}
	n := (now.Unix() - s.at.Unix()) * 1000 / length
	for n > 0 && !s.reached(n, now) {
		n--
	}
	for s.reached(n+1, now) {
		n++
	}
	return n
}

// reached reports whether the occurrence n periods on is not after now.
func (s Schedule) reached(n int64, now time.Time) bool {
	at, ok := s.At(n)
	return ok && !at.After(now)
}

// Restart is the schedule with its next occurrence at the given instant, for
// intervals without a length.
func (s Schedule) Restart(at time.Time) Schedule {
	return s.startAt(at.Truncate(time.Millisecond), s.at.Location())
}
