package shim

import (
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/soukproject/souk/agent/containerizer"
)

// process is one row of the machine's process table. What the system does not
// tell is zero.
type process struct {
	pid, parent, session int
	zombie               bool
	start                uint64
	user, system         time.Duration
	threads, rss         int64
}

// Identify names a process that exists.
func Identify(pid int) Process {
	p, _ := inspect(pid)
	return Process{PID: pid, Start: p.start}
}

// Alive reports whether the process has not ended.
func (p Process) Alive() bool {
	q, err := inspect(p.PID)
	return err == nil && !q.zombie && (p.Start == 0 || p.Start == q.start)
}

// Tree returns the pids of all living descendants of a process, parents before
// children, without itself.
func Tree(root int) ([]int, error) {
	table, err := descendants(root)
	if err != nil {
		return nil, err
	}
	return pids(table), nil
}

// below picks the living descendants of root.
func below(table []process, root int) []process {
	children := map[int][]process{}
	for _, p := range table {
		children[p.parent] = append(children[p.parent], p)
	}
	var found []process
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		for _, p := range children[queue[0]] {
			if !p.zombie {
				found = append(found, p)
			}
			if p.pid != root {
				queue = append(queue, p.pid)
			}
		}
	}
	return found
}

func pids(table []process) []int {
	var ids []int
	for _, p := range table {
		ids = append(ids, p.pid)
	}
	return ids
}

// KillTree kills all descendants of root. It stops what it sees until nothing
// new appears, so that a tree that grows is caught, too; still, a caller repeats
// it until nothing is left.
func KillTree(root int) error {
	return killAll(func() ([]process, error) { return descendants(root) })
}

// KillSession kills the processes of the session that leader began, and their
// descendants.
func KillSession(leader int) error {
	return killAll(func() ([]process, error) {
		table, err := processes()
		if err != nil {
			return nil, err
		}
		var found []process
		for _, p := range table {
			if p.session == leader && !p.zombie && p.pid != os.Getpid() {
				found = append(found, p)
			}
		}
		return append(found, below(table, leader)...), nil
	})
}

func killAll(which func() ([]process, error)) error {
	var stopped []int
	for range 100 {
		table, err := which()
		if err != nil {
			return err
		}
		fresh := slices.DeleteFunc(pids(table), func(pid int) bool { return slices.Contains(stopped, pid) })
		if len(fresh) == 0 {
			break
		}
		for _, pid := range fresh {
			syscall.Kill(pid, syscall.SIGSTOP)
		}
		stopped = append(stopped, fresh...)
	}
	for _, pid := range stopped {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	return nil
}

// Measure adds up what the descendants of root use now. CPU time of processes
// that have ended is not known.
func Measure(root int) (containerizer.Statistics, error) {
	s := containerizer.Statistics{Time: time.Now()}
	table, err := descendants(root)
	if err != nil {
		return s, err
	}
	for _, p := range table {
		s.Processes++
		s.Threads += p.threads
		s.CPUUser += p.user
		s.CPUSystem += p.system
		s.MemTotal += p.rss
		s.MemAnon += p.rss
	}
	return s, nil
}
