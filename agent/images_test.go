package agent

import (
	"fmt"
	"slices"
	"testing"

	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/agent/image"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// TestImageArgs follows the matrix of mesos-api 17.4, and docker run.
func TestImageArgs(t *testing.T) {
	both := image.Image{Entrypoint: []string{"/e", "e1"}, Cmd: []string{"c0", "c1"}}
	onlyCmd, neither := image.Image{Cmd: []string{"c0", "c1"}}, image.Image{}
	for n, tt := range []struct {
		docker bool
		image  image.Image
		shell  bool
		value  *string
		args   []string
		want   []string // nil: the task's own
		fails  bool
	}{
		{false, both, true, new("v"), nil, nil, false},
		{false, both, false, new("v"), []string{"a0"}, nil, false},
		{false, both, false, nil, []string{"a0", "a1"}, []string{"/e", "e1", "a0", "a1"}, false},
		{false, both, false, nil, nil, []string{"/e", "e1", "c0", "c1"}, false},
		{false, onlyCmd, false, nil, []string{"a0"}, []string{"c0", "a0"}, false},
		{false, onlyCmd, false, nil, nil, []string{"c0", "c1"}, false},
		{false, neither, false, nil, nil, nil, true},
		{false, neither, false, nil, []string{"a0"}, nil, true},
		{true, both, true, new("v"), nil, nil, false},
		{true, both, false, nil, nil, []string{"/e", "e1", "c0", "c1"}, false},
		{true, both, false, new("v"), []string{"a0"}, []string{"/e", "e1", "v", "a0"}, false},
		{true, onlyCmd, false, new("v"), []string{"a0"}, []string{"v", "a0"}, false},
		{true, onlyCmd, false, nil, []string{"a0"}, []string{"a0"}, false},
		{true, neither, false, nil, nil, nil, true},
	} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			got, err := imageArgs(tt.image, &mesospb.CommandInfo{Shell: &tt.shell, Value: tt.value, Arguments: tt.args}, tt.docker)
			if !slices.Equal(got, tt.want) || (err != nil) != tt.fails {
				t.Errorf("imageArgs() = %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestImageEnvironmentLiesBelowTheTasks(t *testing.T) {
	i := image.Image{Env: []string{"PATH=/image", "A=image", "=bad"}}
	e := core.Launch{Executor: &mesospb.ExecutorInfo{Command: &mesospb.CommandInfo{}}}
	got := (&agent{}).imageEnv(i, e, []string{"A=task", "MESOS_SANDBOX=/host", "PATH=" + defaultPath})
	want := []string{"PATH=/image", "A=image", "A=task", "MESOS_SANDBOX=/mnt/mesos/sandbox"}
	if !slices.Equal(got, want) {
		t.Errorf("imageEnv() = %q, want %q", got, want)
	}
}
