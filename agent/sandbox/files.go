package sandbox

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	// ErrNotFound says that nothing readable has this path.
	ErrNotFound = errors.New("no such file")
	// ErrInaccessible says that a path leaves the sandbox it begins in.
	ErrInaccessible = errors.New("path leaves the sandbox")
	// ErrDirectory says that a file was wanted and a directory is there.
	ErrDirectory = errors.New("is a directory")
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

// An Entry is a file in a listing.
type Entry struct {
	Path     string // virtual, as it can be asked for
	Info     fs.FileInfo
	Links    uint64
	User     string // name, or number without one
	Group    string
	Modified time.Time
}

// List lists a directory, sorted by name; of a file it is empty.
func (f *Files) List(name string) ([]Entry, error) {
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
	var entries []Entry
	for _, item := range items {
		info, err := item.Info()
		if err != nil {
			continue // it went meanwhile
		}
		entries = append(entries, entry(strings.TrimRight(name, "/")+"/"+item.Name(), info))
	}
	return entries, nil
}

func entry(name string, info fs.FileInfo) Entry {
	e := Entry{Path: name, Info: info, Links: 1, Modified: info.ModTime()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		e.Links, e.User, e.Group = uint64(st.Nlink), userName(st.Uid), groupName(st.Gid)
	}
	return e
}

func userName(id uint32) string {
	n := strconv.FormatUint(uint64(id), 10)
	if u, err := user.LookupId(n); err == nil {
		return u.Username
	}
	return n
}

func groupName(id uint32) string {
	n := strconv.FormatUint(uint64(id), 10)
	if g, err := user.LookupGroupId(n); err == nil {
		return g.Name
	}
	return n
}

// Open opens a regular file for reading.
func (f *Files) Open(name string) (*os.File, fs.FileInfo, error) {
	file, err := f.open(name)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = ErrDirectory
	case !info.Mode().IsRegular():
		err = ErrNotFound // a pipe or device would block, or worse
	default:
		return file, info, nil
	}
	file.Close()
	return nil, nil, err
}

// open finds what a virtual path means and opens it, without following any link
// out of the sandbox and without waiting for the other end of a pipe.
func (f *Files) open(name string) (*os.File, error) {
	if file, ok := f.named[strings.TrimRight(name, "/")]; ok {
		return plain(os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0))
	}
	run, rest, ok := f.split(name)
	if !ok {
		return nil, ErrNotFound
	}
	inside, err := within(rest)
	if err != nil {
		return nil, err
	}
	root, err := f.store.root.OpenRoot(run)
	if err != nil {
		return nil, ErrNotFound
	}
	defer root.Close()
	return plain(root.OpenFile(inside, os.O_RDONLY|syscall.O_NONBLOCK, 0))
}

// plain makes every failure to open look the same: what there is outside a
// sandbox is not for its reader to learn.
func plain(file *os.File, err error) (*os.File, error) {
	if err != nil {
		return nil, ErrNotFound
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
			return "", ErrInaccessible
		default:
			inside = inside[:len(inside)-1]
		}
	}
	return path.Join(append([]string{"."}, inside...)...), nil
}
