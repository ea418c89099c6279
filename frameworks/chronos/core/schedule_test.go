package core

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

func TestRunOnceNow(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:06:07Z")
	w.connect()
	w.put(`{'name':'once','command':'true','schedule':'R1//P1D'}`)
	if got := w.job("once").State; got != "queued" {
		t.Errorf("state = %q, want queued", got)
	}
	id := w.launched()
	if want := mesos.TaskID(fmt.Sprintf("ct:%d:0:once:", w.now.Add(-time.Second).UnixMilli())); id != want {
		t.Errorf("task id = %s, want %s", id, want)
	}
	if got, want := w.job("once").Schedule, "R0/2026-03-05T05:06:06.000Z/P1D"; got != want {
		t.Errorf("schedule after launch = %s, want %s", got, want)
	}
	w.run(id, finished)
	job := w.job("once")
	if !job.Disabled || job.SuccessCount != 1 || job.Outcome() != "success" || job.State != "idle" {
		t.Errorf("job = disabled %v, successes %d, %s, %s; want disabled, 1, success, idle", job.Disabled, job.SuccessCount, job.Outcome(), job.State)
	}
	w.pass(48 * time.Hour)
	w.idle()
	runs := w.c.Runs("once")
	if len(runs) != 1 || runs[0].State != "TASK_FINISHED" || !runs[0].Successful || runs[0].Host != "host1" || runs[0].Started.IsZero() {
		t.Errorf("Runs = %+v, want one finished run with its host and times", runs)
	}
	want := []string{
		"reconcile", "suppress", "revive", "launch " + string(id), "suppress",
		"notice job 'once' disabled", "decline",
	}
	if diff := cmp.Diff(want, w.heard()); diff != "" {
		t.Errorf("said differs (-want +got):\n%s", diff)
	}
}

func TestMissedOccurrencesCollapseIntoOneRun(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:06:07Z")
	w.connect()
	w.put(`{'name':'job1','command':'CMD','schedule':'R5/2012-01-01T00:00:00.000Z/P1D'}`)
	id := w.launched()
	if want := mesos.TaskID(fmt.Sprintf("ct:%d:0:job1:", clock(t, "2026-03-04T00:00:00Z").UnixMilli())); id != want {
		t.Errorf("task id = %s, want %s: the latest occurrence", id, want)
	}
	if got, want := w.job("job1").Schedule, "R4/2026-03-05T00:00:00.000Z/P1D"; got != want {
		t.Errorf("schedule = %s, want %s", got, want)
	}
	w.run(id, finished)
	w.idle()
}

func TestHourlyJobRunsOnTheHour(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:30:00Z")
	w.connect()
	w.put(`{'name':'hourly','command':'CMD','schedule':'R3/2026-03-04T06:00:00Z/PT1H'}`)
	var got []string
	for range 5 {
		w.pass(time.Hour)
		before := len(w.tasks)
		w.offer()
		for _, task := range w.tasks[before:] {
			got = append(got, task.GetTaskId().GetValue())
			w.run(mesos.TaskID(task.GetTaskId().GetValue()), finished)
		}
	}
	var want []string
	for _, at := range []string{"2026-03-04T06:00:00Z", "2026-03-04T07:00:00Z", "2026-03-04T08:00:00Z"} {
		want = append(want, fmt.Sprintf("ct:%d:0:hourly:", clock(t, at).UnixMilli()))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("launched tasks differ (-want +got):\n%s", diff)
	}
	if job := w.job("hourly"); !job.Disabled || !strings.HasPrefix(job.Schedule, "R0/") {
		t.Errorf("job = %s, disabled %v; want R0 and disabled", job.Schedule, job.Disabled)
	}
}

func TestRunsDoNotOverlapUnlessConcurrent(t *testing.T) {
	for _, concurrent := range []bool{false, true} {
		t.Run(fmt.Sprintf("concurrent=%v", concurrent), func(t *testing.T) {
			w := newWorld(t, "2026-03-04T05:30:00Z")
			w.connect()
			w.put(fmt.Sprintf(`{'name':'slow','command':'CMD','schedule':'R/2026-03-04T06:00:00Z/PT1H','concurrent':%v}`, concurrent))
			w.pass(31 * time.Minute)
			first := w.launched()
			w.report(first, running)
			w.pass(time.Hour)
			if !concurrent {
				w.idle()
				w.report(first, finished)
			}
			second := w.launched()
			w.report(second, running)
			if got, want := w.job("slow").State, map[bool]string{false: "1 running", true: "2 running"}[concurrent]; got != want {
				t.Errorf("state = %q, want %q", got, want)
			}
		})
	}
}

func TestEpsilon(t *testing.T) {
	tests := []struct{ name, job, launches, schedule string }{
		{"too late is skipped", `{'name':'j','command':'C','epsilon':'PT30M','schedule':'R/2026-03-04T00:00:00Z/P1D'}`, "", "R/2026-03-05T00:00:00.000Z/P1D"},
		{"a skipped run counts", `{'name':'j','command':'C','epsilon':'PT30M','schedule':'R3/2026-03-04T00:00:00Z/P1D'}`, "", "R2/2026-03-05T00:00:00.000Z/P1D"},
		{"the only run is lost", `{'name':'j','command':'C','epsilon':'PT30M','schedule':'R1/2012-01-01T00:00:00Z/P1D'}`, "", "R0/2026-03-05T00:00:00.000Z/P1D"},
		{"in time", `{'name':'j','command':'C','epsilon':'PT6H','schedule':'R/2026-03-04T00:00:00Z/P1D'}`, "ct:1772582400000:0:j:", "R/2026-03-05T00:00:00.000Z/P1D"},
		{"without it any lateness will do", `{'name':'j','command':'C','schedule':'R1/2012-01-01T00:00:00Z/P1D'}`, "ct:1772582400000:0:j:", "R0/2026-03-05T00:00:00.000Z/P1D"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, "2026-03-04T05:06:07Z")
			w.connect()
			w.put(tt.job)
			w.offer()
			launches := ""
			if len(w.tasks) > 0 {
				launches = w.tasks[0].GetTaskId().GetValue()
			}
			if launches != tt.launches || w.job("j").Schedule != tt.schedule {
				t.Errorf("launched %q and left %s, want %q and %s", launches, w.job("j").Schedule, tt.launches, tt.schedule)
			}
		})
	}
}

func TestEpsilonCountsTheWaitForOffers(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:00:00Z")
	w.connect()
	w.put(`{'name':'j','command':'C','epsilon':'PT10M','schedule':'R/2026-03-04T06:00:00Z/PT1H'}`)
	w.pass(75 * time.Minute)
	if got := w.job("j").State; got != "queued" {
		t.Fatalf("state = %q, want queued", got)
	}
	w.idle()
	if got, want := w.job("j").Schedule, "R/2026-03-04T07:00:00.000Z/PT1H"; got != want {
		t.Errorf("schedule = %s, want %s", got, want)
	}
}

func TestDaylightSaving(t *testing.T) {
	w := newWorld(t, "2026-03-27T12:00:00Z")
	w.connect()
	w.put(`{'name':'paris','command':'C','schedule':'R/2026-03-28T02:30:00Z/P1D','scheduleTimeZone':'Europe/Paris'}`)
	var got []string
	for range 3 {
		w.pass(24 * time.Hour)
		id := w.launched()
		var ms int64
		if _, err := fmt.Sscanf(string(id), "ct:%d:", &ms); err != nil {
			t.Fatal(err)
		}
		got = append(got, time.UnixMilli(ms).UTC().Format(time.RFC3339))
		w.run(id, finished)
		w.restart() // the zone must be applied to what was stored
		w.connect()
	}
	want := []string{"2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("runs differ (-want +got):\n%s", diff)
	}
}

func TestClockJumps(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:30:00Z")
	w.connect()
	w.put(`{'name':'hourly','command':'C','schedule':'R/2026-03-04T06:00:00Z/PT1H'}`)
	w.now = w.now.Add(365 * 24 * time.Hour)
	w.step(Tick{})
	id := w.launched()
	w.run(id, finished)
	w.idle()
	if got, want := w.job("hourly").Schedule, "R/2027-03-04T06:00:00.000Z/PT1H"; got != want {
		t.Errorf("schedule after the jump = %s, want %s", got, want)
	}
	w.now = w.now.Add(-365 * 24 * time.Hour)
	w.step(Tick{})
	w.idle()
	w.pass(24 * time.Hour)
	w.idle()
	if err := w.call(Run{Job: "hourly"}); err != nil {
		t.Fatal(err)
	}
	w.run(w.launched(), finished)
}

func TestAJobWithoutPauseLeavesRoomForOthers(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:30:00Z")
	w.connect()
	w.put(`{'name':'busy','command':'C','schedule':'R//P'}`, `{'name':'other','command':'C','schedule':'R1//P1D'}`)
	w.offer()
	if len(w.tasks) != 2 {
		t.Fatalf("launched %d tasks, want both jobs'", len(w.tasks))
	}
	w.run(mesos.TaskID(w.tasks[0].GetTaskId().GetValue()), finished)
	w.pass(time.Second)
	w.run(w.launched(), finished)
}

func TestManualRun(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:30:00Z")
	w.connect()
	w.put(`{'name':'j','command':'echo','schedule':'R2/2027-01-01T00:00:00Z/P1D','arguments':['own']}`)
	if err := w.call(Run{Job: "j", Arguments: "a;b /c", Given: true}); err != nil {
		t.Fatal(err)
	}
	if err := w.call(Run{Job: "j"}); err != nil {
		t.Fatal(err) // dropped: the job is queued already
	}
	id := w.launched()
	if want := mesos.TaskID(fmt.Sprintf("ct:%d:0:j:ab _c", w.now.UnixMilli())); id != want {
		t.Errorf("task id = %q, want %q", id, want)
	}
	if got, want := w.tasks[0].GetCommand().GetValue(), "echo a;b /c"; got != want {
		t.Errorf("command = %q, want %q", got, want)
	}
	w.run(id, finished)
	w.idle()
	if got, want := w.job("j").Schedule, "R2/2027-01-01T00:00:00Z/P1D"; got != want {
		t.Errorf("schedule = %s, want %s: a manual run is none of the two", got, want)
	}
	if err := w.call(Run{Job: "nobody"}); err != ErrUnknownJob {
		t.Errorf("Run(nobody) = %v, want ErrUnknownJob", err)
	}
}

func TestDisabledJobIsNeverLaunched(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:30:00Z")
	w.connect()
	w.put(`{'name':'j','command':'C','disabled':true,'schedule':'R/2012-01-01T00:00:00.000Z/P1D'}`)
	w.pass(48 * time.Hour)
	w.idle()
	if err := w.call(Run{Job: "j"}); err != nil {
		t.Fatal(err)
	}
	w.idle() // dropped when its turn comes
	if got := w.job("j").State; got != "idle" {
		t.Errorf("state = %q, want idle", got)
	}
	w.put(`{'name':'j','command':'C','schedule':'R/2012-01-01T00:00:00.000Z/P1D'}`)
	w.run(w.launched(), finished)
}

func TestHighPriorityGoesFirst(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:30:00Z")
	w.connect()
	w.put(`{'name':'a','command':'C','cpus':4,'schedule':'R1//P1D'}`,
		`{'name':'b','command':'C','cpus':4,'highPriority':true,'schedule':'R1//P1D'}`)
	if id := w.launched(); !strings.Contains(string(id), ":b:") {
		t.Errorf("launched %s first, want job b", id)
	}
	w.launched()
}

func TestAnUnplaceableJobDelaysNobody(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:30:00Z")
	w.connect()
	w.put(`{'name':'huge','command':'C','cpus':400,'schedule':'R1//P1D'}`, `{'name':'small','command':'C','schedule':'R1//P1D'}`)
	if id := w.launched(); !strings.Contains(string(id), ":small:") {
		t.Errorf("launched %s, want job small", id)
	}
	if got := w.job("huge").State; got != "queued" {
		t.Errorf("state of huge = %q, want queued", got)
	}
}

func TestReservedResourcesAreUsedFirst(t *testing.T) {
	w := newWorld(t, "2026-03-04T05:30:00Z")
	w.connect()
	w.put(`{'name':'j','command':'C','cpus':2,'schedule':'R1//P1D'}`)
	reserved := scalar("cpus", 1.5)
	reserved.Reservations = []*mesospb.Resource_ReservationInfo{{Type: mesospb.Resource_ReservationInfo_STATIC.Enum(), Role: new("jobs")}}
	o := anOffer("o", 1, 4096, 8192)
	o.Resources = append(o.Resources, reserved)
	w.step(Offers{Offers: []*mesospb.Offer{o}})
	if len(w.tasks) != 1 {
		t.Fatalf("launched %d tasks, want 1", len(w.tasks))
	}
	got := map[bool]float64{}
	for _, r := range w.tasks[0].Resources {
		if r.GetName() == "cpus" {
			got[len(r.GetReservations()) > 0] += r.GetScalar().GetValue()
		}
	}
	if diff := cmp.Diff(map[bool]float64{true: 1.5, false: 0.5}, got); diff != "" {
		t.Errorf("cpus by reserved differ (-want +got):\n%s", diff)
	}
}
