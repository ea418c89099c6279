// Package archive unpacks files that strangers made: archives that tasks fetch
// and layers of images. Whatever is in one, nothing outside the folder it is
// unpacked in is read or changed, and it takes no more room than it may. It owns
// what of an archive is kept; where archives come from is not its business.
// Without state; safe for concurrent use.
package archive

import (
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// Options say how to unpack.
type Options struct {
	Bytes   int64  // that all files together may have; 0: 20 GiB
	Entries int    // that there may be; 0: a million
	Owner   *Owner // of everything unpacked; nil: the caller, or of a Layer who the archive says
	Layer   bool   // of an image: owners, devices, attributes are kept, and what was deleted is marked for overlayfs
}

// Owner is a user and a group.
type Owner struct{ UID, GID int }

const (
	defaultBytes   = 20 << 30
	defaultEntries = 1_000_000
	maxMemory      = 256 << 20 // of a decompressor
)

// A LimitError says that an archive holds more than it may.
type LimitError struct{ What string }

// Error implements error.
func (e *LimitError) Error() string { return "the archive holds more than " + e.What }

// kind is the format of a file, as its name tells (Mesos looks at nothing else).
type kind struct {
	tar, zip bool
	open     func(io.Reader) (io.Reader, error) // nil: not compressed
}

func kindOf(name string) (kind, bool) {
	lower := strings.ToLower(path.Base(name))
	for _, s := range suffixes() {
		if strings.HasSuffix(lower, s.suffix) && len(lower) > len(s.suffix) {
			return s.kind, true
		}
	}
	return kind{}, false
}

type suffix struct {
	suffix string
	kind   kind
}

// suffixes are those that Mesos knows, and zstd. The first that fits counts.
func suffixes() []suffix {
	return []suffix{
		{".tar", kind{tar: true}},
		{".tgz", kind{tar: true, open: gunzip}}, {".tar.gz", kind{tar: true, open: gunzip}},
		{".tbz2", kind{tar: true, open: bunzip}}, {".tar.bz2", kind{tar: true, open: bunzip}},
		{".txz", kind{tar: true, open: unxz}}, {".tar.xz", kind{tar: true, open: unxz}},
		{".tzst", kind{tar: true, open: unzstd}}, {".tar.zst", kind{tar: true, open: unzstd}},
		{".zip", kind{zip: true}},
		{".gz", kind{open: gunzip}},
	}
}

func gunzip(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }

func bunzip(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil }

func unxz(r io.Reader) (io.Reader, error) { return xz.ReaderConfig{SingleStream: false}.NewReader(r) }

func unzstd(r io.Reader) (io.Reader, error) {
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxMemory))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}

// Known reports whether a file of this name is unpacked.
func Known(name string) bool {
	_, ok := kindOf(name)
	return ok
}

// Unpack unpacks f, whose format its name tells, into dir. A compressed file that
// is no archive becomes one file, named without the suffix.
func Unpack(dir *os.Root, f *os.File, name string, o Options) error {
	k, ok := kindOf(name)
	if !ok {
		return fmt.Errorf("%s is no archive that can be unpacked", name)
	}
	t := newTarget(dir, o)
	if k.zip {
		return plain(t.zip(f))
	}
	var r io.Reader = f
	if k.open != nil {
		var err error
		if r, err = k.open(f); err != nil {
			return plain(err)
		}
		if c, ok := r.(io.Closer); ok {
			defer c.Close()
		}
	}
	if k.tar {
		return plain(t.tar(r))
	}
	base := path.Base(name)
	return plain(t.file(base[:len(base)-len(".gz")], 0o644, r, nil))
}

// Tar unpacks an archive that is not compressed into dir.
func Tar(dir *os.Root, r io.Reader, o Options) error { return plain(newTarget(dir, o).tar(r)) }

// plain says of an archive that ends early what it is.
func plain(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("the archive is cut off or damaged")
	}
	return err
}
