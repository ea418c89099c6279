package allocator_test

import (
	"slices"
	"testing"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
)

func TestInverse(t *testing.T) {
	now := time.Unix(1000, 0)
	v := allocator.NewInverse(time.Second)
	all := []mesos.FrameworkID{"f", "g", "h"}
	check := func(when string, at time.Time, again time.Time, want ...mesos.FrameworkID) {
		t.Helper()
		got, next := v.Ask(at, "a", all)
		if !slices.Equal(got, want) || !next.Equal(again) {
			t.Errorf("%s: Ask = %v again %v, want %v again %v", when, got, next, want, again)
		}
	}
	check("at first", now, time.Time{}, all...)
	v.Answered(now, "f", "a", 5*time.Second)
	v.Answered(now, "g", "a", 0)
	v.Answered(now, "g", "other", time.Hour)
	check("after two answers", now, now.Add(time.Second), "h")
	check("when the shorter is over", now.Add(time.Second), now.Add(5*time.Second), "g", "h")
	v.ForgetAnswersOf("f")
	check("when one of them is gone", now, now.Add(time.Second), "f", "h")
	v.ForgetAnswers("a")
	check("when the plan is another one", now, time.Time{}, all...)
}
