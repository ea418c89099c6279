package chaos

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/soukproject/souk/internal/chaos/checker"
)

// script is what every task runs. Each writes its own file, named after its id:
// who it is and when it starts, when it ends and how. A line is on disk before
// the task goes on.
const script = `#!/bin/sh
# task.sh LOGS serve | task.sh LOGS run FAILS SECONDS
log="$1/$MESOS_TASK_ID"
note() { printf '%s\n' "$*" >>"$log"; sync "$log"; }
note "start $(date +%s%N) ${MARATHON_APP_ID:--} ${CHRONOS_JOB_NAME:--} ${CHRONOS_JOB_RUN_TIME:-0} ${CHRONOS_JOB_RUN_ATTEMPT:-0}"
if [ "$2" = serve ]; then
	trap 'kill $child; note "end $(date +%s%N) 0"; exit 0' TERM
	sleep 1000000 &
	child=$!
	wait $child
	exit 1
fi
sleep "$4"
code=0
[ "$CHRONOS_JOB_RUN_ATTEMPT" -ge "$3" ] || code=1
note "end $(date +%s%N) $code"
exit $code
`

func (c *cluster) logs() string   { return filepath.Join(c.dir, "tasks") }
func (c *cluster) script() string { return filepath.Join(c.dir, "task.sh") }

func (c *cluster) prepareTasks() {
	c.t.Helper()
	if err := os.MkdirAll(c.logs(), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(c.script(), []byte(script), 0o755); err != nil {
		c.t.Fatal(err)
	}
}

// readTasks reads what all tasks wrote.
func readTasks(dir string) ([]checker.Task, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []checker.Task
	for _, e := range entries {
		list = append(list, readTask(dir, e.Name()))
	}
	return list, nil
}

func readTask(dir, id string) checker.Task {
	t := checker.Task{ID: id}
	text, err := os.ReadFile(filepath.Join(dir, id))
	if err != nil {
		return t // it has not begun
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		switch {
		case len(f) == 6 && f[0] == "start":
			t.Starts = append(t.Starts, nanos(f[1]))
			if f[2] != "-" {
				t.App = f[2]
			}
			if f[3] != "-" {
				t.Job, t.Due, t.Attempt = f[3], due(f[4]), number(f[5])
			}
		case len(f) == 3 && f[0] == "end":
			t.Ends = append(t.Ends, checker.End{At: nanos(f[1]), Code: number(f[2])})
		}
	}
	return t
}

func nanos(text string) time.Time {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(0, n)
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return n
}

// due is the time that a run stands for. All jobs are due at whole seconds; the
// rest of the number tells apart launches of the same run.
func due(millis string) time.Time {
	n, err := strconv.ParseInt(millis, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(n).Truncate(time.Second)
}

// taskProcesses finds the oldest process of each task that has any.
func taskProcesses() map[string]int {
	found := make(map[string]int)
	for _, pid := range processes() {
		id := taskOf(pid)
		if old, seen := found[id]; id != "" && (!seen || pid < old) {
			found[id] = pid
		}
	}
	return found
}

func processes() []int {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		panic(fmt.Sprintf("glob: %v", err)) // the pattern is bad
	}
	var pids []int
	for _, dir := range dirs {
		pids = append(pids, number(filepath.Base(dir)))
	}
	return pids
}

// taskOf is the id of the task that a process belongs to, "" if it does to none.
func taskOf(pid int) string {
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return "" // it has ended
	}
	for _, entry := range strings.Split(string(environ), "\x00") {
		if id, ok := strings.CutPrefix(entry, "MESOS_TASK_ID="); ok {
			return id
		}
	}
	return ""
}

func tasksOf(pids []int) []string {
	var ids []string
	for _, pid := range pids {
		if id := taskOf(pid); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// hostProcesses are those that live in the network of a host.
func hostProcesses(name string) []int {
	network, err := os.Stat(filepath.Join(namedNetworks, name))
	if err != nil {
		panic(err) // it is there as long as the cluster is
	}
	return slices.DeleteFunc(processes(), func(pid int) bool {
		own, err := os.Stat(fmt.Sprintf("/proc/%d/ns/net", pid))
		return err != nil || !os.SameFile(network, own) // without a network it has ended
	})
}

// endedSince lists the tasks that noted their end after a time.
func endedSince(dir string, since time.Time) []string {
	tasks, err := readTasks(dir)
	if err != nil {
		return nil
	}
	var ids []string
	for _, t := range tasks {
		if len(t.Ends) > 0 && t.Ends[len(t.Ends)-1].At.After(since) {
			ids = append(ids, t.ID)
		}
	}
	return ids
}

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
