package schedule

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Zones finds a time zone by its IANA name. time.LoadLocation is one; a pure
// package is handed it, because it reads files.
type Zones func(name string) (*time.Location, error)

var fixedForm = regexp.MustCompile(`^(?:GMT|UTC|UT)?([+-])(\d{1,2})(?::?(\d{2}))?$`)

// Load finds the zone of a job's scheduleTimeZone: an IANA name, one of Java's
// old three-letter names (BST is Dhaka), or an offset such as GMT-05:00. The
// empty name is no zone: nil. Chronos took an unknown name for GMT in silence.
func (z Zones) Load(id string) (*time.Location, error) {
	switch {
	case id == "":
		return nil, nil
	case id == "Local" || len(id) > 64 || strings.Contains(id, ".."):
		return nil, fmt.Errorf("time zone %.64q: not an IANA name such as Europe/Paris", id)
	case id == "Z":
		return time.UTC, nil
	}
	if m := fixedForm.FindStringSubmatch(id); m != nil {
		return fixedZone(id, m[1], number(m[2]), number(m[3]))
	}
	if hours, fixed := fixedID(id); fixed {
		return time.FixedZone(id, hours*3600), nil
	}
	name := id
	if full := javaID(id); full != "" {
		name = full
	}
	loc, err := z(name)
	if err != nil {
		return nil, fmt.Errorf("time zone %.64q: not an IANA name such as Europe/Paris", id)
	}
	return loc, nil
}

func fixedZone(id, sign string, hours, minutes int64) (*time.Location, error) {
	if hours > 18 || minutes > 59 {
		return nil, fmt.Errorf("time zone %.64q: offset out of range", id)
	}
	seconds := int(hours*3600 + minutes*60)
	if sign == "-" {
		seconds = -seconds
	}
	return time.FixedZone("", seconds), nil
}

// fixedID knows the three-letter names that Java reads as an offset without daylight saving.
func fixedID(id string) (hours int, ok bool) {
	switch id {
	case "EST":
		return -5, true
	case "MST":
		return -7, true
	case "HST":
		return -10, true
	}
	return 0, false
}

// javaID expands java.time.ZoneId.SHORT_IDS, "" if id is not among them.
func javaID(id string) string {
	switch id {
	case "ACT":
		return "Australia/Darwin"
	case "AET":
		return "Australia/Sydney"
	case "AGT":
		return "America/Argentina/Buenos_Aires"
	case "ART":
		return "Africa/Cairo"
	case "AST":
		return "America/Anchorage"
	case "BET":
		return "America/Sao_Paulo"
	case "BST":
		return "Asia/Dhaka"
	case "CAT":
		return "Africa/Harare"
	case "CNT":
		return "America/St_Johns"
	case "CST":
		return "America/Chicago"
	case "CTT":
		return "Asia/Shanghai"
	case "EAT":
		return "Africa/Addis_Ababa"
	case "ECT":
		return "Europe/Paris"
	case "IET":
		return "America/Indiana/Indianapolis"
	case "IST":
		return "Asia/Kolkata"
	case "JST":
		return "Asia/Tokyo"
	case "MIT":
		return "Pacific/Apia"
	case "NET":
		return "Asia/Yerevan"
	case "NST":
		return "Pacific/Auckland"
	case "PLT":
		return "Asia/Karachi"
	case "PNT":
		return "America/Phoenix"
	case "PRT":
		return "America/Puerto_Rico"
	case "PST":
		return "America/Los_Angeles"
	case "SST":
		return "Pacific/Guadalcanal"
	case "VST":
		return "Asia/Ho_Chi_Minh"
	}
	return ""
}

// resolve finds the instant at which a clock in zone shows the fields of clock
// (given as if in UTC). Of two such instants it takes the one with the offset
// preferred (seconds), else the earlier. Fields that daylight saving skips
// mean the instant they would have been without it: 02:30 becomes 03:30.
func resolve(clock time.Time, zone *time.Location, preferred int) time.Time {
	before := offsetAt(clock.Add(-24*time.Hour), zone)
	after := offsetAt(clock.Add(24*time.Hour), zone)
	for _, offset := range []int{preferred, before, after} {
		at := clock.Add(-time.Duration(offset) * time.Second)
		if offsetAt(at, zone) == offset {
			return at.In(zone)
		}
	}
	return clock.Add(-time.Duration(before) * time.Second).In(zone)
}

func offsetAt(at time.Time, zone *time.Location) int {
	_, offset := at.In(zone).Zone()
	return offset
}

// clockOf is what a clock at t's place shows, as if in UTC.
func clockOf(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}
