// Package checkpoint keeps what an agent must not forget: one log of Records in
// the work directory, appended to and compacted, and the boot id of the machine
// that wrote it. It owns durability, the layout of the folder meta and its
// version, and a reserve of room for the time when others have filled the disk;
// it does not know what the records mean. A Log belongs to one goroutine.
//
// # Format
//
// The file meta/log begins with a line that names format and version. After it
// come frames: length and CRC-32C of a Batch, 4 bytes each, little-endian, and
// the Batch. Each write is one frame, so that only the last one can be torn: it
// was never acknowledged and is cut off. A frame that is not whole and has whole
// ones behind it is damage, with which no agent starts.
package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
)

// header begins a log. Another version is another line.
const header = "souk checkpoint log, version 1\n"

// headerStem is what headers of all versions begin with.
const headerStem = "souk checkpoint log, version "

// The log is compacted when it has grown to several times of what counts in it.
const (
	compactFactor = 4
	compactSlack  = 4 << 20 // bytes; below, it does not matter
)

// ErrLocked says that another agent uses the work directory.
var ErrLocked = errors.New("another agent uses this work directory")

// A Log is open in one process at a time.
type Log struct {
	dir      string // WORK/meta
	lock     *os.File
	file     *os.File
	size     int64 // of the file
	compact  int64 // size at which it is compacted next
	table    checkpointpb.Table
	dropped  int64 // bytes cut off when it was opened
	reserved bool  // there is a reserve
	failed   error // the first failure; nothing is written after it
}

// Open opens the log in workDir, or begins one. Errors are one line that says
// what to do.
func Open(workDir string) (*Log, error) {
	l := &Log{dir: filepath.Join(workDir, "meta")}
	if err := l.open(); err != nil {
		l.Close()
		return nil, fmt.Errorf("work directory %s: %w", workDir, err)
	}
	return l, nil
}

func (l *Log) open() error {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(l.dir, "slaves")); err == nil {
		return errors.New("it holds the state of a Mesos agent, which this agent cannot take over: use another one, or drain that agent and remove meta")
	}
	if err := l.acquire(); err != nil {
		return err
	}
	if err := l.load(); err != nil {
		return err
	}
	l.restock()
	return l.syncDir()
}

// acquire takes the lock that keeps a second agent away; it goes with the process.
func (l *Log) acquire() error {
	f, err := os.OpenFile(filepath.Join(l.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	l.lock = f
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%w: stop that one, or give this one another --work-dir", ErrLocked)
	}
	return err
}

func (l *Log) path() string { return filepath.Join(l.dir, "log") }

// load reads the log, cuts off what is not whole and leaves the file open at its end.
func (l *Log) load() error {
	f, err := os.OpenFile(l.path(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	l.file = f
	data, err := os.ReadFile(l.path())
	if err != nil {
		return err
	}
	whole, err := l.read(data)
	if err != nil {
		return err
	}
	l.size, l.dropped = int64(whole), int64(len(data)-whole)
	l.schedule()
	if whole == 0 {
		return l.withReserve(l.rewrite) // new, or torn while it was begun
	}
	if err := l.cut(); err != nil {
		return err
	}
	return f.Sync()
}

// read fills the table and returns how much of data is whole.
func (l *Log) read(data []byte) (whole int, err error) {
	rest, ok := bytes.CutPrefix(data, []byte(header))
	if !ok {
		return 0, checkHeader(string(data))
	}
	whole = len(header)
	for {
		batch, n := decode(rest)
		if n == 0 {
			return whole, l.checkTail(whole, rest)
		}
		l.table.Put(batch.GetRecords()...)
		whole += n
		rest = rest[n:]
	}
}

// checkTail refuses a tail with a whole frame in it: what is before that was
// acknowledged once, and is lost.
func (l *Log) checkTail(offset int, tail []byte) error {
	for i := range tail {
		if _, n := decode(tail[i:]); n > 0 {
			return fmt.Errorf("%s is damaged at byte %d of %d, and what it holds behind that cannot be relied on: restore the file, or move it away to begin as a new agent, which ends the tasks that run here",
				l.path(), offset, offset+len(tail))
		}
	}
	return nil
}

// checkHeader says why a log that does not begin with header cannot be used;
// one that is empty or was torn while it was begun can.
func checkHeader(data string) error {
	if strings.HasPrefix(header, data) {
		return nil
	}
	if version, ok := strings.CutPrefix(data, headerStem); ok {
		version, _, _ = strings.Cut(version, "\n")
		return fmt.Errorf("its log has version %.20s, and this agent reads version 1: start the agent that wrote it, or remove meta to begin as a new agent", version)
	}
	return errors.New("meta/log is no checkpoint log: restore it, or remove meta to begin as a new agent")
}

// Records returns what is stored: the last record of each object. The caller
// must not change them.
func (l *Log) Records() []*checkpointpb.Record { return l.table.Records() }

// Dropped is how many bytes of an unfinished write were cut off by Open.
func (l *Log) Dropped() int64 { return l.dropped }

// Append makes batches durable, all or none, in order and with one sync.
// ErrNoSpace leaves everything as it was; after another error nothing more is
// written: what is on disk is not known.
func (l *Log) Append(batches ...[]*checkpointpb.Record) error {
	if l.failed != nil {
		return l.failed
	}
	err := l.withReserve(func() error { return l.append(batches) })
	switch {
	case IsFull(err):
		return fmt.Errorf("store checkpoint in %s: %w", l.path(), ErrNoSpace)
	case err != nil:
		l.failed = fmt.Errorf("store checkpoint in %s: %w", l.path(), err)
		return l.failed
	}
	l.restock()
	return nil
}

func (l *Log) append(batches [][]*checkpointpb.Record) error {
	records := slices.Concat(batches...)
	if len(records) == 0 {
		return nil
	}
	frame, err := encode(nil, records)
	if err != nil {
		return err
	}
	if err := l.write(frame); err != nil {
		return err
	}
	l.table.Put(records...)
	if l.size < l.compact {
		return nil
	}
	err = l.rewrite()
	if IsFull(err) {
		l.compact = l.size + compactSlack // all is stored; it takes more room than it must
		return nil
	}
	return err
}

// write adds buf to the file, or nothing when the disk is full.
func (l *Log) write(buf []byte) error {
	_, err := l.file.Write(buf)
	if err == nil {
		err = l.file.Sync()
	}
	if err == nil {
		l.size += int64(len(buf))
		return nil
	}
	if !IsFull(err) {
		return err
	}
	if undone := l.cut(); undone != nil {
		return fmt.Errorf("cut off what a full disk left of a write: %w", undone)
	}
	return err
}

// cut ends the file, and the next write begins, at size.
func (l *Log) cut() error {
	if err := l.file.Truncate(l.size); err != nil {
		return err
	}
	_, err := l.file.Seek(l.size, io.SeekStart)
	return err
}

// rewrite replaces the log by one that holds only what counts.
func (l *Log) rewrite() error {
	buf := []byte(header)
	for _, r := range l.table.Records() {
		var err error
		if buf, err = encode(buf, []*checkpointpb.Record{r}); err != nil {
			return err
		}
	}
	f, err := replace(l.path(), buf)
	if err != nil {
		return err
	}
	l.file.Close() // everything it held is in the new one
	l.file, l.size = f, int64(len(buf))
	l.schedule()
	return nil
}

// schedule sets the size at which the log is compacted next, from its size now.
func (l *Log) schedule() { l.compact = l.size*compactFactor + compactSlack }

// replace writes a file that is whole or not there, and returns it open.
func replace(path string, data []byte) (*os.File, error) {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = func() error {
		if _, err := f.Write(data); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		if err := os.Rename(tmp, path); err != nil {
			return err
		}
		if err := syncDir(filepath.Dir(path)); err != nil {
			return fmt.Errorf("%s was replaced, perhaps: %v", path, err) // not to be taken for a full disk, where nothing was
		}
		return nil
	}()
	if err != nil {
		os.Remove(tmp) // it may hold the last room there is
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (l *Log) syncDir() error { return syncDir(l.dir) }

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Close releases the log. Everything appended is durable already.
func (l *Log) Close() error {
	var errs []error
	for _, f := range []*os.File{l.file, l.lock} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	l.failed = os.ErrClosed
	return errors.Join(errs...)
}
