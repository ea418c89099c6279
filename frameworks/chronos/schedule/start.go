package schedule

import (
	"fmt"
	"regexp"
	"time"
)

var startForm = regexp.MustCompile(
	`^(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?(?:T(?:(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:[.,](\d{1,9}))?)?)?)?(Z|[+-]\d{2}(?::?\d{2})?)?)?$`)

// parseStart reads an ISO 8601 date-time as Joda does: date alone, with or
// without seconds and fraction, with Z, an offset, or neither (UTC). It returns
// the clock fields as if in UTC, and the zone the text names.
func parseStart(text string) (clock time.Time, zone *time.Location, err error) {
	m := startForm.FindStringSubmatch(text)
	if m == nil {
		return time.Time{}, nil, fmt.Errorf("start %.60q: not an ISO 8601 time such as 2030-01-31T05:00:00Z", text)
	}
	zone, err = offsetZone(m[8])
	if err != nil {
		return time.Time{}, nil, fmt.Errorf("start %.60q: %w", text, err)
	}
	field := func(i int, absent int64) int {
		if m[i] == "" {
			return int(absent)
		}
		return int(number(m[i]))
	}
	year, month, day := field(1, 1), field(2, 1), field(3, 1)
	hour, minute, second := field(4, 0), field(5, 0), field(6, 0)
	clock = time.Date(year, time.Month(month), day, hour, minute, second, int(milli(m[7]))*1e6, time.UTC)
	if clock.Year() != year || int(clock.Month()) != month || clock.Day() != day || clock.Hour() != hour || clock.Minute() != minute || clock.Second() != second {
		return time.Time{}, nil, fmt.Errorf("start %.60q: no such date or time", text)
	}
	return clock, zone, nil
}

// offsetZone reads Z, an offset or nothing.
func offsetZone(text string) (*time.Location, error) {
	if text == "" || text == "Z" {
		return time.UTC, nil
	}
	m := fixedForm.FindStringSubmatch(text)
	if m == nil {
		return nil, fmt.Errorf("offset %q: not of the form +02:00", text)
	}
	zone, err := fixedZone(text, m[1], number(m[2]), number(m[3]))
	if err == nil && m[2] == "00" && number(m[3]) == 0 {
		return time.UTC, nil
	}
	return zone, err
}
