package api

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// What an answer may show beside the definition (parameter embed).
const (
	embedCounts      = "counts"
	embedTasks       = "tasks"
	embedDeployments = "deployments"
	embedReadiness   = "readiness"
	embedFailure     = "lastTaskFailure"
	embedFailures    = "failures" // deprecated: tasks, last failure, deployments
	embedStats       = "taskStats"
)

// embed is the set of what to show.
type embed map[string]bool

// embedOf adds the request's values to the defaults. group.apps.x, apps.x,
// app.x and x are the same; unknown values are ignored.
func embedOf(r *http.Request, defaults ...string) embed {
	e := embed{}
	for _, v := range defaults {
		e[v] = true
	}
	for _, v := range r.URL.Query()["embed"] {
		v = strings.TrimPrefix(v, "group.")
		v = strings.TrimPrefix(strings.TrimPrefix(v, "apps."), "app.")
		e[v] = true
		if v == embedTasks || v == embedFailures {
			e[embedTasks], e[embedDeployments] = true, true
		}
		if v == embedFailures {
			e[embedFailure] = true
		}
	}
	return e
}

// appJSON is an app with what is embedded.
type appJSON struct {
	*spec.App
	TasksStaged           *int              `json:"tasksStaged,omitempty"`
	TasksRunning          *int              `json:"tasksRunning,omitempty"`
	TasksHealthy          *int              `json:"tasksHealthy,omitempty"`
	TasksUnhealthy        *int              `json:"tasksUnhealthy,omitempty"`
	Deployments           *[]core.Ref       `json:"deployments,omitempty"`
	Tasks                 *[]core.Task      `json:"tasks,omitempty"`
	ReadinessCheckResults *[]core.Ref       `json:"readinessCheckResults,omitempty"`
	LastTaskFailure       *core.TaskFailure `json:"lastTaskFailure,omitempty"`
	// Marathon writes tasksStats; the Go client reads taskStats.
	TasksStats *tasksStats `json:"tasksStats,omitempty"`
	TaskStats  *tasksStats `json:"taskStats,omitempty"`
}

func (e embed) app(a core.AppInfo) appJSON {
	out := appJSON{App: a.App}
	if e[embedCounts] {
		n := a.Counts
		out.TasksStaged, out.TasksRunning, out.TasksHealthy, out.TasksUnhealthy = &n.Staged, &n.Running, &n.Healthy, &n.Unhealthy
	}
	if e[embedDeployments] {
		out.Deployments = &a.Deployments
	}
	if e[embedTasks] {
		tasks := a.Tasks
		if tasks == nil {
			tasks = []core.Task{}
		}
		out.Tasks = &tasks
	}
	if e[embedReadiness] {
		out.ReadinessCheckResults = &[]core.Ref{}
	}
	if e[embedFailure] {
		out.LastTaskFailure = a.LastTaskFailure
	}
	if e[embedStats] {
		out.TasksStats = statsOf(a, time.Now())
		out.TaskStats = out.TasksStats
	}
	return out
}

// tasksStats are tasks counted by how current they are.
type tasksStats struct {
	StartedAfterLastScaling *statsOuter `json:"startedAfterLastScaling,omitempty"`
	WithLatestConfig        *statsOuter `json:"withLatestConfig,omitempty"`
	WithOutdatedConfig      *statsOuter `json:"withOutdatedConfig,omitempty"`
	TotalSummary            *statsOuter `json:"totalSummary,omitempty"`
}

type statsOuter struct {
	Stats statsInner `json:"stats"`
}

type statsInner struct {
	Counts   countsJSON `json:"counts"`
	LifeTime *lifeTime  `json:"lifeTime,omitempty"`
}

type countsJSON struct {
	Staged    int `json:"staged"`
	Running   int `json:"running"`
	Healthy   int `json:"healthy"`
	Unhealthy int `json:"unhealthy"`
}

type lifeTime struct {
	AverageSeconds float64 `json:"averageSeconds"`
	MedianSeconds  float64 `json:"medianSeconds"`
}

func statsOf(a core.AppInfo, now time.Time) *tasksStats {
	scaled, configured := a.VersionInfo.LastScalingAt, a.VersionInfo.LastConfigChangeAt
	return &tasksStats{
		StartedAfterLastScaling: summarize(a.Tasks, now, func(t core.Task) bool { return t.StagedAt >= scaled }),
		WithLatestConfig:        summarize(a.Tasks, now, func(t core.Task) bool { return t.Version >= configured }),
		WithOutdatedConfig:      summarize(a.Tasks, now, func(t core.Task) bool { return t.Version < configured }),
		TotalSummary:            summarize(a.Tasks, now, func(core.Task) bool { return true }),
	}
}

// summarize is nil when no task belongs to the set.
func summarize(tasks []core.Task, now time.Time, belongs func(core.Task) bool) *statsOuter {
	var out statsOuter
	var lives []float64
	any := false
	for _, t := range tasks {
		if !belongs(t) {
			continue
		}
		any = true
		out.Stats.Counts.add(t)
		if t.StartedAt != 0 {
			lives = append(lives, now.Sub(t.StartedAt.Time()).Seconds())
		}
	}
	if !any {
		return nil
	}
	out.Stats.LifeTime = lifeTimeOf(lives)
	return &out
}

func (n *countsJSON) add(t core.Task) {
	switch t.State {
	case "TASK_STAGING":
		n.Staged++
	case "TASK_RUNNING":
		n.Running++
	}
	switch {
	case t.Verdict == nil:
	case *t.Verdict:
		n.Healthy++
	default:
		n.Unhealthy++
	}
}

func lifeTimeOf(lives []float64) *lifeTime {
	if len(lives) == 0 {
		return nil
	}
	slices.Sort(lives)
	sum := 0.0
	for _, l := range lives {
		sum += l
	}
	middle := len(lives) / 2
	median := lives[middle]
	if len(lives)%2 == 0 {
		median = (lives[middle-1] + lives[middle]) / 2
	}
	return &lifeTime{sum / float64(len(lives)), median}
}
