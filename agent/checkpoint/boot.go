package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Boot returns the boot id that was stored last, "" if none was.
func (l *Log) Boot() (string, error) {
	data, err := os.ReadFile(filepath.Join(l.dir, "boot_id"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(data)), err
}

// SetBoot stores the machine's boot id, once what follows from a new one is durable.
func (l *Log) SetBoot(id string) error {
	return l.withReserve(func() error {
		f, err := replace(filepath.Join(l.dir, "boot_id"), []byte(id+"\n"))
		if err != nil {
			return fmt.Errorf("store boot id: %w", err)
		}
		return f.Close()
	})
}
