package fetcher_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/soukproject/souk/agent/account"
	"github.com/soukproject/souk/agent/fetcher"
)

// site serves files and counts how often.
type site struct {
	*httptest.Server
	hits atomic.Int64
}

func newSite(t *testing.T) *site {
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.hits.Add(1)
		switch name := r.URL.Path; {
		case strings.HasSuffix(name, ".tgz"):
			w.Write(tgz(t, "app/run.sh", "#!/bin/sh\n"))
		case name == "/stall":
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("x"))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case name == "/short":
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("x"))
		case name == "/moved":
			http.Redirect(w, r, "/file", http.StatusFound)
		case strings.HasPrefix(name, "/file"):
			fmt.Fprint(w, "content of "+name)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func tgz(t *testing.T, name, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	w.Write([]byte(content))
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func newFetcher(t *testing.T, edit func(*fetcher.Config)) *fetcher.Fetcher {
	t.Helper()
	cfg := fetcher.Config{CacheDir: filepath.Join(t.TempDir(), "cache"), CacheBytes: 1 << 20, Stall: 5 * time.Second}
	if edit != nil {
		edit(&cfg)
	}
	f, err := fetcher.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func fetch(t *testing.T, f *fetcher.Fetcher, uris ...fetcher.URI) (dir string, err error) {
	t.Helper()
	dir = t.TempDir()
	return dir, f.Fetch(t.Context(), fetcher.Request{URIs: uris, Sandbox: dir})
}

func TestFetch(t *testing.T) {
	s, home := newSite(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "local.txt"), []byte("here"), 0o644); err != nil {
		t.Fatal(err)
	}
	f := newFetcher(t, func(c *fetcher.Config) { c.FrameworksHome = home })
	for _, tt := range []struct {
		name, file, want string
		uri              fetcher.URI
		mode             os.FileMode
	}{
		{"web", "file", "content of /file", fetcher.URI{Value: s.URL + "/file?token=x"}, 0o644},
		{"redirect", "moved", "content of /file", fetcher.URI{Value: s.URL + "/moved"}, 0o644},
		{"another name", "a/b/c", "content of /file", fetcher.URI{Value: s.URL + "/file", Output: "a/b/c"}, 0o644},
		{"executable", "file", "content of /file", fetcher.URI{Value: s.URL + "/file", Executable: true}, 0o755},
		{"archive", "app/run.sh", "#!/bin/sh\n", fetcher.URI{Value: s.URL + "/app.tgz", Extract: true}, 0o755},
		{"archive from the cache", "app/run.sh", "#!/bin/sh\n", fetcher.URI{Value: s.URL + "/app.tgz", Extract: true, Cache: true}, 0o755},
		{"archive by its new name", "app/run.sh", "#!/bin/sh\n", fetcher.URI{Value: s.URL + "/x.tgz", Extract: true, Output: "y.tar.gz"}, 0o755},
		{"path", "local.txt", "here", fetcher.URI{Value: filepath.Join(home, "local.txt")}, 0o644},
		{"file scheme", "local.txt", "here", fetcher.URI{Value: "file://" + filepath.Join(home, "local.txt")}, 0o644},
		{"relative path", "local.txt", "here", fetcher.URI{Value: "local.txt"}, 0o644},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, err := fetch(t, f, tt.uri)
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(dir, tt.file))
			if err != nil || string(got) != tt.want {
				t.Errorf("%s = %q, %v, want %q", tt.file, got, err, tt.want)
			}
			if info, err := os.Stat(filepath.Join(dir, tt.file)); err != nil || info.Mode() != tt.mode {
				t.Errorf("mode of %s = %v, %v, want %v", tt.file, info.Mode(), err, tt.mode)
			}
		})
	}
}

func TestArchiveIsNotUnpackedUnlessWanted(t *testing.T) {
	s := newSite(t)
	for _, uri := range []fetcher.URI{{Value: s.URL + "/app.tgz"}, {Value: s.URL + "/app.tgz", Extract: true, Executable: true}} {
		dir, err := fetch(t, newFetcher(t, nil), uri)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "app")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%+v was unpacked: %v", uri, err)
		}
	}
}

func TestWhatCannotBeFetched(t *testing.T) {
	s := newSite(t)
	f := newFetcher(t, func(c *fetcher.Config) { c.MaxBytes = 1000; c.Stall = 50 * time.Millisecond })
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, make([]byte, 2000), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		uri  fetcher.URI
		want string
	}{
		{"not there", fetcher.URI{Value: s.URL + "/absent"}, "/absent: the server answers 404 Not Found"},
		{"no server", fetcher.URI{Value: "http://127.0.0.1:1/x"}, "connection refused"},
		{"a stall", fetcher.URI{Value: s.URL + "/stall"}, "nothing came for 50ms"},
		{"cut off", fetcher.URI{Value: s.URL + "/short"}, "ended before the file did"},
		{"too large", fetcher.URI{Value: large}, "more than 1000 bytes"},
		{"no file", fetcher.URI{Value: "/no/such/file"}, "no such file on the agent's machine"},
		{"a folder", fetcher.URI{Value: "/tmp"}, "no regular file"},
		{"a device", fetcher.URI{Value: "/dev/zero"}, "no regular file"},
		{"hdfs", fetcher.URI{Value: "hdfs://x/y"}, "hdfs needs Hadoop's client"},
		{"s3", fetcher.URI{Value: "s3n://x/y"}, "offer the file by https"},
		{"ftp", fetcher.URI{Value: "ftp://x/y"}, "ftp is not supported"},
		{"relative", fetcher.URI{Value: "x/y"}, "--frameworks_home"},
		{"empty", fetcher.URI{}, "it is empty"},
		{"no name", fetcher.URI{Value: s.URL + "/"}, "set output_file"},
		{"output outside", fetcher.URI{Value: s.URL + "/file", Output: "../x"}, "does not lie in the sandbox"},
		{"absolute output", fetcher.URI{Value: s.URL + "/file", Output: "/x"}, "does not lie in the sandbox"},
		{"the task's output", fetcher.URI{Value: s.URL + "/file", Output: "./stdout"}, "where the task's output goes"},
		{"quote", fetcher.URI{Value: "http://x/'"}, "quote"},
		{"no archive", fetcher.URI{Value: s.URL + "/file.tar", Extract: true}, "damaged"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, err := fetch(t, f, tt.uri)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Fetch() = %v, want %q", err, tt.want)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".fetching*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestPasswordsAreNotTold(t *testing.T) {
	s := newSite(t)
	dir, err := fetch(t, newFetcher(t, nil), fetcher.URI{Value: strings.Replace(s.URL, "//", "//me:hush@", 1) + "/absent"})
	told, _ := os.ReadFile(filepath.Join(dir, "stderr"))
	if err == nil || strings.Contains(err.Error(), "hush") || bytes.Contains(told, []byte("hush")) {
		t.Errorf("Fetch() = %v, stderr %q: the password is told", err, told)
	}
	if !bytes.Contains(told, []byte("404")) {
		t.Errorf("stderr = %q, want the failure in it", told)
	}
}

func TestLinksInTheSandboxLeadNowhere(t *testing.T) {
	s, outside, dir := newSite(t), t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	err := newFetcher(t, nil).Fetch(t.Context(), fetcher.Request{Sandbox: dir, URIs: []fetcher.URI{{Value: s.URL + "/file", Output: "link/x"}}})
	if err == nil || !strings.Contains(err.Error(), "escapes") {
		t.Errorf("Fetch() = %v, want a refusal", err)
	}
	if names, _ := os.ReadDir(outside); len(names) > 0 {
		t.Errorf("written outside: %v", names)
	}
}

func TestFilesAreReadWithTheRightsOfTheUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to become another user")
	}
	nobody := &account.Account{UID: 65534, GID: 65534}
	dir, secret := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("hush"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cached := range []bool{false, true} {
		err := newFetcher(t, nil).Fetch(t.Context(), fetcher.Request{Sandbox: dir, User: "nobody", Owner: nobody, URIs: []fetcher.URI{{Value: secret, Cache: cached}}})
		if err == nil || !strings.Contains(err.Error(), "user 'nobody' may not read it") {
			t.Errorf("Fetch() of a file of root (cache: %v) = %v, want a refusal", cached, err)
		}
	}
	err := newFetcher(t, nil).Fetch(t.Context(), fetcher.Request{Sandbox: dir, User: "nobody", Owner: nobody, URIs: []fetcher.URI{{Value: "/etc/passwd", Output: "a/p"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "a/p"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || ownerOf(info) != 65534 {
			t.Errorf("owner of %s = %d, %v, want nobody", name, ownerOf(info), err)
		}
	}
}

func TestCache(t *testing.T) {
	s := newSite(t)
	f := newFetcher(t, func(c *fetcher.Config) { c.CacheBytes = 40 }) // two files of 17 bytes
	get := func(path, user string) {
		t.Helper()
		err := f.Fetch(t.Context(), fetcher.Request{Sandbox: t.TempDir(), User: user, URIs: []fetcher.URI{{Value: s.URL + path, Cache: true}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		path, user string
		hits       int64
	}{
		{"/file1", "a", 1}, {"/file1", "a", 1}, {"/file1", "b", 2}, // by user
		{"/file1", "a", 2}, {"/file2", "a", 3}, {"/file1", "a", 3}, {"/file1", "b", 4}, // b's was the oldest
	} {
		if get(step.path, step.user); s.hits.Load() != step.hits {
			t.Errorf("after %s for %s: %d downloads, want %d", step.path, step.user, s.hits.Load(), step.hits)
		}
	}
}

func TestManyTasksFetchOnce(t *testing.T) {
	s := newSite(t)
	f := newFetcher(t, nil)
	errs := make(chan error)
	for range 50 {
		dir := t.TempDir()
		go func() {
			errs <- f.Fetch(t.Context(), fetcher.Request{Sandbox: dir, URIs: []fetcher.URI{{Value: s.URL + "/app.tgz", Cache: true, Extract: true}}})
		}()
	}
	for range 50 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := s.hits.Load(); n != 1 {
		t.Errorf("%d downloads, want 1", n)
	}
}

func TestGivenUpFetchHarmsNobodyElse(t *testing.T) {
	began, release := make(chan struct{}, 2), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		select {
		case <-release:
			fmt.Fprint(w, "x")
		case <-r.Context().Done():
		}
	}))
	defer s.Close()
	f := newFetcher(t, nil)
	uris := []fetcher.URI{{Value: s.URL + "/file", Cache: true}}
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	dirs := []string{t.TempDir(), t.TempDir()}
	go func() { first <- f.Fetch(ctx, fetcher.Request{Sandbox: dirs[0], URIs: uris}) }()
	<-began
	go func() { second <- f.Fetch(t.Context(), fetcher.Request{Sandbox: dirs[1], URIs: uris}) }()
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("Fetch() given up = %v, want canceled", err)
	}
	close(release)
	if err := <-second; err != nil {
		t.Errorf("Fetch() by another = %v, want nil", err)
	}
}
