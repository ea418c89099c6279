package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/sys/unix"

	"github.com/soukproject/souk/agent/archive"
)

// maxLayers is what a container can be made of.
const maxLayers = 127

// nameLength of a layer's folder, in hexadecimal digits: short enough for all to
// fit in the one page of options that a mount takes.
const nameLength = 26

// pull makes an image's layers be there.
func (s *Store) pull(ctx context.Context, ref Ref) (Image, error) {
	img, err := s.open(ctx, ref)
	if err != nil {
		return Image{}, err
	}
	digest, err := img.Digest()
	if err != nil {
		return Image{}, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return Image{}, err
	}
	layers, err := img.Layers()
	if err != nil {
		return Image{}, err
	}
	if len(layers) == 0 || len(layers) > maxLayers {
		return Image{}, fmt.Errorf("it has %d layers, and between 1 and %d are possible", len(layers), maxLayers)
	}
	c := config.Config
	out := Image{
		Name: ref.Name, Digest: digest.String(), Layers: make([]string, len(layers)),
		Env: c.Env, Entrypoint: c.Entrypoint, Cmd: c.Cmd, WorkDir: c.WorkingDir, User: c.User,
	}
	for n, layer := range layers {
		folder, err := s.unpackOnce(ctx, layer)
		if err != nil {
			return Image{}, fmt.Errorf("layer %d of %d: %w", n+1, len(layers), err)
		}
		out.Layers[len(layers)-1-n] = folder
	}
	return out, nil
}

// open finds an image in a registry or folder; little is read of it yet.
func (s *Store) open(ctx context.Context, ref Ref) (v1.Image, error) {
	if filepath.IsAbs(s.cfg.Registry) {
		return fromFolder(s.cfg.Registry, ref.Name)
	}
	host, plainHTTP := strings.CutPrefix(s.cfg.Registry, "http://")
	host = strings.TrimSuffix(strings.TrimPrefix(host, "https://"), "/")
	var options []name.Option
	if host != "" && host != "registry-1.docker.io" {
		options = append(options, name.WithDefaultRegistry(host))
	}
	parsed, err := name.ParseReference(ref.Name, options...)
	if err != nil {
		return nil, err
	}
	if plainHTTP && parsed.Context().RegistryStr() == host { // loopback is asked without encryption anyway
		if parsed, err = name.ParseReference(ref.Name, append(options, name.Insecure)...); err != nil {
			return nil, err
		}
	}
	auth := s.auth
	if ref.Auth != nil {
		if auth, err = parseAuth(ref.Auth); err != nil {
			return nil, err
		}
	}
	return remote.Image(parsed, remote.WithContext(ctx), remote.WithAuthFromKeychain(auth), remote.WithUserAgent("souk-agent"),
		remote.WithPlatform(v1.Platform{OS: "linux", Architecture: runtime.GOARCH}))
}

// fromFolder takes an image from where an operator put it: what docker save
// writes, as NAME:TAG.tar, or an OCI layout, as the folder NAME:TAG.
func fromFolder(dir, ref string) (v1.Image, error) {
	if !filepath.IsLocal(ref) {
		return nil, errors.New("it is no name of an image in a folder")
	}
	if !strings.Contains(filepath.Base(ref), ":") {
		ref += ":latest"
	}
	path := filepath.Join(dir, ref)
	if _, err := os.Stat(path + ".tar"); err == nil {
		return tarball.ImageFromPath(path+".tar", nil)
	}
	index, err := layout.ImageIndexFromPath(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is neither %s.tar nor a folder %s in %s", ref, ref, dir)
	}
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	for _, m := range manifest.Manifests {
		if m.MediaType.IsImage() && (m.Platform == nil || m.Platform.OS == "linux" && m.Platform.Architecture == runtime.GOARCH) {
			return index.Image(m.Digest)
		}
	}
	return nil, fmt.Errorf("the layout in %s has no image for linux/%s", path, runtime.GOARCH)
}

// unpackOnce makes a layer be there and returns the name of its folder.
func (s *Store) unpackOnce(ctx context.Context, layer v1.Layer) (string, error) {
	diff, err := layer.DiffID()
	if err != nil {
		return "", err
	}
	if diff.Algorithm != "sha256" || len(diff.Hex) != 2*sha256.Size {
		return "", fmt.Errorf("its digest %s is no sha256", diff)
	}
	folder := diff.Hex[:nameLength]
	_, err, _ = s.layers.Do(diff.Hex, func() (any, error) {
		if _, err := os.Stat(s.layer(folder)); err == nil {
			return nil, nil
		}
		return nil, s.unpack(ctx, layer, diff.Hex, folder)
	})
	return folder, err
}

// unpack unpacks a layer beside the others and moves it among them when it is
// known to be what the image says, and to be on disk.
func (s *Store) unpack(ctx context.Context, layer v1.Layer, digest, folder string) error {
	tmp, err := os.MkdirTemp(filepath.Join(s.cfg.Dir, "tmp"), "layer")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil { // the root folder of many an image
		return err
	}
	r, err := layer.Uncompressed()
	if err != nil {
		return err
	}
	defer r.Close()
	if err := s.extract(ctx, tmp, digest, r); err != nil {
		return err
	}
	return os.Rename(tmp, s.layer(folder))
}

func (s *Store) extract(ctx context.Context, dir, digest string, r io.Reader) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	sum := sha256.New()
	if err := archive.Tar(root, io.TeeReader(until{ctx, r}, sum), archive.Options{Layer: true, Bytes: s.cfg.MaxBytes}); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != digest {
		return fmt.Errorf("it is damaged: its digest is %s and should be %s", got, digest)
	}
	f, err := root.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	return os.NewSyscallError("syncfs", unix.Syncfs(int(f.Fd())))
}

// until is a reader that ends with a context.
type until struct {
	ctx context.Context
	r   io.Reader
}

func (u until) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// plain says why an image cannot be had, and what a user can do.
func plain(err error) error {
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return network(err)
	}
	switch answer.StatusCode {
	case http.StatusNotFound:
		return errors.New("the registry does not have it: check name and tag")
	case http.StatusUnauthorized, http.StatusForbidden:
		return errors.New("the registry refuses it: it does not exist, or other credentials are needed (--docker_config, or the image's own)")
	case http.StatusTooManyRequests:
		return errors.New("the registry asks to come back later: it counts too many pulls")
	}
	return fmt.Errorf("the registry answers %d: %w", answer.StatusCode, err)
}

// network shortens what a failed connection is told with.
func network(err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		return fmt.Errorf("the registry cannot be reached: %w", op)
	}
	if pe := (*os.PathError)(nil); errors.As(err, &pe) && errors.Is(pe.Err, unix.ENOSPC) {
		return errors.New("the agent's disk is full")
	}
	return err
}
