package spec

import (
	"fmt"
	"strconv"
	"time"
)

// A Timestamp is a moment in milliseconds since 1970. It names versions, in
// URLs and as a string that clients compare, so its text always has three
// digits of milliseconds. The zero value means unset.
type Timestamp int64

const timestampLayout = "2006-01-02T15:04:05.000Z"

// TimestampOf rounds t down to the millisecond.
func TimestampOf(t time.Time) Timestamp { return Timestamp(t.UnixMilli()) }

// ParseTimestamp reads any RFC 3339 moment.
func ParseTimestamp(s string) (Timestamp, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, fmt.Errorf("version %q is not a timestamp such as %s", s, timestampLayout)
	}
	return TimestampOf(t), nil
}

// Time is the moment itself, in UTC.
func (t Timestamp) Time() time.Time { return time.UnixMilli(int64(t)).UTC() }

func (t Timestamp) String() string { return t.Time().Format(timestampLayout) }

// MarshalJSON writes the moment as a string.
func (t Timestamp) MarshalJSON() ([]byte, error) { return []byte(strconv.Quote(t.String())), nil }

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *Timestamp) UnmarshalJSON(b []byte) error {
	s, err := strconv.Unquote(string(b))
	if err != nil {
		return fmt.Errorf("timestamp %s is not a string", b)
	}
	*t, err = ParseTimestamp(s)
	return err
}
