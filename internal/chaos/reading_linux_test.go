package chaos

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/soukproject/souk/internal/chaos/checker"
)

// An observer remembers the ends of tasks and the runs of jobs that somebody has
// told of: agents, masters and Chronos forget the oldest.
type observer struct {
	c *cluster

	mu    sync.Mutex
	ended map[string]bool
	runs  map[string]map[string]checker.Run // of each job, by task
}

func newObserver(c *cluster) *observer {
	return &observer{c: c, ended: make(map[string]bool), runs: make(map[string]map[string]checker.Run)}
}

// watch asks all agents again and again until ctx ends, and Chronos sometimes.
// Who cannot answer now will be asked again.
func (o *observer) watch(ctx context.Context) {
	var wg sync.WaitGroup
	for _, m := range o.c.members[Agent] {
		wg.Go(func() {
			for sleep(ctx, time.Second) {
				_ = o.agent(m, make(map[string]string))
			}
		})
	}
	for sleep(ctx, time.Minute) {
		_ = o.chronos(&checker.View{Runs: make(map[string][]checker.Run)})
	}
	wg.Wait()
}

// agents returns the tasks that agents have now, and their states.
func (o *observer) agents() (map[string]string, error) {
	live := make(map[string]string)
	for _, m := range o.c.members[Agent] {
		if err := o.agent(m, live); err != nil {
			return nil, err
		}
	}
	return live, nil
}

// agent adds the tasks that one agent has now to live.
func (o *observer) agent(m *member, live map[string]string) error {
	var state any
	if err := o.c.read(m.url+"/state", &state); err != nil {
		return err
	}
	o.note(state, live)
	return nil
}

// note takes all tasks of an answer of agents or masters.
func (o *observer) note(answer any, live map[string]string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	walk(answer, func(id, state string) {
		if over(state) {
			o.ended[id] = true
		} else {
			live[id] = state
		}
	})
}

func (o *observer) seen() map[string]bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.ended)
}

// walk finds the tasks in an answer, however deep: objects with an id and the
// state of a task.
func walk(v any, found func(id, state string)) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			walk(x, found)
		}
	case map[string]any:
		id, _ := v["id"].(string)
		state, _ := v["state"].(string)
		if id != "" && strings.HasPrefix(state, "TASK_") {
			found(id, state)
			return
		}
		for _, x := range v {
			walk(x, found)
		}
	}
}

// over reports whether a state is the last one of a task.
func over(state string) bool {
	return slices.Contains([]string{"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_LOST", "TASK_ERROR", "TASK_DROPPED", "TASK_GONE", "TASK_GONE_BY_OPERATOR"}, state)
}

// activeAgents are the ids of agents as the leading master has them.
func (c *cluster) activeAgents() ([]string, error) {
	var answer struct {
		Slaves []struct {
			ID     string `json:"id"`
			Active bool   `json:"active"`
		} `json:"slaves"`
	}
	if err := c.get(Master, "/slaves", &answer); err != nil {
		return nil, err
	}
	var ids []string
	for _, s := range answer.Slaves {
		if s.Active {
			ids = append(ids, s.ID)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// view asks everyone.
func (o *observer) view() (checker.View, error) {
	v := checker.View{
		Values: make(map[string]int), Instances: make(map[string][]string), Runs: make(map[string][]checker.Run),
		Master: make(map[string]string), Processes: make(map[string]bool),
	}
	var err error
	for _, read := range []func(*checker.View) error{o.marathon, o.chronos, o.master, o.weights} {
		if err := read(&v); err != nil {
			return v, err
		}
	}
	if v.OnAgents, err = o.agents(); err != nil {
		return v, err
	}
	if v.Active, err = o.c.activeAgents(); err != nil {
		return v, err
	}
	for id := range taskProcesses() {
		v.Processes[id] = true
	}
	return v, nil
}

func (o *observer) marathon(v *checker.View) error {
	var apps struct {
		Apps []struct {
			ID        string `json:"id"`
			Instances int    `json:"instances"`
		} `json:"apps"`
	}
	if err := o.c.get(Marathon, "/v2/apps", &apps); err != nil {
		return err
	}
	for _, a := range apps.Apps {
		v.Values[a.ID] = a.Instances
	}
	var tasks struct {
		Tasks []struct {
			ID  string `json:"id"`
			App string `json:"appId"`
		} `json:"tasks"`
	}
	if err := o.c.get(Marathon, "/v2/tasks", &tasks); err != nil {
		return err
	}
	for _, t := range tasks.Tasks {
		v.Instances[t.App] = append(v.Instances[t.App], t.ID)
	}
	return nil
}

func (o *observer) chronos(v *checker.View) error {
	var jobs []struct {
		Name string `json:"name"`
	}
	if err := o.c.get(Chronos, "/v1/scheduler/jobs", &jobs); err != nil {
		return err
	}
	leading := o.c.leading(Chronos)
	if leading < 0 {
		return errors.New("no Chronos leads")
	}
	for _, j := range jobs {
		var history struct{ Runs []told }
		if err := o.c.read(o.c.members[Chronos][leading].url+"/v1/scheduler/job/"+j.Name+"/history", &history); err != nil {
			return err
		}
		v.Runs[j.Name] = o.remember(j.Name, history.Runs)
	}
	return nil
}

// told is a run as Chronos tells it.
type told struct {
	TaskID  string
	State   string
	Due     time.Time
	Attempt int
}

// remember adds runs to those known of a job, and returns them all. What was
// under way and is not told of any more was launched again under another id.
func (o *observer) remember(job string, runs []told) []checker.Run {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.runs[job] == nil {
		o.runs[job] = make(map[string]checker.Run)
	}
	maps.DeleteFunc(o.runs[job], func(_ string, r checker.Run) bool { return !over(r.State) })
	for _, r := range runs {
		o.runs[job][r.TaskID] = checker.Run{Task: r.TaskID, State: r.State, Due: r.Due.Truncate(time.Second), Attempt: r.Attempt}
		if over(r.State) {
			o.ended[r.TaskID] = true
		}
	}
	list := []checker.Run{}
	for _, id := range sorted(o.runs[job]) {
		list = append(list, o.runs[job][id])
	}
	return list
}

// master takes every task that the master has not done with: also those whose
// end the framework has not acknowledged.
func (o *observer) master(v *checker.View) error {
	var state struct {
		Frameworks []struct {
			Tasks       []any `json:"tasks"`
			Unreachable []any `json:"unreachable_tasks"`
			Completed   []any `json:"completed_tasks"`
		} `json:"frameworks"`
		Completed []any `json:"completed_frameworks"`
		Orphans   []any `json:"orphan_tasks"`
	}
	if err := o.c.get(Master, "/state", &state); err != nil {
		return err
	}
	for _, f := range state.Frameworks {
		for _, list := range [][]any{f.Tasks, f.Unreachable} {
			walk(list, func(id, state string) { v.Master[id] = state })
		}
		o.note(f.Completed, make(map[string]string))
	}
	walk(state.Orphans, func(id, state string) { v.Master[id] = state })
	o.note(state.Completed, v.Master)
	return nil
}

func (o *observer) weights(v *checker.View) error {
	var weights []struct {
		Role   string  `json:"role"`
		Weight float64 `json:"weight"`
	}
	if err := o.c.get(Master, "/weights", &weights); err != nil {
		return err
	}
	for _, w := range weights {
		v.Values[w.Role] = int(w.Weight)
	}
	return nil
}
