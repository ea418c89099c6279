// Package image keeps images for containers: it pulls them from registries or
// takes them from a folder, unpacks each layer once, and says what lies where. It
// owns a folder of layers, named by the digest of what they hold, and of records
// of images; who may have which image is for the registry to say. Mounting is
// the containerizer's.
//
// A layer or record is there whole or not at all, whatever happens meanwhile.
// What a container uses is leased to it and is not pruned.
//
// Concurrency: a Store may be used by many goroutines. Pulls run in goroutines of
// their own and go on when those who asked give up; Close ends them.
package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// Config of a Store.
type Config struct {
	Dir      string // for layers and records; not on overlayfs
	Registry string // of names without one: https://HOST, http://HOST, or a folder; "": Docker's
	Auth     []byte // a docker config file with credentials; nil: none
	MaxBytes int64  // of an unpacked layer; 0: 20 GiB
}

// maxPull bounds one pull.
const maxPull = time.Hour

// A Store keeps images.
type Store struct {
	cfg    Config
	auth   keychain
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	pulls  singleflight.Group // by name and credentials
	layers singleflight.Group // by digest
	work   sync.WaitGroup     // pulls

	mu sync.RWMutex // held for writing to remove something
}

// Ref asks for an image.
type Ref struct {
	Name  string // as in docker pull
	Auth  []byte // a docker config file; nil: the agent's own
	Fresh bool   // ask the registry although the image is there
}

// Image is one that is there.
type Image struct {
	Name       string   `json:"name"`
	Digest     string   `json:"digest"`
	Layers     []string `json:"layers"` // names of folders, the uppermost first; Get makes them paths
	Env        []string `json:"env,omitempty"`
	Entrypoint []string `json:"entrypoint,omitempty"`
	Cmd        []string `json:"cmd,omitempty"`
	WorkDir    string   `json:"workdir,omitempty"`
	User       string   `json:"user,omitempty"`
}

// Open opens the store in cfg.Dir and removes what an earlier one left half done.
func Open(cfg Config) (*Store, error) {
	auth, err := parseAuth(cfg.Auth)
	if err != nil {
		return nil, err
	}
	if err := os.RemoveAll(filepath.Join(cfg.Dir, "tmp")); err != nil {
		return nil, fmt.Errorf("open image store: %w", err)
	}
	for _, name := range []string{"tmp", "layers", "images", "leases"} {
		if err := os.MkdirAll(filepath.Join(cfg.Dir, name), 0o700); err != nil {
			return nil, fmt.Errorf("open image store: %w", err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Store{cfg: cfg, auth: auth, ctx: ctx, cancel: cancel}, nil
}

// Close ends pulls under way.
func (s *Store) Close() error {
	s.cancel()
	s.work.Wait()
	return nil
}

// Get returns an image and leases it to container, pulling it if need be. The
// error is a sentence for the user who named the image.
func (s *Store) Get(ctx context.Context, container string, ref Ref) (Image, error) {
	for range 3 { // it may be pruned between pull and lease
		i, err := s.find(ctx, ref)
		if err != nil {
			return Image{}, fmt.Errorf("image '%s': %w", ref.Name, err)
		}
		leased, err := s.lease(container, i)
		if err != nil {
			return Image{}, fmt.Errorf("image '%s': %w", ref.Name, plain(err))
		}
		if leased {
			for n, name := range i.Layers {
				i.Layers[n] = s.layer(name)
			}
			return i, nil
		}
	}
	return Image{}, fmt.Errorf("image '%s': it is pruned as soon as it is pulled", ref.Name)
}

func (s *Store) find(ctx context.Context, ref Ref) (Image, error) {
	key := s.key(ref)
	if !ref.Fresh {
		if i, ok := s.record(key); ok {
			return i, nil
		}
	}
	done := s.pulls.DoChan(key, func() (any, error) {
		s.work.Add(1)
		defer s.work.Done()
		ctx, cancel := context.WithTimeout(s.ctx, maxPull)
		defer cancel()
		return s.pull(ctx, ref)
	})
	select {
	case r := <-done:
		if r.Err != nil {
			return Image{}, plain(r.Err)
		}
		i := r.Val.(Image)
		i.Layers = append([]string(nil), i.Layers...)
		return i, s.write(filepath.Join("images", key), i)
	case <-ctx.Done():
		return Image{}, context.Cause(ctx)
	}
}

// key names the record of an image. Who brings other credentials has to prove
// them, and does not get what others pulled.
func (s *Store) key(ref Ref) string {
	sum := sha256.Sum256(append([]byte(ref.Name+"\x00"+s.cfg.Registry+"\x00"), ref.Auth...))
	return hex.EncodeToString(sum[:])
}

// record returns an image whose layers are all there.
func (s *Store) record(key string) (i Image, ok bool) {
	data, err := os.ReadFile(filepath.Join(s.cfg.Dir, "images", key))
	if err != nil || json.Unmarshal(data, &i) != nil {
		return i, false
	}
	return i, s.whole(i)
}

func (s *Store) whole(i Image) bool {
	for _, name := range i.Layers {
		if _, err := os.Stat(s.layer(name)); err != nil {
			return false
		}
	}
	return len(i.Layers) > 0
}

func (s *Store) layer(name string) string { return filepath.Join(s.cfg.Dir, "layers", name) }

// write replaces a small file of the store.
func (s *Store) write(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Join(s.cfg.Dir, "tmp"), "record")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(s.cfg.Dir, name))
}

// lease records that a container uses an image; false if it is no longer there.
func (s *Store) lease(container string, i Image) (bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.whole(i) {
		return false, nil
	}
	return true, s.write(filepath.Join("leases", container), i)
}

// Release ends the lease of a container that is gone. Without one: nil.
func (s *Store) Release(container string) error {
	err := os.Remove(filepath.Join(s.cfg.Dir, "leases", container))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Recover ends the leases of all containers but the known ones.
func (s *Store) Recover(known []string) error {
	keep := make(map[string]bool, len(known))
	for _, id := range known {
		keep[id] = true
	}
	entries, err := os.ReadDir(filepath.Join(s.cfg.Dir, "leases"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !keep[e.Name()] {
			if err := s.Release(e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// Prune removes all images but those in use and the excluded names, and all
// layers that no image left has. Pulls under way begin again what it takes away.
func (s *Store) Prune(excluded []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	used := map[string]bool{}
	keep := map[string]bool{}
	for _, name := range excluded {
		keep[name] = true
	}
	if err := s.each("leases", func(_ string, i Image) error {
		keep[i.Name] = true
		return use(used, i)
	}); err != nil {
		return err
	}
	if err := s.each("images", func(path string, i Image) error {
		if keep[i.Name] {
			return use(used, i)
		}
		return os.Remove(path)
	}); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(s.cfg.Dir, "layers"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !used[e.Name()] {
			if err := s.remove(e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

func use(used map[string]bool, i Image) error {
	for _, name := range i.Layers {
		used[filepath.Base(name)] = true
	}
	return nil
}

// remove takes a layer away at once and its content afterwards.
func (s *Store) remove(name string) error {
	gone, err := os.MkdirTemp(filepath.Join(s.cfg.Dir, "tmp"), "gone")
	if err != nil {
		return err
	}
	if err := os.Rename(s.layer(name), filepath.Join(gone, "layer")); err != nil {
		return err
	}
	return os.RemoveAll(gone)
}

// each calls do with every record in a folder of the store.
func (s *Store) each(folder string, do func(path string, i Image) error) error {
	entries, err := os.ReadDir(filepath.Join(s.cfg.Dir, folder))
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(s.cfg.Dir, folder, e.Name())
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var i Image
		if json.Unmarshal(data, &i) != nil {
			continue // never written by us whole; nobody finds it either
		}
		if err := do(path, i); err != nil {
			return err
		}
	}
	return nil
}
