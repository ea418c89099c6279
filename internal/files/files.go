// Package files shows files to those outside as Mesos does: listings, pieces and
// downloads over HTTP, and the messages of LIST_FILES and READ_FILE. What may be
// seen, and under which names, is a Source's to say. Safe for concurrent use if
// the Source is.
package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

var (
	// ErrNotFound says that nothing readable has this path.
	ErrNotFound = errors.New("no such file")
	// ErrInaccessible says that a path leaves the directory it begins in.
	ErrInaccessible = errors.New("path leaves its directory")
	// ErrDirectory says that a file was wanted and a directory is there.
	ErrDirectory = errors.New("is a directory")
)

// A Source is what may be seen, by virtual path. Errors are those above.
type Source interface {
	// List lists a directory, sorted by name; of a file it is empty.
	List(name string) ([]Entry, error)
	// Open opens a regular file for reading.
	Open(name string) (*os.File, fs.FileInfo, error)
}

// An Entry is a file in a listing.
type Entry struct {
	Path     string // virtual, as it can be asked for
	Info     fs.FileInfo
	Links    uint64
	User     string // name, or number without one
	Group    string
	Modified time.Time
}

// NewEntry is a file under a virtual path.
func NewEntry(name string, info fs.FileInfo) Entry {
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

// message is an entry as LIST_FILES shows it.
func (e Entry) message() *mesospb.FileInfo {
	return &mesospb.FileInfo{
		Path: &e.Path, Nlink: new(int32(e.Links)), Size: new(uint64(e.Info.Size())),
		Mtime: &mesospb.TimeInfo{Nanoseconds: new(e.Modified.Unix() * int64(time.Second))},
		Mode:  new(e.unixMode()), Uid: &e.User, Gid: &e.Group,
	}
}

// unixMode is type and permissions as stat has them.
func (e Entry) unixMode() uint32 {
	if st, ok := e.Info.Sys().(*syscall.Stat_t); ok {
		return uint32(st.Mode)
	}
	return uint32(e.Info.Mode().Perm())
}

// Messages lists a directory for LIST_FILES.
func Messages(s Source, name string) ([]*mesospb.FileInfo, error) {
	entries, err := s.List(name)
	if err != nil {
		return nil, err
	}
	var list []*mesospb.FileInfo
	for _, e := range entries {
		list = append(list, e.message())
	}
	return list, nil
}

// Piece reads at most 64 KiB of a file; an offset below 0 reads nothing.
func Piece(s Source, name string, offset, length int64) (data []byte, size int64, err error) {
	file, info, err := s.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	if offset < 0 || offset >= info.Size() {
		return nil, info.Size(), nil
	}
	if length < 0 || length > maxRead {
		length = maxRead
	}
	data, err = io.ReadAll(io.NewSectionReader(file, offset, length))
	return data, info.Size(), err
}

// maxRead is the most that one read returns (Mesos: 16 pages).
const maxRead = 16 * 4096

// Named are single files under names of their own, such as a log: virtual path → file.
type Named map[string]string

var _ Source = Named(nil)

// List is part of Source.
func (n Named) List(name string) ([]Entry, error) {
	file, _, err := n.Open(name)
	if err != nil {
		return nil, err
	}
	return nil, file.Close()
}

// Open is part of Source. It does not wait for the other end of a pipe.
func (n Named) Open(name string) (*os.File, fs.FileInfo, error) {
	real, ok := n[strings.TrimRight(name, "/")]
	if !ok {
		return nil, nil, ErrNotFound
	}
	file, err := os.OpenFile(real, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, ErrNotFound
	}
	return Regular(file)
}

// Regular returns an open file with what it is, or closes it and says why it is
// not to be read.
func Regular(file *os.File) (*os.File, fs.FileInfo, error) {
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
