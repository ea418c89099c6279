//go:build unix && !linux

package shim

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// processes asks ps, which POSIX defines for every Unix.
func processes() ([]process, error) {
	out, err := exec.Command("ps", "-A", "-o", "pid=", "-o", "ppid=", "-o", "pgid=", "-o", "rss=", "-o", "stat=").Output()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var table []process
	for line := range bytes.Lines(out) {
		if p, ok := parseRow(line); ok {
			table = append(table, p)
		}
	}
	return table, nil
}

// parseRow takes the process group for the session: the command leads both.
func parseRow(line []byte) (process, bool) {
	fields := bytes.Fields(line)
	if len(fields) < 5 {
		return process{}, false
	}
	var n [4]int
	for i := range n {
		v, err := strconv.Atoi(string(fields[i]))
		if err != nil {
			return process{}, false
		}
		n[i] = v
	}
	return process{
		pid: n[0], parent: n[1], session: n[2], rss: int64(n[3]) << 10, threads: 1,
		zombie: fields[4][0] == 'Z',
	}, true
}

// descendants finds what is below root, parents before children.
func descendants(root int) ([]process, error) {
	table, err := processes()
	return below(table, root), err
}

func inspect(pid int) (process, error) {
	table, err := processes()
	if err != nil {
		return process{}, err
	}
	for _, p := range table {
		if p.pid == pid {
			return p, nil
		}
	}
	return process{}, fmt.Errorf("no process %d", pid)
}

// BootID is not known; a restart of the machine looks like a killed shim.
func BootID() string { return "" }

// Adopt cannot be done here: a daemon that detaches itself twice is found by its
// process group only.
func Adopt() error { return nil }

// openNoLinks looks at each directory above path first; what changes in between
// is not seen.
func openNoLinks(path string, flags int, mode os.FileMode) (*os.File, error) {
	real, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	if real != filepath.Dir(path) {
		return nil, &os.PathError{Op: "open", Path: path, Err: syscall.ELOOP}
	}
	return os.OpenFile(path, flags, mode)
}
