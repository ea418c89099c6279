package local_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFullDisk: without room for the state the cluster goes on as it is, takes
// nothing that it could not keep, and takes it once there is room again.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("mounting a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	c := newCluster(t, "--containerizer", "posix", "--log-dir", t.TempDir())
	c.args[2] = filepath.Join(disk, "souk") // behind --work-dir
	c.start()
	c.call(http.MethodPost, c.marathon+"/v2/apps", sample(t, "api-app-simple.json"), http.StatusCreated)
	before := ids(c.running("simple", 2))

	filler := filepath.Join(disk, "filler")
	fill(t, filler)
	large := fmt.Sprintf(`{"id":"large","cmd":"sleep 1000","instances":0,"labels":{"text":%q}}`, strings.Repeat("x", 500_000))
	if resp, err := http.Post(c.marathon+"/v2/apps", "application/json", strings.NewReader(large)); err == nil {
		resp.Body.Close()
		if resp.StatusCode < 500 {
			t.Errorf("POST on a full disk = %s, want it refused", resp.Status)
		}
	}
	job := fmt.Sprintf(`{"name":"large","command":"true","schedule":"R/2099-01-01T00:00:00Z/P1D","description":%q}`, strings.Repeat("x", 50_000))
	if resp, err := http.Post(c.chrono+"/v1/scheduler/iso8601", "application/json", strings.NewReader(job)); err == nil {
		resp.Body.Close()
		if resp.StatusCode < 500 {
			t.Errorf("POST on a full disk = %s, want it refused", resp.Status)
		}
	}
	c.eventually("both are back on the full disk", func() error {
		if err := c.get(c.chrono+"/v1/scheduler/jobs", new([]any)); err != nil {
			return err
		}
		return c.get(c.marathon+"/v2/apps", new(map[string]any))
	})
	if after := ids(c.running("simple", 2)); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("on a full disk the tasks are %v, want %v", after, before)
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	for url, body := range map[string]string{c.marathon + "/v2/apps": large, c.chrono + "/v1/scheduler/iso8601": job} {
		c.eventually("a POST is taken once there is room", func() error {
			resp, err := http.Post(url, "application/json", strings.NewReader(body))
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if resp.StatusCode/100 != 2 {
				return errors.New(resp.Status)
			}
			return nil
		})
	}
	if after := ids(c.running("simple", 2)); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("with room again the tasks are %v, want %v", after, before)
	}
	for _, app := range []string{"simple", "large"} {
		c.call(http.MethodDelete, c.marathon+"/v2/apps/"+app, "", http.StatusOK)
	}
	c.idle()
}

// fill writes into path until there is no room left.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			size /= 2
		}
	}
}
