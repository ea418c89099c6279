package daemon_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/soukproject/souk/internal/daemon"
)

type settings struct {
	WorkDir, Name, IP, Credentials string
	Port                           int
	Ping                           time.Duration
	Cache                          uint64
	Quiet, Root                    bool
	Factor                         float64
}

func newFlags() (*daemon.FlagSet, *settings) {
	s := &settings{Port: 5050, Ping: 15 * time.Second, Cache: 2 << 30, Root: true, Factor: 0.8}
	f := daemon.NewFlags("souk test")
	f.Path(&s.WorkDir, "work_dir", "Folder for state")
	f.String(&s.Name, "cluster", "Name of the cluster")
	f.IP(&s.IP, "ip", "Address")
	f.Path(&s.Credentials, "credentials", "File of credentials")
	f.Port(&s.Port, "port", "Port")
	f.Duration(&s.Ping, time.Second, "agent_ping_timeout", "Time between pings")
	f.Bytes(&s.Cache, "fetcher_cache_size", "Size of the cache")
	f.Bool(&s.Quiet, "quiet", "No log")
	f.Bool(&s.Root, "root_submissions", "Allow root")
	f.Float(&s.Factor, "factor", "Factor")
	f.Refuse("acls", "access control is not part of this version: remove the flag")
	f.Ignore("webui_dir")
	f.IgnoreBool("registry_strict")
	f.BoolFunc("authenticate", false, "Not yet", func(on bool) error {
		if on {
			return errors.New("authentication is not part of this version: remove the flag")
		}
		return nil
	})
	f.Alias("slave_ping_timeout", "agent_ping_timeout")
	return f, s
}

func TestFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "value")
	if err := os.WriteFile(file, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	base := func(change func(*settings)) settings {
		_, s := newFlags()
		change(s)
		return *s
	}
	cases := []struct {
		name    string
		args    []string
		environ []string
		want    settings
	}{
		{"nothing given", nil, nil, base(func(s *settings) {})},
		{"Mesos' spelling", []string{"--work_dir=/a", "--agent_ping_timeout=1mins", "--fetcher_cache_size=10MB"}, nil,
			base(func(s *settings) { s.WorkDir, s.Ping, s.Cache = "/a", time.Minute, 10<<20 })},
		{"dashes and a separate value", []string{"--work-dir", "/a", "--port", "0"}, nil,
			base(func(s *settings) { s.WorkDir, s.Port = "/a", 0 })},
		{"booleans", []string{"--quiet", "--no-root-submissions"}, nil,
			base(func(s *settings) { s.Quiet, s.Root = true, false })},
		{"booleans with a value", []string{"--quiet=True", "--root_submissions=0"}, nil,
			base(func(s *settings) { s.Quiet, s.Root = true, false })},
		{"environment", nil, []string{"MESOS_PORT=1", "SOUK_CLUSTER=c", "MESOS_QUIET=true", "PATH=/bin"},
			base(func(s *settings) { s.Port, s.Name, s.Quiet = 1, "c", true })},
		{"our environment beats Mesos'", nil, []string{"SOUK_PORT=2", "MESOS_PORT=1"},
			base(func(s *settings) { s.Port = 2 })},
		{"the command line beats the environment", []string{"--port=3"}, []string{"SOUK_PORT=2"},
			base(func(s *settings) { s.Port = 3 })},
		{"a value from a file", []string{"--cluster=file://" + file}, nil,
			base(func(s *settings) { s.Name = "from a file" })},
		{"a path is not read", []string{"--credentials=file:///etc/c"}, nil,
			base(func(s *settings) { s.Credentials = "/etc/c" })},
		{"an old name", []string{"--slave_ping_timeout=2secs"}, nil,
			base(func(s *settings) { s.Ping = 2 * time.Second })},
		{"flags without a meaning", []string{"--webui_dir=/x", "--no-registry_strict", "--no-authenticate"}, nil, base(func(s *settings) {})},
		{"an equals sign in the value", []string{"--cluster=a=b", "--factor=1e-1"}, nil,
			base(func(s *settings) { s.Name, s.Factor = "a=b", 0.1 })},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f, got := newFlags()
			if err := f.Parse(c.args, c.environ); err != nil {
				t.Fatalf("Parse = %v", err)
			}
			if diff := cmp.Diff(c.want, *got); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFlagErrorsNameTheFlagAndTheRemedy(t *testing.T) {
	cases := []struct {
		name    string
		args    []string
		environ []string
		want    []string
	}{
		{"unknown", []string{"--frobnicate=1"}, nil, []string{"unknown flag --frobnicate", "souk test --help"}},
		{"a typo", []string{"--work_dri=/a"}, nil, []string{"--work_dri", "did you mean --work_dir?"}},
		{"no- of a flag that is not a boolean", []string{"--no-port"}, nil, []string{"unknown flag --no-port"}},
		{"value for --no-", []string{"--no-quiet=true"}, nil, []string{"--no-quiet takes no value"}},
		{"missing value", []string{"--port"}, nil, []string{"--port needs a value", "--port=VALUE"}},
		{"bad port", []string{"--port=70000"}, nil, []string{"--port", "from 0 to 65535"}},
		{"bad duration", []string{"--agent-ping-timeout=soon"}, nil, []string{"--agent-ping-timeout", "such as 15secs"}},
		{"too short", []string{"--agent_ping_timeout=1ms"}, nil, []string{"less than 1secs"}},
		{"bad address", []string{"--ip=localhost"}, nil, []string{"--ip", "not an IP address"}},
		{"bad boolean", []string{"--quiet=perhaps"}, nil, []string{"--quiet", "neither true nor false"}},
		{"in the environment", nil, []string{"MESOS_PORT=x"}, []string{"MESOS_PORT", "from 0 to 65535"}},
		{"given twice", []string{"--port=1", "--port=2"}, nil, []string{"--port was given twice"}},
		{"not a flag", []string{"start"}, nil, []string{`"start"`, "--name=value"}},
		{"not here yet", []string{"--acls={}"}, nil, []string{"--acls", "not part of this version"}},
		{"a boolean that must stay off", []string{"--authenticate"}, nil, []string{"--authenticate", "not part of this version"}},
		{"no such file", []string{"--cluster=file:///nonexistent/x"}, nil, []string{"--cluster", "/nonexistent/x"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f, _ := newFlags()
			err := f.Parse(c.args, c.environ)
			if err == nil {
				t.Fatal("Parse = nil, want an error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Parse = %q, want %q in it", err, want)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("Parse = %q, want one line", err)
			}
		})
	}
}

func TestRequiredFlag(t *testing.T) {
	f, _ := newFlags()
	f.Require("work_dir", "name a folder that survives a restart, such as /var/lib/souk")
	if err := f.Parse(nil, nil); err == nil || !strings.Contains(err.Error(), "--work_dir is required: name a folder") {
		t.Errorf("Parse = %v, want the remedy", err)
	}
	f, _ = newFlags()
	f.Require("work_dir", "x")
	if err := f.Parse(nil, []string{"MESOS_WORK_DIR=/a"}); err != nil {
		t.Errorf("Parse = %v, want nil", err)
	}
}

func TestFlagsAreListed(t *testing.T) {
	f, _ := newFlags()
	if err := f.Parse([]string{"--slave_ping_timeout=2secs", "--webui_dir=/x"}, nil); err != nil {
		t.Fatal(err)
	}
	values := make(map[string]string)
	for _, fl := range f.Flags() {
		if fl.Set {
			values[fl.Name] = fl.Value
		}
	}
	want := map[string]string{"agent_ping_timeout": "2secs", "port": "5050", "fetcher_cache_size": "2GB",
		"quiet": "false", "authenticate": "false", "root_submissions": "true", "factor": "0.8"}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("flags with a value (-want +got):\n%s", diff)
	}
	if w := f.Warnings(); len(w) != 2 || !strings.Contains(w[0], "agent_ping_timeout") || !strings.Contains(w[1], "--webui_dir has no effect") {
		t.Errorf("Warnings = %q, want one about the old name and one about what has no meaning", w)
	}
	if usage := f.Usage(); !strings.Contains(usage, "--[no-]quiet (default false)") || strings.Contains(usage, "acls") {
		t.Errorf("Usage = %s", usage)
	}
	if err := f.Parse([]string{"--help"}, nil); !errors.Is(err, daemon.ErrHelp) {
		t.Errorf("Parse(--help) = %v, want ErrHelp", err)
	}
}

func TestFlagsShowNoCredentials(t *testing.T) {
	f := daemon.NewFlags("souk test")
	var zk string
	f.String(&zk, "zk", "Where")
	if err := f.Parse([]string{"--zk=zk://me:sec@ret@a:2181,b:2181/m"}, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := f.Flags()[0].Value, "zk://a:2181,b:2181/m"; got != want || zk == want {
		t.Errorf("shown value = %q, want %q; value = %q", got, want, zk)
	}
}

// TestOperands: what is no flag is kept in order, and all after -- is such.
func TestOperands(t *testing.T) {
	var operands, env []string
	var a, b bool
	parse := func(args ...string) error {
		operands, env, a, b = nil, nil, false, false
		f := daemon.NewFlags("souk test")
		f.Bool(&a, "all", "All")
		f.Bool(&b, "best", "Best")
		f.Letter("a", "all")
		f.Letter("b", "best")
		f.List(&env, "env", "Environment", func(text string) error {
			if text == "" {
				return errors.New("empty")
			}
			return nil
		})
		f.Operands(&operands, "WORD")
		if !strings.HasPrefix(f.Usage(), "Usage: souk test [flags] WORD\n") {
			t.Errorf("usage is %s", f.Usage())
		}
		return f.Parse(args, nil)
	}
	if err := parse("x", "-ab", "--env=1", "y", "--env", "2", "--", "--best", "-c", "--"); err != nil || !a || !b {
		t.Errorf("parse: %v, -a %t, -b %t, want both", err, a, b)
	}
	if diff := cmp.Diff([]string{"x", "y", "--best", "-c", "--"}, operands); diff != "" {
		t.Errorf("operands (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"1", "2"}, env); diff != "" {
		t.Errorf("env (-want +got):\n%s", diff)
	}
	for _, args := range [][]string{{"-"}, {"-c"}, {"-ac"}, {"--env="}} {
		if err := parse(args...); err == nil {
			t.Errorf("parse %q: no error", args)
		}
	}
	f, _ := newFlags()
	for _, args := range [][]string{{"x"}, {"--"}, {"--", "x"}} {
		if err := f.Parse(args, nil); err == nil {
			t.Errorf("parse %q without operands: no error", args)
		}
	}
}
