package fetcher

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// cache keeps files that several tasks of a user fetch. Of what nobody uses, the
// one unused for longest goes first when room is needed; a file that does not fit
// at all is dropped when its task has it. The room is accounted for once a file
// is there, so files on their way come on top.
type cache struct {
	dir   string
	limit int64

	mu      sync.Mutex
	entries map[cacheKey]*cached
	used    int64
	turn    uint64 // counts names and uses
}

// cacheKey: two users do not see each other's files, as in Mesos.
type cacheKey struct{ user, uri string }

// cached is a file, there or on its way.
type cached struct {
	path  string
	ready chan struct{} // closed: it is there, or err says why not
	err   error
	size  int64
	users int
	last  uint64 // use
	kept  bool   // it counts towards used
}

func newCache(dir string, limit int64) (*cache, error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &cache{dir: dir, limit: limit, entries: map[cacheKey]*cached{}}, nil
}

// size is what the kept files take.
func (c *cache) size() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used
}

// get opens the file for key, which fill writes if it is not there. Of several
// that ask at once one fills and the others wait. release says that the file is
// no longer needed.
func (c *cache) get(ctx context.Context, key cacheKey, fill func(*os.File) error) (file *os.File, release func(), err error) {
	for {
		e, mine := c.claim(key)
		if mine {
			c.filled(key, e, fillFile(e.path, fill))
		}
		select {
		case <-e.ready:
		case <-ctx.Done():
			c.release(e)
			return nil, nil, ctx.Err()
		}
		if e.err == nil {
			file, err := os.Open(e.path)
			if err != nil {
				c.release(e)
				return nil, nil, fmt.Errorf("cache: %w", cause(err))
			}
			return file, func() { c.release(e) }, nil
		}
		c.release(e)
		if mine || !errors.Is(e.err, context.Canceled) || ctx.Err() != nil {
			return nil, nil, e.err
		}
		// Whoever was fetching gave up; that is not our failure.
	}
}

func fillFile(path string, fill func(*os.File) error) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return cause(err)
	}
	return errors.Join(fill(f), f.Close())
}

// claim returns the entry for key, and whether the caller is to fill it.
func (c *cache) claim(key cacheKey) (e *cached, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	e, ok := c.entries[key]
	if !ok {
		e = &cached{path: filepath.Join(c.dir, strconv.FormatUint(c.turn, 10)), ready: make(chan struct{})}
		c.entries[key] = e
	}
	e.users++
	e.last = c.turn
	return e, !ok
}

// filled takes note of how fetching went and makes room.
func (c *cache) filled(key cacheKey, e *cached, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if info, statErr := os.Stat(e.path); err == nil && statErr == nil {
		e.size = info.Size()
	}
	if err == nil && c.fits(e.size) {
		e.kept = true
		c.used += e.size
	} else {
		delete(c.entries, key) // the last user removes the file
	}
	e.err = err
	close(e.ready)
}

// fits makes room for size bytes, if that is possible.
func (c *cache) fits(size int64) bool {
	for c.used+size > c.limit {
		if !c.evict() {
			return false
		}
	}
	return true
}

func (c *cache) evict() bool {
	var oldest *cached
	var of cacheKey
	for key, e := range c.entries {
		if e.kept && e.users == 0 && (oldest == nil || e.last < oldest.last) {
			oldest, of = e, key
		}
	}
	if oldest == nil {
		return false
	}
	delete(c.entries, of)
	c.used -= oldest.size
	os.Remove(oldest.path)
	return true
}

func (c *cache) release(e *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.users--; e.users == 0 && !e.kept {
		select {
		case <-e.ready:
			os.Remove(e.path)
		default:
		}
	}
}
