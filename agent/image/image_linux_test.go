package image_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/soukproject/souk/agent/image"
)

// server is a registry that counts what is fetched from it.
type server struct {
	*httptest.Server
	blobs  atomic.Int64
	secret string // that is asked for, if not ""
}

func newServer(t *testing.T) *server {
	s := &server{}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); s.secret != "" && password != s.secret {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			s.blobs.Add(1)
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) host() string { return strings.TrimPrefix(s.URL, "http://") }

func (s *server) push(t *testing.T, repository string, img v1.Image) string {
	t.Helper()
	ref, err := name.ParseReference(s.host() + "/" + repository)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	return ref.String()
}

// layer is one with a file, or with a name of the tester's choice.
func layer(t *testing.T, file, content string) v1.Layer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: file, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, content)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func build(t *testing.T, layers ...v1.Layer) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(empty.Image, layers...)
	if err == nil {
		img, err = mutate.Config(img, v1.Config{Env: []string{"A=b"}, Entrypoint: []string{"/run"}, Cmd: []string{"x"}, WorkingDir: "/w", User: "app"})
	}
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func open(t *testing.T, edit func(*image.Config)) *image.Store {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("layers keep owners, which needs root")
	}
	cfg := image.Config{Dir: t.TempDir()}
	if edit != nil {
		edit(&cfg)
	}
	s, err := image.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestImageIsPulledOnce(t *testing.T) {
	r := newServer(t)
	base := layer(t, "base", "1")
	ref := r.push(t, "team/app:v1", build(t, base, layer(t, "etc/top", "2")))
	other := r.push(t, "team/other", build(t, base, layer(t, "etc/other", "3")))
	s := open(t, nil)
	errs := make(chan error)
	for n := range 20 {
		go func() {
			i, err := s.Get(t.Context(), fmt.Sprintf("c%d", n), image.Ref{Name: ref})
			if err == nil && (len(i.Layers) != 2 || i.Entrypoint[0] != "/run" || i.Cmd[0] != "x" || i.Env[0] != "A=b" || i.WorkDir != "/w" || i.User != "app") {
				err = fmt.Errorf("image = %+v", i)
			}
			if err == nil {
				_, err = os.Stat(filepath.Join(i.Layers[0], "etc/top"))
			}
			errs <- err
		}()
	}
	for range 20 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := r.blobs.Load(); n != 3 {
		t.Errorf("%d blobs fetched for 20 containers, want a config and two layers", n)
	}
	if _, err := s.Get(t.Context(), "d", image.Ref{Name: other}); err != nil {
		t.Error(err)
	}
	if n := r.blobs.Load(); n != 5 {
		t.Errorf("%d blobs fetched, want two more: the base is there", n)
	}
	r.Close()
	if _, err := s.Get(t.Context(), "e", image.Ref{Name: ref}); err != nil {
		t.Errorf("Get() of what is there = %v, want nil without the registry", err)
	}
	if _, err := s.Get(t.Context(), "f", image.Ref{Name: ref, Fresh: true}); err == nil || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("Get() afresh = %v, want that the registry cannot be reached", err)
	}
}

func TestImagesThatCannotBeHad(t *testing.T) {
	r := newServer(t)
	bomb := r.push(t, "bomb", build(t, layer(t, "zeros", strings.Repeat("\x00", 1<<20))))
	escape := r.push(t, "escape", build(t, layer(t, "../../escape", "x")))
	none := r.push(t, "none", empty.Image)
	dir := t.TempDir()
	s := open(t, func(c *image.Config) { c.Dir, c.MaxBytes = dir, 1<<19 })
	for _, tt := range []struct{ name, ref, want string }{
		{"not there", r.host() + "/absent", "does not have it: check name and tag"},
		{"no name", "UPPER CASE", "could not parse"},
		{"nobody answers", "127.0.0.1:1/x", "cannot be reached"},
		{"bomb", bomb, "holds more than 524288 bytes"},
		{"attack", escape, "leads out of the folder"},
		{"nothing in it", none, "0 layers"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := s.Get(t.Context(), "c", image.Ref{Name: tt.ref}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Get() = %v, want %q", err, tt.want)
			}
		})
	}
	for _, folder := range []string{"tmp", "layers", "images", "leases"} {
		if left, err := os.ReadDir(filepath.Join(dir, folder)); err != nil || len(left) > 0 {
			t.Errorf("left in %s: %v, %v", folder, left, err)
		}
	}
}

// lying is a layer that is not what the image says.
type lying struct{ v1.Layer }

func (lying) DiffID() (v1.Hash, error) { return v1.NewHash("sha256:" + strings.Repeat("ab", 32)) }

func TestDamagedLayer(t *testing.T) {
	r := newServer(t)
	ref := r.push(t, "damaged", build(t, lying{layer(t, "f", "x")}))
	if _, err := open(t, nil).Get(t.Context(), "c", image.Ref{Name: ref}); err == nil || !strings.Contains(err.Error(), "it is damaged") {
		t.Errorf("Get() = %v, want that it is damaged", err)
	}
}

func TestCredentials(t *testing.T) {
	r := newServer(t)
	ref := r.push(t, "private", build(t, layer(t, "f", "x")))
	r.secret = "hush"
	config := func(password string) []byte {
		return fmt.Appendf(nil, `{"auths": {"http://%s/v1/": {"username": "me", "password": %q}}}`, r.host(), password)
	}
	s := open(t, func(c *image.Config) { c.Auth = config("hush") })
	if _, err := s.Get(t.Context(), "c", image.Ref{Name: ref}); err != nil {
		t.Errorf("Get() with the agent's credentials = %v", err)
	}
	for _, auth := range [][]byte{config("wrong"), []byte(`{}`)} {
		_, err := s.Get(t.Context(), "c", image.Ref{Name: ref, Auth: auth})
		if err == nil || !strings.Contains(err.Error(), "other credentials are needed") || strings.Contains(err.Error(), "wrong") {
			t.Errorf("Get() with %s = %v, want a refusal although the image is there", auth, err)
		}
	}
	if _, err := s.Get(t.Context(), "c", image.Ref{Name: ref, Auth: []byte("hush")}); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("Get() with bad credentials = %v, want an error that does not tell them", err)
	}
}

func TestImagesInAFolder(t *testing.T) {
	dir, img := t.TempDir(), build(t, layer(t, "f", "x"))
	tag, err := name.NewTag("app:v1")
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, "team"), 0o755)
	}
	if err == nil {
		err = tarball.WriteToFile(filepath.Join(dir, "team/app:v1.tar"), tag, img)
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := layout.Write(filepath.Join(dir, "laid:latest"), empty.Index)
	if err == nil {
		err = p.AppendImage(img)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, func(c *image.Config) { c.Registry = dir })
	for ref, want := range map[string]string{"team/app:v1": "", "laid": "", "absent": "neither absent:latest.tar nor", "../x": "no name"} {
		_, err := s.Get(t.Context(), "c", image.Ref{Name: ref})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("Get(%s) = %v, want %q", ref, err, want)
		}
	}
}

func TestPruneLeavesWhatIsUsed(t *testing.T) {
	r := newServer(t)
	dir := t.TempDir()
	s := open(t, func(c *image.Config) { c.Dir = dir })
	refs := map[string]string{}
	for _, which := range []string{"used", "unused", "excluded"} {
		refs[which] = r.push(t, which, build(t, layer(t, which, which)))
		if _, err := s.Get(t.Context(), which, image.Ref{Name: refs[which]}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Recover([]string{"used"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Prune([]string{refs["excluded"]}); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "layers")); err != nil || len(left) != 2 {
		t.Errorf("layers left: %v, %v, want those used and excluded", left, err)
	}
	if err := errors.Join(s.Release("used"), s.Release("used"), s.Prune(nil)); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "layers")); err != nil || len(left) != 0 {
		t.Errorf("layers left: %v, %v, want none", left, err)
	}
	if _, err := s.Get(t.Context(), "c", image.Ref{Name: refs["used"]}); err != nil {
		t.Errorf("Get() of what was pruned = %v, want it again", err)
	}
}
