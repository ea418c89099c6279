package schedule

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A Period is an ISO 8601 duration as written: P1D and PT24H differ, and so do
// P1M and P30D. Numbers are never negative.
type Period struct {
	Years, Months, Weeks, Days     int64
	Hours, Minutes, Seconds, Milli int64
}

// maxPeriod bounds a period, so that no arithmetic on it leaves the calendar.
const maxPeriod = 1000 * yearMilli

// Average lengths in the Gregorian calendar, whose cycle is 146097 days in 400 years.
const (
	dayMilli   = 24 * 60 * 60 * 1000
	yearMilli  = 146097 * dayMilli / 400
	monthMilli = yearMilli / 12
)

var periodForm = regexp.MustCompile(
	`^P(?:(\d{1,9})Y)?(?:(\d{1,9})M)?(?:(\d{1,9})W)?(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,12})(?:[.,](\d{1,9}))?S)?)?$`)

// ParsePeriod reads a duration such as P1Y2M3W4DT5H6M7.5S. P alone is the zero
// period, as Chronos reads it; fractions finer than milliseconds are cut off.
func ParsePeriod(text string) (Period, error) {
	m := periodForm.FindStringSubmatch(text)
	if m == nil {
		return Period{}, fmt.Errorf("period %.60q: not an ISO 8601 duration such as P1D or PT12H", text)
	}
	p := Period{
		Years: number(m[1]), Months: number(m[2]), Weeks: number(m[3]), Days: number(m[4]),
		Hours: number(m[5]), Minutes: number(m[6]), Seconds: number(m[7]), Milli: milli(m[8]),
	}
	if p.average() > maxPeriod {
		return Period{}, fmt.Errorf("period %.60q: longer than 1000 years", text)
	}
	return p, nil
}

// number reads at most twelve digits, which always fit; no digits are 0.
func number(digits string) int64 {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// milli reads the digits behind a decimal point as thousandths.
func milli(fraction string) int64 {
	return number((fraction + "000")[:3])
}

// String is the form ParsePeriod reads; the zero period is PT0S.
func (p Period) String() string {
	var b strings.Builder
	b.WriteByte('P')
	part := func(n int64, unit byte) {
		if n != 0 {
			b.WriteString(strconv.FormatInt(n, 10))
			b.WriteByte(unit)
		}
	}
	part(p.Years, 'Y')
	part(p.Months, 'M')
	part(p.Weeks, 'W')
	part(p.Days, 'D')
	if p.timeMilli() != 0 || p.IsZero() {
		b.WriteByte('T')
		part(p.Hours, 'H')
		part(p.Minutes, 'M')
		b.WriteString(p.seconds())
	}
	return b.String()
}

func (p Period) seconds() string {
	switch {
	case p.Milli != 0:
		return fmt.Sprintf("%d.%03dS", p.Seconds, p.Milli)
	case p.Seconds != 0 || p.IsZero():
		return strconv.FormatInt(p.Seconds, 10) + "S"
	}
	return ""
}

// IsZero reports whether adding p changes nothing.
func (p Period) IsZero() bool {
	return p == Period{}
}

// Duration is the period as elapsed time, for limits such as a job's epsilon.
// Calendar units count with their average length; the result is capped at what
// a time.Duration holds.
func (p Period) Duration() time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(p.average(), most)) * time.Millisecond
}

// calendar reports whether p moves clock fields rather than elapsed time alone.
func (p Period) calendar() bool {
	return p.Years|p.Months|p.Weeks|p.Days != 0
}

// timeMilli is the part of p that is elapsed time.
func (p Period) timeMilli() int64 {
	return ((p.Hours*60+p.Minutes)*60+p.Seconds)*1000 + p.Milli
}

// average is the length of p in milliseconds, exact without calendar units.
func (p Period) average() int64 {
	return p.Years*yearMilli + p.Months*monthMilli + (p.Weeks*7+p.Days)*dayMilli + p.timeMilli()
}

// addCalendar adds n times the calendar units of p to clock fields, one unit
// after the other from the largest, as Joda does: a day that a month lacks
// becomes its last one.
func (p Period) addCalendar(clock time.Time, n int64) time.Time {
	clock = addMonths(clock, 12*p.Years*n)
	clock = addMonths(clock, p.Months*n)
	return clock.AddDate(0, 0, int((p.Weeks*7+p.Days)*n))
}

// addMonths clamps where time.AddDate overflows: 31 January and a month is 28 February.
func addMonths(clock time.Time, months int64) time.Time {
	if months == 0 {
		return clock
	}
	year, month, day := clock.Date()
	total := int64(year)*12 + int64(month-1) + months
	year, month = int(total/12), time.Month(total%12+1)
	return time.Date(year, month, min(day, daysIn(year, month)), clock.Hour(), clock.Minute(), clock.Second(), clock.Nanosecond(), time.UTC)
}

func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
