package sandbox

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/soukproject/souk/internal/files"
)

// maxListed bounds what a listing of one directory holds.
const maxListed = 100_000

// Files are what may be read from outside: all sandboxes, by their path on the
// disk (with the run's id or latest) or as /frameworks/F/executors/E/runs/R,
// and single files under names of their own.
type Files struct {
	store *Store
	mu    sync.Mutex
	agent string            // whose frameworks /frameworks means
	named map[string]string // virtual path → file
}

// NewFiles returns the files of s's sandboxes. named gives single files, such
// as a log, a virtual path.
func NewFiles(s *Store, named map[string]string) *Files {
	return &Files{store: s, named: named}
}

// SetAgent says whose sandboxes paths below /frameworks mean.
func (f *Files) SetAgent(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.agent = id
}

// Named returns the single files: virtual path → file.
func (f *Files) Named() map[string]string { return f.named }

var _ files.Source = (*Files)(nil)

// List lists a directory, sorted by name; of a file it is empty.
func (f *Files) List(name string) ([]files.Entry, error) {
	file, err := f.open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, nil
	}
	items, err := file.ReadDir(maxListed)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	slices.SortFunc(items, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	var entries []files.Entry
	for _, item := range items {
		info, err := item.Info()
		if err != nil {
			continue // it went meanwhile
		}
		entries = append(entries, files.NewEntry(strings.TrimRight(name, "/")+"/"+item.Name(), info))
	}
	return entries, nil
}

// Open opens a regular file for reading.
func (f *Files) Open(name string) (*os.File, fs.FileInfo, error) {
	file, err := f.open(name)
	if err != nil {
		return nil, nil, err
	}
	return files.Regular(file)
}

// open finds what a virtual path means and opens it, without following any link
// out of the sandbox and without waiting for the other end of a pipe.
func (f *Files) open(name string) (*os.File, error) {
	if file, ok := f.named[strings.TrimRight(name, "/")]; ok {
		return plain(os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0))
	}
	run, rest, ok := f.split(name)
	if !ok {
		return nil, files.ErrNotFound
	}
	inside, err := within(rest)
	if err != nil {
		return nil, err
	}
	root, err := f.store.root.OpenRoot(run)
	if err != nil {
		return nil, files.ErrNotFound
	}
	defer root.Close()
	return plain(root.OpenFile(inside, os.O_RDONLY|syscall.O_NONBLOCK, 0))
}

// plain makes every failure to open look the same: what there is outside a
// sandbox is not for its reader to learn.
func plain(file *os.File, err error) (*os.File, error) {
	if err != nil {
		return nil, files.ErrNotFound
	}
	return file, nil
}

// split parts a virtual path into a run's directory below slaves and the rest.
func (f *Files) split(name string) (run string, rest []string, ok bool) {
	below, found := strings.CutPrefix(name, filepath.ToSlash(f.store.dir)+"/")
	if !found {
		f.mu.Lock()
		agent := f.agent
		f.mu.Unlock()
		if !strings.HasPrefix(name, "/frameworks/") || agent == "" {
			return "", nil, false
		}
		below = agent + name
	}
	parts := slices.DeleteFunc(strings.Split(below, "/"), func(p string) bool { return p == "" || p == "." })
	// AGENT frameworks F executors E runs R …
	if len(parts) < 7 || parts[1] != "frameworks" || parts[3] != "executors" || parts[5] != "runs" {
		return "", nil, false
	}
	r := Run{Agent: parts[0], Framework: parts[2], Executor: parts[4], Container: parts[6]}
	if r.check() != nil {
		return "", nil, false
	}
	return path.Join(r.dir(), r.Container), parts[7:], true
}

// within resolves "..", which must not lead out at any point.
func within(parts []string) (string, error) {
	var inside []string
	for _, p := range parts {
		switch {
		case p != "..":
			inside = append(inside, p)
		case len(inside) == 0:
			return "", files.ErrInaccessible
		default:
			inside = inside[:len(inside)-1]
		}
	}
	return path.Join(append([]string{"."}, inside...)...), nil
}
