package runc

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// HelperName is the file name of the helper program.
const HelperName = "souk-containerizer"

// FindHelper returns the path of the helper: the one given, or else the one
// beside the running program.
func FindHelper(given string) (string, error) {
	path := given
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return "", err
		}
		path = filepath.Join(filepath.Dir(self), HelperName)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && given == "":
		return "", fmt.Errorf("helper program %s does not exist: build it with make build, or name it with --containerizer-helper", path)
	case err != nil:
		return "", fmt.Errorf("helper program: %w", err)
	case info.IsDir() || info.Mode()&0o111 == 0:
		return "", fmt.Errorf("helper program %s is not executable", path)
	}
	return path, nil
}

// seal copies the program at path into memory where nobody can change it. An
// agent keeps using the helper it was built with although a new one is installed,
// a container cannot overwrite the program that launched it, and libcontainer,
// which would otherwise make a copy per launch, sees that it need not.
func seal(path string) (*os.File, error) {
	src, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	if _, err := elf.NewFile(src); err != nil {
		return nil, fmt.Errorf("helper program %s: %w", path, err)
	}
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	f, err := memfd()
	if err != nil {
		return nil, fmt.Errorf("copy helper program: %w", err)
	}
	if _, err := io.Copy(f, src); err == nil {
		err = f.Chmod(0o755)
	}
	if err == nil {
		seals := unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
		_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("copy helper program: %w", err)
	}
	return f, nil
}

// memfd says that the file is to be executed, which kernels before 6.3 do not
// know and allow anyway.
func memfd() (*os.File, error) {
	flags := unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(HelperName, flags|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate(HelperName, flags)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), HelperName), nil
}
