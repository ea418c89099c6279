package posix

import (
	"fmt"
	"os"
	"testing"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/keeper"
	"github.com/soukproject/souk/agent/containerizer/shim"
)

// unsure is a driver whose helper is killed over its first launch, before or
// after it has started a shim.
type unsure struct {
	driver
	started bool
	calls   int
}

func (u *unsure) Start(dir shim.Dir, s shim.Spec, files []*os.File) (int, error) {
	u.calls++
	if u.calls > 1 {
		return u.driver.Start(dir, s, files)
	}
	if u.started {
		if _, err := u.driver.Start(dir, s, files); err != nil {
			return 0, err
		}
	}
	return 0, fmt.Errorf("start: %w", keeper.ErrUnsure)
}

func TestALaunchOverWhichTheHelperDiesIsOneLaunch(t *testing.T) {
	for _, started := range []bool{false, true} {
		t.Run(fmt.Sprintf("started=%v", started), func(t *testing.T) {
			d := &unsure{started: started}
			k, err := keeper.Open(keeper.Config{Root: t.TempDir(), Driver: d})
			if err != nil {
				t.Fatal(err)
			}
			defer k.Close()
			if _, err := k.Recover(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			sandbox := t.TempDir()
			_, err = k.Launch(t.Context(), containerizer.Config{
				ID: "c", Sandbox: sandbox, Command: containerizer.Command{Shell: true, Value: "echo once; exit 7"},
			})
			if err != nil {
				t.Fatalf("Launch() = %v, want nil", err)
			}
			term, err := k.Wait(t.Context(), "c")
			if code, ok := term.Exited(); err != nil || !ok || code != 7 {
				t.Errorf("Wait() = %+v, %v, want exit code 7", term, err)
			}
			if out, err := os.ReadFile(sandbox + "/stdout"); string(out) != "once\n" {
				t.Errorf("output = %q, %v, want that of one command", out, err)
			}
			if want := 2 - map[bool]int{true: 1}[started]; d.calls != want {
				t.Errorf("shims asked for = %d, want %d", d.calls, want)
			}
			if err := k.Destroy(t.Context(), "c"); err != nil {
				t.Error(err)
			}
		})
	}
}
