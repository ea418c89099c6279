package core

import (
	"math"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
)

// TestGraceOfDrains: the shorter of the task's own and the operator's (mesos-api 22.2).
func TestGraceOfDrains(t *testing.T) {
	second := func(n int64) *int64 { return new(n * int64(time.Second)) }
	for _, test := range []struct {
		name            string
		own, most, want *int64 // nanoseconds; nil: none is given
	}{
		{"none", nil, nil, nil},
		{"the task's", second(5), nil, nil},
		{"the operator's", nil, second(7), second(7)},
		{"the shorter one is the task's", second(5), second(7), second(5)},
		{"the shorter one is the operator's", second(9), second(7), second(7)},
		{"none at all", second(9), second(0), second(0)},
		{"less than none", second(9), second(-3), second(0)},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScenario()
			s.step(Elected{})
			s.agent(t, parseArgs("a1"))
			s.subscribe(t, parseArgs("f1 roles=web"))
			f, a := s.m.order[0], s.m.agents["M-S0"]
			info := &mesospb.TaskInfo{TaskId: taskID("t")}
			if test.own != nil {
				info.KillPolicy = &mesospb.KillPolicy{GracePeriod: &mesospb.DurationInfo{Nanoseconds: test.own}}
			}
			row := s.m.addTask(f, a, info, nil, mesospb.TaskState_TASK_RUNNING)
			a.drain = &mesospb.DrainInfo{Config: &mesospb.DrainConfig{}}
			if test.most != nil {
				a.drain.Config.MaxGracePeriod = &mesospb.DurationInfo{Nanoseconds: test.most}
			}
			got := s.m.drainPolicy(a, row)
			if (got == nil) != (test.want == nil) || got != nil && got.GetGracePeriod().GetNanoseconds() != *test.want {
				t.Errorf("policy = %v, want a grace of %v", got, test.want)
			}
		})
	}
}

// TestGraceIsANumber: no duration that fits the call is read as another one.
func TestGraceIsANumber(t *testing.T) {
	for _, test := range []struct {
		seconds int64
		nanos   int32
		want    func(int64) bool
	}{
		{2, 5, func(ns int64) bool { return ns == 2_000_000_005 }},
		{-2, 0, func(ns int64) bool { return ns == -2_000_000_000 }},
		{math.MaxInt64, math.MaxInt32, func(ns int64) bool { return ns > math.MaxInt64/2 }},
		{math.MinInt64, math.MinInt32, func(ns int64) bool { return ns < math.MinInt64/2 }},
	} {
		c := drainConfig(&masterpb.Call_DrainAgent{MaxGracePeriod: &durationpb.Duration{Seconds: test.seconds, Nanos: test.nanos}})
		if ns := c.GetMaxGracePeriod().GetNanoseconds(); !test.want(ns) {
			t.Errorf("%d seconds and %d nanoseconds are %d", test.seconds, test.nanos, ns)
		}
	}
}
