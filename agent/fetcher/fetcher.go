// Package fetcher brings the files that tasks name (CommandInfo.uris) into their
// sandboxes: from the web or from this machine, through a cache if asked for,
// unpacked if they are archives. It reads this machine's files with the rights of
// the task's user and writes nowhere but into the sandbox and its cache.
//
// Concurrency: a Fetcher may be used by many goroutines. It has none of its own.
package fetcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/soukproject/souk/agent/account"
	"github.com/soukproject/souk/agent/archive"
)

// Config of a Fetcher.
type Config struct {
	CacheDir       string        // emptied by New; "": nothing is kept
	CacheBytes     int64         // that the cache may take
	FrameworksHome string        // where relative paths start; "": there are none
	Stall          time.Duration // without a byte before a fetch fails; 0: a minute
	MaxBytes       int64         // of one file, and of what an archive holds; 0: 20 GiB
}

// maxTime bounds the fetching for one task, whatever arrives meanwhile.
const maxTime = time.Hour

// maxFetches is how many tasks fetch at a time; others wait.
const maxFetches = 16

// A Fetcher fetches files for tasks.
type Fetcher struct {
	cfg    Config
	client *http.Client
	cache  *cache // nil: none
	slots  chan struct{}

	succeeded, failed atomic.Int64 // fetches for tasks
}

// Counts are what a Fetcher has done, and how full its cache is, in bytes.
type Counts struct{ Succeeded, Failed, CacheBytes, CacheUsed int64 }

// Counts returns those of this moment.
func (f *Fetcher) Counts() Counts {
	c := Counts{Succeeded: f.succeeded.Load(), Failed: f.failed.Load()}
	if f.cache != nil {
		c.CacheBytes, c.CacheUsed = f.cache.limit, f.cache.size()
	}
	return c
}

// URI names a file to fetch.
type URI struct {
	Value      string
	Executable bool   // to be made executable, and not unpacked
	Extract    bool   // unpack it if its name says that it is an archive
	Cache      bool   // keep it for other tasks of this user
	Output     string // name in the sandbox; "": the last part of Value
}

// Request asks for the files of one task.
type Request struct {
	URIs    []URI
	Sandbox string           // absolute; exists
	User    string           // whose rights count; "": the agent's own
	Owner   *account.Account // of what is fetched; nil: the agent
}

// New returns a Fetcher with an empty cache.
func New(cfg Config) (*Fetcher, error) {
	if cfg.Stall == 0 {
		cfg.Stall = time.Minute
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 20 << 30
	}
	f := &Fetcher{cfg: cfg, client: newClient(), slots: make(chan struct{}, maxFetches)}
	if cfg.CacheDir != "" {
		var err error
		if f.cache, err = newCache(cfg.CacheDir, cfg.CacheBytes); err != nil {
			return nil, fmt.Errorf("fetcher cache: %w", err)
		}
	}
	return f, nil
}

// Fetch brings all files of r into its sandbox or says why it cannot, in a
// sentence for the user who named them; the sandbox's stderr tells it, too.
func (f *Fetcher) Fetch(ctx context.Context, r Request) error {
	if len(r.URIs) == 0 {
		return nil
	}
	err := f.fetchAll(ctx, r)
	if err != nil {
		f.failed.Add(1)
	} else {
		f.succeeded.Add(1)
	}
	return err
}

func (f *Fetcher) fetchAll(ctx context.Context, r Request) error {
	wanted, err := f.wanted(r.URIs)
	if err != nil {
		return err
	}
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, maxTime, fmt.Errorf("it took longer than %v", maxTime))
	defer cancel()
	dir, err := os.OpenRoot(r.Sandbox)
	if err != nil {
		return err
	}
	defer dir.Close()
	s := sandbox{dir: dir, owner: r.Owner}
	for _, w := range wanted {
		err := f.fetch(ctx, s, r.User, w)
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = cause
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", w.shown(), err)
			s.tell("Failed to fetch " + err.Error())
			return err
		}
		s.tell(fmt.Sprintf("Fetched %s to %s", w.shown(), filepath.Join(r.Sandbox, w.name)))
	}
	return nil
}

// fetch brings one file to its place. An archive from the cache is unpacked from
// there; otherwise it stays in the sandbox beside its content, as in Mesos.
func (f *Fetcher) fetch(ctx context.Context, s sandbox, user string, w wanted) error {
	if w.Cache && f.cache != nil {
		file, release, err := f.cache.get(ctx, cacheKey{user, w.Value}, func(out *os.File) error { return f.download(ctx, w, user, s.owner, out) })
		if err != nil {
			return err
		}
		defer release()
		defer file.Close()
		if w.unpacks() {
			return f.unpack(s, file, w)
		}
		return s.put(w, func(out *os.File) error {
			_, err := io.Copy(out, file)
			return err
		})
	}
	if err := s.put(w, func(out *os.File) error { return f.download(ctx, w, user, s.owner, out) }); err != nil {
		return err
	}
	if !w.unpacks() {
		return nil
	}
	file, err := s.dir.Open(w.name)
	if err != nil {
		return err
	}
	defer file.Close()
	return f.unpack(s, file, w)
}

func (f *Fetcher) unpack(s sandbox, file *os.File, w wanted) error {
	o := archive.Options{Bytes: f.cfg.MaxBytes}
	if s.owner != nil {
		o.Owner = &archive.Owner{UID: s.owner.UID, GID: s.owner.GID}
	}
	return archive.Unpack(s.dir, file, w.name, o)
}

// download writes the content of w into out.
func (f *Fetcher) download(ctx context.Context, w wanted, user string, owner *account.Account, out *os.File) error {
	if w.url != nil {
		return f.get(ctx, w, out)
	}
	in, err := openAs(w.path, owner)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return errors.New("no such file on the agent's machine")
	case errors.Is(err, os.ErrPermission) && owner != nil:
		return fmt.Errorf("user '%s' may not read it", user)
	case err != nil:
		return cause(err)
	}
	defer in.Close()
	if info, err := in.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.Join(err, errors.New("it is no regular file"))
	}
	return f.copy(ctx, out, in)
}

// copy copies until ctx ends or it becomes too much.
func (f *Fetcher) copy(ctx context.Context, out io.Writer, in io.Reader) error {
	n, err := io.Copy(out, io.LimitReader(readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return in.Read(p)
	}), f.cfg.MaxBytes+1))
	if err == nil && n > f.cfg.MaxBytes {
		err = fmt.Errorf("it has more than %d bytes, the limit", f.cfg.MaxBytes)
	}
	return cause(err)
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// cause is why an operation on a file failed, without its path: the paths of the
// agent are of no use to a user.
func cause(err error) error {
	if pe := (*os.PathError)(nil); errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
