package local_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// operate makes a call of the operator API on the leading master.
func (f *fleet) operate(call string) string {
	f.t.Helper()
	return f.call("POST", f.master+"/api/v1", call, 200)
}

// remembered is what a cluster knows beside its tasks' processes, as operators
// see it, without what may change: times, and the order of lists.
func (f *fleet) remembered() map[string]string {
	f.t.Helper()
	all := map[string]string{}
	for _, kind := range []string{"GET_QUOTA", "GET_WEIGHTS", "GET_MAINTENANCE_SCHEDULE", "GET_MAINTENANCE_STATUS", "GET_OPERATIONS"} {
		all[kind] = f.operate(`{"type":"` + kind + `"}`)
	}
	var agents struct {
		Get struct {
			Agents []struct {
				Info struct {
					ID struct{ Value string }
				} `json:"agent_info"`
				Active      bool
				Deactivated bool
				Drain       json.RawMessage   `json:"drain_info"`
				Total       []json.RawMessage `json:"total_resources"`
			}
		} `json:"get_agents"`
	}
	f.decode(f.operate(`{"type":"GET_AGENTS"}`), &agents)
	for _, a := range agents.Get.Agents {
		all["agent "+a.Info.ID.Value] = fmt.Sprintf("active %v deactivated %v drain %s total %s", a.Active, a.Deactivated, a.Drain, a.Total)
	}
	var tasks struct {
		Get struct {
			Tasks []struct {
				ID        struct{ Value string } `json:"task_id"`
				Framework struct{ Value string } `json:"framework_id"`
				Agent     struct{ Value string } `json:"agent_id"`
				State     string
				Resources []json.RawMessage
			}
		} `json:"get_tasks"`
	}
	f.decode(f.operate(`{"type":"GET_TASKS"}`), &tasks)
	for _, k := range tasks.Get.Tasks {
		all["task "+k.ID.Value] = fmt.Sprintf("%s of %s on %s uses %s", k.State, k.Framework.Value, k.Agent.Value, k.Resources)
	}
	return all
}

func (f *fleet) decode(text string, out any) {
	f.t.Helper()
	if err := json.Unmarshal([]byte(text), out); err != nil {
		f.t.Fatalf("%v in %s", err, text)
	}
}

// TestLeadingMasterIsKilled: the next one knows all that the first knew. Tasks
// do not notice, and jobs run on.
func TestLeadingMasterIsKilled(t *testing.T) {
	f := newFleet(t)
	spare := f.prepare()
	f.call("POST", f.marathon+"/v2/apps", `{"id":"/web","cmd":"exec sleep 1000","cpus":0.1,"mem":16,"instances":3}`, 201)
	f.call("POST", f.chrono+"/v1/scheduler/iso8601", `{"name":"long","command":"exec sleep 1000","schedule":"R1//PT1S","cpus":0.1,"mem":16,"disk":1}`, 204)
	log := filepath.Join(t.TempDir(), "runs")
	tasks := append(ids(f.running("web", 3)), f.onlyRun("long"), "witness")
	w := f.watch("witness")
	f.settled(w)
	f.eventually("the operation has ended", func() error {
		if got := f.operate(`{"type":"GET_OPERATIONS"}`); !strings.Contains(got, "OPERATION_FINISHED") {
			return fmt.Errorf("operations are %s", got)
		}
		return nil
	})
	processes, before, held := f.begun(tasks), f.remembered(), w.offers()

	first := strings.TrimPrefix(f.master, "http://")
	f.end(first, syscall.SIGKILL)
	f.eventually("another master leads", func() error {
		at, err := f.leader()
		if err == nil && at == first {
			err = fmt.Errorf("%s still leads", at)
		}
		return err
	})
	f.whole(3)
	f.settled(w)

	if diff := cmp.Diff(before, f.remembered()); diff != "" {
		t.Errorf("what is known (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(held, w.offers()); diff != "" {
		t.Errorf("offers (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(processes, f.begun(tasks)); diff != "" {
		t.Errorf("processes of tasks (-before +after):\n%s", diff)
	}
	f.onlyRuns(w)
	f.reactivates(spare)
	f.schedules(w, log)
}

// prepare makes what masters must not forget: quota, weights, a schedule, and an
// agent that was drained. It returns that agent's id.
func (f *fleet) prepare() (spare string) {
	f.t.Helper()
	var agents struct {
		Slaves []struct{ ID, Hostname string }
	}
	f.decode(f.call("GET", f.master+"/slaves", "", 200), &agents)
	slices.SortFunc(agents.Slaves, func(a, b struct{ ID, Hostname string }) int { return strings.Compare(a.ID, b.ID) })
	spare = agents.Slaves[1].ID
	f.operate(`{"type":"UPDATE_QUOTA","update_quota":{"quota_configs":[{"role":"web","limits":{"cpus":{"value":2}}}]}}`)
	f.operate(`{"type":"UPDATE_WEIGHTS","update_weights":{"weight_infos":[{"role":"web","weight":2.5}]}}`)
	f.operate(`{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":"` + spare + `"}}}`)
	f.operate(`{"type":"UPDATE_MAINTENANCE_SCHEDULE","update_maintenance_schedule":{"schedule":{"windows":[{
		"machine_ids":[{"hostname":"elsewhere","ip":"10.0.0.7"}],"unavailability":{"start":{"nanoseconds":1893456000000000000}}}]}}}`)
	f.eventually("the agent is drained", func() error {
		if got := f.operate(`{"type":"GET_AGENTS"}`); !strings.Contains(got, "DRAINED") {
			return fmt.Errorf("agents are %s", got)
		}
		return nil
	})
	return spare
}

// reactivates: an agent can be taken back by a master that did not drain it.
func (f *fleet) reactivates(agent string) {
	f.t.Helper()
	f.operate(`{"type":"REACTIVATE_AGENT","reactivate_agent":{"agent_id":{"value":"` + agent + `"}}}`)
	if got := f.operate(`{"type":"GET_AGENTS"}`); strings.Contains(got, "DRAINED") {
		f.t.Errorf("agents after reactivation = %s", got)
	}
}

// schedules: both frameworks start new tasks with the new master.
func (f *fleet) schedules(w *witness, log string) {
	f.t.Helper()
	if err := w.release(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	f.call("POST", f.chrono+"/v1/scheduler/iso8601", fmt.Sprintf(
		`{"name":"tick","command":"echo $CHRONOS_JOB_RUN_TIME >> %s","schedule":"R/%s/PT1S","retries":0,"cpus":0.1,"mem":16,"disk":1}`,
		log, time.Now().Add(time.Second).UTC().Format(time.RFC3339)), 204)
	f.call("PUT", f.marathon+"/v2/apps/web", `{"instances":4}`, 200)
	f.running("web", 4)
	f.eventually("the job runs", func() error { return ran(log, 1) })
}
