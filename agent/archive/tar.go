package archive

import (
	"archive/tar"
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

func (t *target) tar(r io.Reader) error {
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return errors.Join(t.close(), t.drain(r))
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return err
		}
		if err := t.count(); err != nil {
			return err
		}
		if err := t.tarEntry(tr, h); err != nil {
			return named(h.Name, err)
		}
	}
}

// drain reads what follows the archive's end, so that a checksum there is checked.
func (t *target) drain(r io.Reader) error {
	n, err := io.Copy(io.Discard, io.LimitReader(r, t.bytes+1))
	if n > t.bytes {
		return t.tooLarge()
	}
	return err
}

func (t *target) tarEntry(r io.Reader, h *tar.Header) error {
	name, err := local(h.Name)
	if err != nil {
		return err
	}
	m := meta{mode: h.FileInfo().Mode(), uid: h.Uid, gid: h.Gid, modified: h.ModTime, xattrs: xattrs(h)}
	if t.options.Layer {
		if done, err := t.whiteout(name); done || err != nil {
			return err
		}
	}
	switch {
	case h.Typeflag == tar.TypeDir:
		return t.folder(name, m)
	case h.Typeflag == tar.TypeXGlobalHeader:
		return nil
	case name == "":
		return errors.New("it takes the place of the folder itself")
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		return t.file(name, m.mode, r, &m)
	case tar.TypeSymlink:
		return t.symlink(name, h.Linkname, m)
	case tar.TypeLink:
		return t.link(name, h.Linkname)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		if t.options.Layer {
			return t.device(name, h, m)
		}
		return errors.New("it is a device or pipe, which do not belong in an archive")
	}
	return fmt.Errorf("it is of unknown type %q", h.Typeflag)
}

// xattrs are the extended attributes that a tar header carries.
func xattrs(h *tar.Header) map[string]string {
	var m map[string]string
	for key, value := range h.PAXRecords {
		if name, ok := strings.CutPrefix(key, "SCHILY.xattr."); ok {
			if m == nil {
				m = map[string]string{}
			}
			m[name] = value
		}
	}
	return m
}

func (t *target) zip(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	zr, err := zip.NewReader(f, info.Size())
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return err
	}
	for _, z := range zr.File {
		if err := t.count(); err != nil {
			return err
		}
		if err := t.zipEntry(z); err != nil {
			return named(z.Name, err)
		}
	}
	return t.close()
}

// maxLink is what the target of a symbolic link may have, in bytes.
const maxLink = 4095

func (t *target) zipEntry(z *zip.File) error {
	name, err := local(z.Name)
	if err != nil {
		return err
	}
	m := meta{mode: z.Mode(), modified: z.Modified}
	if m.mode.IsDir() {
		if m.mode.Perm() == 0 {
			m.mode |= 0o755 // made where there are no such rights
		}
		return t.folder(name, m)
	}
	if name == "" {
		return errors.New("it takes the place of the folder itself")
	}
	r, err := z.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	switch {
	case m.mode&fs.ModeSymlink != 0:
		to, err := io.ReadAll(io.LimitReader(r, maxLink))
		if err != nil {
			return err
		}
		return t.symlink(name, string(to), m)
	case !m.mode.IsRegular():
		return errors.New("it is a device or pipe, which do not belong in an archive")
	}
	if m.mode.Perm() == 0 {
		m.mode |= 0o644
	}
	return t.file(name, m.mode, r, &m)
}
