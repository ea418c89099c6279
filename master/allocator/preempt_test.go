package allocator

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/soukproject/souk/proto/mesos/resources"
)

func q(text string) resources.Quantities {
	r, err := resources.Parse(text, "*")
	if err != nil {
		panic(err)
	}
	return r.Quantities()
}

func TestPreempt(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	task := func(id, role, text string, revocable bool, age int) Running {
		return Running{ID: id, Role: role, Resources: q(text), Revocable: revocable, Started: start.Add(-time.Duration(age) * time.Minute)}
	}
	role := func(name, consumed, guarantee, limit string) Role {
		r := Role{Name: name, Weight: 1, Consumed: q(consumed), Quota: Quota{Guarantees: q(guarantee)}}
		if limit != "" {
			r.Quota.Limits = q(limit).Limits()
		}
		return r
	}
	tests := []struct {
		name  string
		owed  string
		roles []Role
		tasks []Running
		want  []string
	}{
		{
			name: "loans, then limits, then shares", owed: "cpus:6",
			roles: []Role{role("owed", "", "cpus:6", ""), role("limited", "cpus:4", "", "cpus:2"), role("large", "cpus:90", "", "")},
			tasks: []Running{task("s", "large", "cpus:2", false, 1), task("l", "limited/x", "cpus:2", false, 9), task("r", "large", "cpus:2", true, 50)},
			want:  []string{"r on_loan", "l over_limit", "s over_share"},
		},
		{
			name: "the youngest of a branch first", owed: "cpus:2",
			roles: []Role{role("owed", "", "cpus:2", ""), role("large", "cpus:90", "", "")},
			tasks: []Running{task("old", "large", "cpus:2", false, 9), task("new", "large", "cpus:2", false, 1)},
			want:  []string{"new over_share"},
		},
		{
			name: "guarantees of others are not touched", owed: "cpus:2",
			roles: []Role{role("owed", "", "cpus:2", ""), role("safe", "cpus:90", "cpus:89", "")},
			tasks: []Running{task("a", "safe", "cpus:2", false, 1)},
		},
		{
			name: "nobody is asked in vain", owed: "cpus:4",
			roles: []Role{role("owed", "", "cpus:4", ""), role("large", "cpus:90", "", "")},
			tasks: []Running{task("a", "large", "cpus:2", false, 1)},
		},
		{
			name: "those who are below their share stay", owed: "cpus:2",
			roles: []Role{role("owed", "", "cpus:2", ""), role("small", "cpus:20", "", ""), role("large", "cpus:70", "", "")},
			tasks: []Running{task("s", "small", "cpus:2", false, 1), task("l", "large", "cpus:2", false, 9)},
			want:  []string{"l over_share"},
		},
		{
			name: "what is not owed is not asked for", owed: "cpus:2",
			roles: []Role{role("owed", "", "cpus:2", ""), role("large", "cpus:90;mem:90", "", "")},
			tasks: []Running{task("m", "large", "mem:2", false, 1), task("c", "large", "cpus:2", false, 9)},
			want:  []string{"c over_share"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, x := range Preempt(Debt{"owed", q(tt.owed)}, tt.roles, tt.tasks, q("cpus:100;mem:100")) {
				got = append(got, x.Task+" "+x.Cause.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Preempt differs (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPreemptIsEnoughAndSparesGuarantees checks what proposals promise on random clusters.
func TestPreemptIsEnoughAndSparesGuarantees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := func(most int) resources.Quantities {
			return q(fmt.Sprintf("cpus:%d", 1+rapid.IntRange(0, most).Draw(t, "cpus")))
		}
		owed := Debt{"owed", amount(20)}
		roles := []Role{{Name: "owed", Weight: 1, Quota: Quota{Guarantees: owed.Owed}}}
		var tasks []Running
		byID := map[string]Running{}
		for _, name := range []string{"a", "b", "c"} {
			r := Role{Name: name, Weight: float64(rapid.IntRange(1, 3).Draw(t, "weight")), Quota: Quota{Guarantees: amount(10)}}
			for i := range rapid.IntRange(0, 12).Draw(t, "tasks") {
				x := Running{ID: fmt.Sprint(name, i), Role: name, Resources: amount(3), Revocable: rapid.Bool().Draw(t, "revocable")}
				if !x.Revocable {
					r.Consumed = r.Consumed.Add(x.Resources)
				}
				tasks, byID[x.ID] = append(tasks, x), x
			}
			roles = append(roles, r)
		}
		list := Preempt(owed, roles, tasks, q("cpus:60"))
		var freed resources.Quantities
		for i, x := range list {
			task := byID[x.Task]
			if freed.Contains(owed.Owed) {
				t.Fatalf("proposal %d of %v is not needed", i, list)
			}
			freed = freed.Add(task.Resources)
			for j := range roles {
				if r := &roles[j]; r.Name == task.Role && !task.Revocable {
					kept := r.Consumed.Contains(r.Quota.Guarantees)
					r.Consumed = r.Consumed.Sub(task.Resources)
					if kept && !r.Consumed.Contains(r.Quota.Guarantees) {
						t.Fatalf("%v brings %s below its guarantee", x, r.Name)
					}
				}
			}
		}
		if len(list) > 0 && !freed.Contains(owed.Owed) {
			t.Fatalf("%v frees %s of %s", list, freed, owed.Owed)
		}
	})
}

func TestParseOffering(t *testing.T) {
	for _, text := range []string{"coarse", "spread", "pack"} {
		if o, err := ParseOffering(text); err != nil || o.String() != text {
			t.Errorf("ParseOffering(%q) = %v, %v", text, o, err)
		}
	}
	if _, err := ParseOffering("fine"); err == nil {
		t.Error("ParseOffering(fine) accepts it")
	}
}
