package daemon

import (
	"testing"
	"testing/synctest"
	"time"
)

// Dates go on by what has passed, not by what the machine's date says.
func TestClockCountsWhatPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := StartClock()
		before := c.Now()
		time.Sleep(time.Minute)
		after := c.Now()
		if date := after.Round(0).Sub(before.Round(0)); date != time.Minute {
			t.Errorf("dates are %v apart after a minute", date)
		}
		if left := c.Until(after.Round(0).Add(time.Second)); left != time.Second {
			t.Errorf("Until a second ahead = %v", left)
		}
	})
}
