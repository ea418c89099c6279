package shim

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// ticks per second in /proc; fixed by the kernel's interface to programs.
const ticks = 100

// processes reads the process table. Processes that end meanwhile are left out.
func processes() ([]process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var table []process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, err := inspect(pid); err == nil {
			table = append(table, p)
		}
	}
	return table, nil
}

// descendants finds what is below root, parents before children, by way of the
// kernel's own lists: a machine has many more processes than a container. A
// process whose parent ends while they are read may be missed; callers that must
// not miss any repeat the call. Kernels without the lists are rare.
func descendants(root int) ([]process, error) {
	if _, err := os.Stat("/proc/self/task/" + strconv.Itoa(os.Getpid()) + "/children"); err != nil {
		table, err := processes()
		return below(table, root), err
	}
	var found []process
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		for _, pid := range children(queue[0]) {
			if p, err := inspect(pid); err == nil && !p.zombie {
				found = append(found, p)
			}
			queue = append(queue, pid)
		}
	}
	return found, nil
}

// children lists the processes that the threads of one started; none if it is
// gone.
func children(pid int) (pids []int) {
	lists, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	for _, list := range lists {
		data, err := os.ReadFile(list)
		if err != nil {
			continue
		}
		for _, field := range bytes.Fields(data) {
			if child, err := strconv.Atoi(string(field)); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

func inspect(pid int) (process, error) {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return process{}, err
	}
	return parseStat(pid, data)
}

// parseStat reads /proc/PID/stat. The second field is a name that may hold
// anything, so reading starts behind its last bracket with field 3.
func parseStat(pid int, data []byte) (process, error) {
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 22 {
		return process{}, fmt.Errorf("process %d: stat has %d fields", pid, len(fields))
	}
	number := func(field int) int64 {
		n, _ := strconv.ParseInt(string(fields[field-3]), 10, 64)
		return n
	}
	state := fields[0][0]
	return process{
		pid:     pid,
		parent:  int(number(4)),
		session: int(number(6)),
		zombie:  state == 'Z' || state == 'X',
		start:   uint64(number(22)),
		user:    time.Duration(number(14)) * time.Second / ticks,
		system:  time.Duration(number(15)) * time.Second / ticks,
		threads: number(20),
		rss:     number(24) * int64(os.Getpagesize()),
	}, nil
}

// BootID changes with every start of the machine.
func BootID() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(data))
}

// Adopt makes the calling process the parent of descendants whose parent ends.
func Adopt() error {
	return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}
