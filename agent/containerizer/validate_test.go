package containerizer

import (
	"strings"
	"syscall"
	"testing"
)

func TestCheckNamesWhatIsWrong(t *testing.T) {
	good := Config{ID: "c1", Sandbox: "/s", Command: Command{Shell: true, Value: "true", Env: []string{"A=b", "EMPTY="}}}
	if err := good.Check(); err != nil {
		t.Fatalf("Check(%+v) = %v, want nil", good, err)
	}
	for _, tt := range []struct {
		name string
		edit func(*Config)
		want string
	}{
		{"no id", func(c *Config) { c.ID = "" }, "id is empty"},
		{"path in id", func(c *Config) { c.ID = "../x" }, "use letters"},
		{"dots as id", func(c *Config) { c.ID = ".." }, "dots"},
		{"long id", func(c *Config) { c.ID = strings.Repeat("x", 201) }, "longer than"},
		{"relative sandbox", func(c *Config) { c.Sandbox = "s" }, "absolute"},
		{"bad hostname", func(c *Config) { c.Hostname = "a b" }, "hostname"},
		{"nested in itself", func(c *Config) { c.Parent = c.ID }, "itself"},
		{"nested with a hostname", func(c *Config) { c.Parent, c.Hostname = "p", "h" }, "that of its parent"},
		{"nested in a path", func(c *Config) { c.Parent = "a/b" }, "parent"},
		{"own process ids of a container that is not nested", func(c *Config) { c.OwnPIDs = true }, "nested"},
		{"no command", func(c *Config) { c.Command.Value = "" }, "command.value"},
		{"shell with arguments", func(c *Config) { c.Command.Args = []string{"x"} }, "takes no arguments"},
		{"NUL in command", func(c *Config) { c.Command.Value = "a\x00b" }, "NUL"},
		{"huge argument", func(c *Config) { c.Command.Value = strings.Repeat("x", 200<<10) }, "too long"},
		{"huge environment", func(c *Config) {
			for range 20 {
				c.Command.Env = append(c.Command.Env, "A="+strings.Repeat("x", 100<<10))
			}
		}, "together"},
		{"environment without name", func(c *Config) { c.Command.Env = []string{"=secret"} }, "environment variable"},
		{"negative memory", func(c *Config) { c.Limits.MemRequest = -1 }, "memory request"},
		{"volume without a target", mounting(Mount{Kind: Tmpfs}), "empty container path"},
		{"volume over everything", mounting(Mount{Kind: Tmpfs, Target: "/."}), "place of everything"},
		{"volume over the sandbox", mounting(Mount{Kind: Tmpfs, Target: "a/.."}), "place of everything"},
		{"volume outside the sandbox", mounting(Mount{Kind: Tmpfs, Target: "a/../../b"}), "out of the sandbox"},
		{"volume in /proc", mounting(Mount{Kind: Tmpfs, Target: "/tmp/../proc/sys"}), "the container's own"},
		{"volume over /dev", mounting(Mount{Kind: Tmpfs, Target: "/dev/"}), "the container's own"},
		{"relative source", mounting(Mount{Kind: Bind, Source: "a", Target: "b"}), "not an absolute path"},
		{"source elsewhere", mounting(Mount{Kind: Bind, Source: "/s/../etc", Within: "/s", Target: "b"}), "does not lie in"},
		{"two volumes at one place", mounting(Mount{Kind: Tmpfs, Target: "a"}, Mount{Kind: Tmpfs, Target: "./a/"}), "two volumes"},
		{"a kind nobody knows", mounting(Mount{Kind: "nfs", Target: "a"}), "unknown kind"},
		{"too many volumes", mounting(make([]Mount, 101)...), "limit is 100"},
		{"too much content", mounting(Mount{Kind: Content, Target: "a", Data: make([]byte, 2<<20)}), "bytes together"},
		{"negative cpus", func(c *Config) { c.Limits.CPULimit = -1 }, "cpu limit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := good
			tt.edit(&c)
			err := c.Check()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Check() = %v, want an error with %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("Check() = %v tells a value of the environment", err)
			}
		})
	}
}

func mounting(mounts ...Mount) func(*Config) {
	return func(c *Config) { c.Mounts = mounts }
}

func TestMemHard(t *testing.T) {
	for _, tt := range []struct {
		name string
		l    Limits
		want int64
	}{
		{"nothing asked", Limits{}, 0},
		{"the request alone", Limits{MemRequest: 64}, 64},
		{"a limit above the request", Limits{MemRequest: 64, MemLimit: 128}, 128},
		{"an infinite limit", Limits{MemRequest: 64, MemLimit: Unlimited}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.l.MemHard(); got != tt.want {
				t.Errorf("MemHard(%+v) = %d, want %d", tt.l, got, tt.want)
			}
		})
	}
}

func TestTerminationReadsRawStatus(t *testing.T) {
	exited := Termination{Known: true, Status: 42 << 8}
	if code, ok := exited.Exited(); code != 42 || !ok {
		t.Errorf("Exited() = %d, %v, want 42, true", code, ok)
	}
	if _, ok := exited.Signaled(); ok {
		t.Error("Signaled() of an exit = true")
	}
	killed := Termination{Known: true, Status: 9}
	if sig, ok := killed.Signaled(); sig != syscall.SIGKILL || !ok {
		t.Errorf("Signaled() = %v, %v, want SIGKILL, true", sig, ok)
	}
	lost := Termination{Reason: Lost}
	if _, ok := lost.Exited(); ok {
		t.Error("Exited() of a lost container = true")
	}
}
