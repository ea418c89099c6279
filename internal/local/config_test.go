package local_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/soukproject/souk/internal/local"
)

// TestFolders: whatever the user gives, the folders are absolute.
func TestFolders(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ args, workDir, logDir string }{
		{"", ".souk", ".souk/log"},
		{"--work-dir w", "w", "w/log"},
		{"--log-dir l", ".souk", "l"},
	} {
		cfg, err := local.ParseFlags(strings.Fields(tt.args), nil)
		if err != nil {
			t.Fatalf("ParseFlags(%q) = %v", tt.args, err)
		}
		if want := filepath.Join(here, tt.workDir); cfg.WorkDir != want {
			t.Errorf("ParseFlags(%q).WorkDir = %s, want %s", tt.args, cfg.WorkDir, want)
		}
		if want := filepath.Join(here, tt.logDir); cfg.Logging.Dir != want {
			t.Errorf("ParseFlags(%q).Logging.Dir = %s, want %s", tt.args, cfg.Logging.Dir, want)
		}
	}
}

// TestWorkDirThatIsNone: the error names the flag that is wrong.
func TestWorkDirThatIsNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		if _, err := local.ParseFlags([]string{"--work-dir", dir}, nil); err == nil || !strings.HasPrefix(err.Error(), "flag --work_dir: ") {
			t.Errorf("ParseFlags(--work-dir %s) = %v, want an error naming --work_dir", dir, err)
		}
	}
}
