package core

import (
	"strings"
	"testing"

	linkpb "github.com/soukproject/souk/proto/mesos/link"
)

// TestReconciliation asks for one task in every case of mesos-api 12.1, by
// frameworks that know of partitions and such that do not. The first row of the
// reference that fits counts.
func TestReconciliation(t *testing.T) {
	const (
		begin = "elect\nagent a1\nagent a2\nsubscribe f CAPS checkpoint timeout=10000\ntick 1ms\naccept f offers=O0 on=S0 launch=t1|cpus:1 refuse=1000\ndecline f O1\n"
		runs  = begin + "update a1 f t1 RUNNING uuid=1\n"
		lost  = runs + "disconnect a1\ntick 10m\n"
		// Two agents of a former leader, of which the second is back.
		recovers = "agent a1 id=M-S0\nagent a2 id=M-S1\nmaster N\nsubscribe f id=M-0000 CAPS checkpoint timeout=10000\nelect agent=a1 agent=a2 gone=M-S7\n" +
			"subscribe f id=M-0000 CAPS checkpoint timeout=10000\nagent a2 task=f/t2|cpus:1|RUNNING|RUNNING\n"
	)
	tests := []struct {
		name, script, task string
		aware, other       string // state and message, "" for no answer
	}{
		{"active", runs, "t1@S0", "TASK_RUNNING Latest task state", "TASK_RUNNING Latest task state"},
		{"active, no agent named", runs, "t1", "TASK_RUNNING Latest task state", "TASK_RUNNING Latest task state"},
		{"active, another agent named", runs, "t1@S1", "TASK_RUNNING Latest task state", "TASK_RUNNING Latest task state"},
		{"active, not yet told of", begin, "t1@S0", "TASK_STAGING Latest task state", "TASK_STAGING Latest task state"},
		{"active, agent disconnected", runs + "disconnect a1\n", "t1@S0", "TASK_RUNNING Latest task state", "TASK_RUNNING Latest task state"},
		{"agent not back", recovers, "t1@M-S0", "", ""},
		{"no agent named while one is not back", recovers, "t1", "", ""},
		{"active while another agent is not back", recovers, "t2", "TASK_RUNNING Latest task state", "TASK_RUNNING Latest task state"},
		{"unknown to an agent that is back", recovers, "t1@M-S1", "TASK_GONE Task is unknown to the agent", "TASK_LOST Task is unknown to the agent"},
		{"gone before this leader", recovers, "t1@M-S7", "TASK_GONE_BY_OPERATOR Task is gone", "TASK_LOST Task is gone"},
		{"agent never seen while one is not back", recovers, "t1@nobody", "TASK_UNKNOWN Task is unknown", "TASK_LOST Task is unknown"},
		{"agent registered", runs, "tx@S0", "TASK_GONE Task is unknown to the agent", "TASK_LOST Task is unknown to the agent"},
		{"ended and acknowledged", runs + "update a1 f t1 FINISHED uuid=2\nack f t1 on=S0 uuid=2\n", "t1@S0",
			"TASK_GONE Task is unknown to the agent", "TASK_LOST Task is unknown to the agent"},
		{"ended, not acknowledged", runs + "update a1 f t1 FINISHED uuid=2\n", "t1@S0", "TASK_FINISHED Latest task state", "TASK_FINISHED Latest task state"},
		{"agent unreachable", lost, "t1@S0", "TASK_UNREACHABLE Task is unreachable +unreachable_time", "TASK_LOST Task is unreachable +unreachable_time"},
		{"agent unreachable, task never seen", lost, "tx@S0", "TASK_UNREACHABLE Task is unreachable +unreachable_time", "TASK_LOST Task is unreachable +unreachable_time"},
		{"agent unreachable, none named", lost, "t1", "TASK_UNKNOWN Task is unknown", "TASK_LOST Task is unknown"},
		{"agent gone", runs + "operate MARK_AGENT_GONE {\"mark_agent_gone\":{\"agent_id\":{\"value\":\"M-S0\"}}}\n", "t1@S0",
			"TASK_GONE_BY_OPERATOR Task is gone", "TASK_LOST Task is gone"},
		{"none named", runs, "tx", "TASK_UNKNOWN Task is unknown", "TASK_LOST Task is unknown"},
		{"agent never seen", runs, "t1x@S9", "TASK_UNKNOWN Task is unknown", "TASK_LOST Task is unknown"},
	}
	for _, tt := range tests {
		for caps, want := range map[string]string{"roles=web caps=PARTITION_AWARE": tt.aware, "role=web": tt.other} {
			t.Run(tt.name+" "+caps, func(t *testing.T) {
				s := newScenario()
				s.play(t, strings.ReplaceAll(tt.script, "CAPS", caps))
				got := answer(s.play(t, "reconcile f "+tt.task))
				if got != want {
					t.Errorf("answer for %s = %q, want %q", tt.task, got, want)
				}
			})
		}
	}
}

// answer is the state and message of the update in an output, "" without one.
func answer(output string) string {
	_, text, found := strings.Cut(output, "f <- UPDATE ")
	if !found {
		return output
	}
	words := strings.Fields(text)
	_, message, _ := strings.Cut(text, `REASON_RECONCILIATION "Reconciliation: `)
	return words[1] + " " + strings.Replace(message, `"`, "", 1)
}

// brought is what an agent with a task of each framework subscribes with.
func (s *scenario) brought(t *testing.T, frameworks ...string) *linkpb.Subscribe {
	x := &traceAgent{sub: &linkpb.Subscribe{}}
	for _, f := range frameworks {
		s.bring(t, x, f+"/t1|cpus:1|RUNNING|RUNNING")
	}
	return x.sub
}

// TestStraysAreBounded: agents cannot make a master know any number of
// frameworks. One that brings too many is to come again; nothing of it ends.
func TestStraysAreBounded(t *testing.T) {
	s := newScenario()
	s.play(t, "subscribe f1 id=M-0001 role=web checkpoint timeout=60\nsubscribe f2 id=M-0002 role=web checkpoint timeout=60\nelect\n")
	s.m.strays += maxStrays - 1
	if got := s.m.tooManyStrays(s.brought(t, "f1", "f2")); !strings.Contains(got, "it brings 2 frameworks without a scheduler, to 9999 that wait for theirs; at most 10000 may") {
		t.Errorf("tooManyStrays() = %q", got)
	}
	if got := s.m.tooManyStrays(s.brought(t, "f1")); got != "" {
		t.Errorf("tooManyStrays() = %q, want room for one", got)
	}
	s.m.strays = 0
	s.play(t, "agent a1 id=M-S0 task=f1/t1|cpus:1|RUNNING|RUNNING\nsubscribe f1 id=M-0001 role=web checkpoint timeout=60\n")
	if s.m.strays != 0 {
		t.Errorf("%d strays are counted after the scheduler came", s.m.strays)
	}
}
