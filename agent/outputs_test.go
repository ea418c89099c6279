package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/soukproject/souk/agent/rotation"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

func withVariable(t *mesospb.TaskInfo, name, value string) *mesospb.TaskInfo {
	if t.Command.Environment == nil {
		t.Command.Environment = &mesospb.Environment{}
	}
	t.Command.Environment.Variables = append(t.Command.Environment.Variables, &mesospb.Environment_Variable{Name: &name, Value: &value})
	return t
}

func TestOutputIsRotated(t *testing.T) {
	m := newFakeMaster(t)
	cfg := testConfig(t, m)
	cfg.RotateOutput, cfg.OutputSize, cfg.OutputFiles = true, 20_000, 2
	a := start(t, cfg)
	eventually(t, "subscription", func() bool { n, _ := m.sessions(); return n == 1 })
	talk := "i=0; while true; do i=$((i+1)); echo line $i of many that this task has to say; [ $((i%100)) = 0 ] && sleep 0.02; done"
	m.run(command("talks", talk), withVariable(command("more", talk), "CONTAINER_LOGGER_MAX_STDOUT_SIZE", "1GB"),
		withVariable(command("wrong", "true"), "CONTAINER_LOGGER_LOGROTATE_STDERR_OPTIONS", "compress"))
	var changed time.Time // of the last file that was looked at
	file := func(task, name string) int64 {
		paths, err := filepath.Glob(cfg.WorkDir + "/slaves/*/frameworks/*/executors/" + task + "/runs/latest/" + name)
		if err != nil || len(paths) != 1 {
			return -1
		}
		info, err := os.Stat(paths[0])
		if err != nil {
			return -1
		}
		changed = info.ModTime()
		return info.Size()
	}
	eventually(t, "two older files", func() bool { return file("talks", "stdout.2") > 8192 })
	if file("talks", "stdout.3") >= 0 || file("talks", "stderr.1") >= 0 {
		t.Error("there are files that there should not be")
	}
	eventually(t, "refusal", func() bool { return strings.HasSuffix(m.states("wrong"), "FAILED") })
	if got := m.last("wrong").GetMessage(); !strings.Contains(got, `CONTAINER_LOGGER_LOGROTATE_STDERR_OPTIONS: option "compress" of logrotate`) {
		t.Errorf("message = %q, want one that names the option", got)
	}
	if file("more", "stdout.1") >= 0 {
		t.Error("the output of a task that wants more of it was rotated")
	}
	a.end()
	file("talks", "stdout.1")
	before := changed
	cfg.AdvertisePort, _ = portOf(a.address) // the port was the system's choice; it must not change
	start(t, cfg)
	eventually(t, "rotation by the next agent", func() bool { return file("talks", "stdout.1") > 0 && changed.After(before) })
	for _, task := range []string{"talks", "more"} {
		m.kill(task)
	}
	eventually(t, "end", func() bool { return strings.HasSuffix(m.states("talks")+m.states("more"), "KILLED") })
}

func TestOutputPoliciesOfATask(t *testing.T) {
	a := &agent{cfg: Config{OutputSize: 10 << 20, OutputFiles: 9}}
	for _, tt := range []struct {
		name, variable, value string
		stdout, stderr        rotation.Policy
		refusal               string
	}{
		{name: "none", variable: "X", stdout: rotation.Policy{Size: 10 << 20, Keep: 9}, stderr: rotation.Policy{Size: 10 << 20, Keep: 9}},
		{"size of stdout", "CONTAINER_LOGGER_MAX_STDOUT_SIZE", "64KB", rotation.Policy{Size: 64 << 10, Keep: 9}, rotation.Policy{Size: 10 << 20, Keep: 9}, ""},
		{"files of stderr", "CONTAINER_LOGGER_LOGROTATE_STDERR_OPTIONS", "rotate 2\n\n", rotation.Policy{Size: 10 << 20, Keep: 9}, rotation.Policy{Size: 10 << 20, Keep: 2}, ""},
		{name: "no size", variable: "CONTAINER_LOGGER_MAX_STDERR_SIZE", value: "big", refusal: "is not a size"},
		{name: "a size too small", variable: "CONTAINER_LOGGER_MAX_STDERR_SIZE", value: "1KB", refusal: "less than 4KB"},
		{name: "too many files", variable: "CONTAINER_LOGGER_LOGROTATE_STDOUT_OPTIONS", value: "rotate 5000", refusal: "no number of files"},
		{name: "another option", variable: "CONTAINER_LOGGER_LOGROTATE_STDOUT_OPTIONS", value: "rotate 5\npostrotate rm -rf /", refusal: "option"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := a.outputPolicies(withVariable(command("t", "true"), tt.variable, tt.value).GetCommand())
			if tt.refusal != "" {
				if err == nil || !strings.Contains(err.Error(), tt.refusal) || !strings.Contains(err.Error(), tt.variable) {
					t.Errorf("outputPolicies() = %v, want an error about %q", err, tt.refusal)
				}
				return
			}
			if err != nil || got.stdout != tt.stdout || got.stderr != tt.stderr {
				t.Errorf("outputPolicies() = %+v, %v, want %+v and %+v", got, err, tt.stdout, tt.stderr)
			}
		})
	}
}
