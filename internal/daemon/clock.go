package daemon

import (
	"context"
	"time"
)

// A Clock tells time that neither jumps nor goes back when somebody sets the
// machine's clock: it begins with the machine's time and then counts what has
// passed. Timeouts by it are not due all at once because the date was corrected.
// While the machine sleeps it may stand still.
type Clock struct{ start time.Time }

// StartClock starts a clock at the machine's time.
func StartClock() Clock { return Clock{time.Now()} }

// Now is the time of the clock, also in what of it is stored or compared by date.
func (c Clock) Now() time.Time { return c.start.Add(time.Since(c.start)) }

// Until is how long it is until t by the clock; negative if t has passed.
func (c Clock) Until(t time.Time) time.Duration { return t.Sub(c.Now()) }

// Sleep waits, and returns ctx's error if that ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
