package disk

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Projects hold folders of an XFS file system to limits, which the kernel keeps: a
// task that reaches its own cannot write. Each folder is a project, a number that
// all in it bears. Which numbers are taken only the kernel knows, so that nothing
// has to be remembered.
type Projects struct {
	dir         *os.File // on the file system
	first, last uint32

	mu   sync.Mutex
	next uint32 // where to look for a free number
}

// OpenProjects returns the projects first to last of the file system that dir is
// on, or says what it lacks.
func OpenProjects(dir string, first, last uint32) (*Projects, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	p := &Projects{dir: f, first: first, last: last, next: first}
	if err := p.usable(); err != nil {
		f.Close()
		return nil, fmt.Errorf("folder %s has no project quotas: %w", dir, err)
	}
	return p, nil
}

// Close leaves the limits in force.
func (p *Projects) Close() error { return p.dir.Close() }

func (p *Projects) usable() error {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(p.dir.Fd()), &st); err != nil {
		return os.NewSyscallError("fstatfs", err)
	}
	if st.Type != unix.XFS_SUPER_MAGIC {
		return errors.New("it does not lie on XFS")
	}
	var state quotaState
	err := p.quota(getState, 0, unsafe.Pointer(&state))
	switch {
	case errors.Is(err, unix.ENOSYS):
		return errors.New("the kernel has no quotas for XFS")
	case err != nil:
		return err
	case state.flags&projectsEnforced == 0:
		return errors.New("mount it with the option prjquota")
	}
	return nil
}

// Assign makes a new folder a project that may have up to limit bytes.
func (p *Projects) Assign(folder string, limit int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, err := p.free()
	if err == nil {
		err = p.setLimit(id, limit)
	}
	if err == nil {
		err = p.mark(folder, id)
	}
	if err != nil {
		return fmt.Errorf("hold %s to %d bytes: %w", folder, limit, err)
	}
	return nil
}

// free finds a number that no file bears. p.mu is held.
func (p *Projects) free() (uint32, error) {
	for range p.last - p.first + 1 {
		id := p.next
		if p.next++; p.next > p.last {
			p.next = p.first
		}
		q, err := p.read(id)
		switch {
		case err != nil:
			return 0, err
		case q.inodes == 0:
			return id, nil
		}
	}
	return 0, fmt.Errorf("all projects from %d to %d are taken: enlarge --xfs_project_range", p.first, p.last)
}

// Limit changes the limit of a folder that is a project; of another it does nothing.
func (p *Projects) Limit(folder string, limit int64) error {
	id, err := p.of(folder)
	if err != nil || id == 0 {
		return err
	}
	return p.setLimit(id, limit)
}

// Usage is how many bytes a folder has that is a project; ok tells whether it is.
func (p *Projects) Usage(folder string) (used int64, ok bool, err error) {
	id, err := p.of(folder)
	if err != nil || id == 0 {
		return 0, false, err
	}
	q, err := p.read(id)
	return int64(q.blocks) * blockSize, err == nil, err
}

// of is the project of a folder, 0 if it is none of ours.
func (p *Projects) of(folder string) (uint32, error) {
	a, err := attributesOf(folder, nil)
	if err != nil || a.project < p.first || a.project > p.last {
		return 0, err
	}
	return a.project, nil
}

// mark gives a folder a project, which all that is made in it has from then on.
func (p *Projects) mark(folder string, id uint32) error {
	const inherit = 0x200
	_, err := attributesOf(folder, func(a *attributes) { a.project, a.flags = id, a.flags|inherit })
	return err
}

func (p *Projects) setLimit(id uint32, limit int64) error {
	q := quota{version: 1, kind: projectKind, fields: softBlocks | hardBlocks, id: id}
	q.hard = uint64((limit + blockSize - 1) / blockSize)
	q.soft = q.hard
	return p.quota(setQuota, id, unsafe.Pointer(&q))
}

// read is what the kernel knows of a project; of one it does not know, nothing.
func (p *Projects) read(id uint32) (q quota, err error) {
	err = p.quota(getQuota, id, unsafe.Pointer(&q))
	if errors.Is(err, unix.ENOENT) {
		return quota{}, nil
	}
	return q, err
}

// The kernel's interface: dqblk_xfs.h and fs.h.

type quota struct {
	version, kind  int8
	fields         uint16
	id             uint32
	hard, soft     uint64 // in blocks of 512 bytes
	_, _           uint64 // of inodes
	blocks, inodes uint64 // in use
	_              [56]byte
}

type quotaState struct {
	version int8
	_       int8
	flags   uint16
	_       [124]byte
}

type attributes struct {
	flags, _, _, project, _ uint32
	_                       [8]byte
}

const (
	projectQuota     = 2
	getQuota         = 'X'<<8 + 3
	setQuota         = 'X'<<8 + 4
	getState         = 'X'<<8 + 5
	projectKind      = 2
	softBlocks       = 1 << 2
	hardBlocks       = 1 << 3
	projectsEnforced = 1 << 5

	getAttributes = 0x801c581f
	setAttributes = 0x401c5820
)

func (p *Projects) quota(command, id uint32, data unsafe.Pointer) error {
	_, _, errno := unix.Syscall6(unix.SYS_QUOTACTL_FD, p.dir.Fd(), uintptr(command<<8|projectQuota), uintptr(id), uintptr(data), 0, 0)
	if errno != 0 {
		return os.NewSyscallError("quotactl_fd", errno)
	}
	return nil
}

// attributesOf reads the attributes of a folder, and writes them back if change is
// not nil.
func attributesOf(folder string, change func(*attributes)) (a attributes, err error) {
	fd, err := unix.Open(folder, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return a, &os.PathError{Op: "open", Path: folder, Err: err}
	}
	defer unix.Close(fd)
	if err := control(fd, getAttributes, &a); err != nil || change == nil {
		return a, err
	}
	change(&a)
	return a, control(fd, setAttributes, &a)
}

func control(fd int, request uintptr, a *attributes) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(a))); errno != 0 {
		return os.NewSyscallError("ioctl", errno)
	}
	return nil
}
