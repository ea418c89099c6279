package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/core"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

func TestConfinementOfATask(t *testing.T) {
	profiles := t.TempDir()
	if err := os.WriteFile(filepath.Join(profiles, "strict.json"), []byte(`{"x":1}`), 0o644); err != nil {
		t.Fatal(err)
	}
	chown := &mesospb.CapabilityInfo{Capabilities: []mesospb.CapabilityInfo_Capability{mesospb.CapabilityInfo_CHOWN}}
	admin := &mesospb.CapabilityInfo{Capabilities: []mesospb.CapabilityInfo_Capability{mesospb.CapabilityInfo_SYS_ADMIN}}
	linux := func(info *mesospb.LinuxInfo) *mesospb.ContainerInfo { return &mesospb.ContainerInfo{LinuxInfo: info} }
	limit := func(r *mesospb.RLimitInfo_RLimit) *mesospb.ContainerInfo {
		r.Type = mesospb.RLimitInfo_RLimit_RLMT_NOFILE.Enum()
		return &mesospb.ContainerInfo{RlimitInfo: &mesospb.RLimitInfo{Rlimits: []*mesospb.RLimitInfo_RLimit{r}}}
	}
	for _, tt := range []struct {
		name      string
		cfg       Config
		container *mesospb.ContainerInfo
		want      containerizer.Confinement
		refusal   string
	}{
		{name: "nothing"},
		{name: "operator's defaults", cfg: Config{BoundingCapabilities: []string{"KILL"}, ShmSize: 5, SeccompDir: profiles, SeccompProfile: "strict.json"},
			want: containerizer.Confinement{Bounding: []string{"KILL"}, ShmSize: 5, Seccomp: `{"x":1}`}},
		{name: "limit", container: limit(&mesospb.RLimitInfo_RLimit{Soft: new(uint64(1)), Hard: new(uint64(2))}),
			want: containerizer.Confinement{Rlimits: []containerizer.Rlimit{{Kind: "NOFILE", Soft: 1, Hard: 2}}}},
		{name: "no limit", container: limit(&mesospb.RLimitInfo_RLimit{}),
			want: containerizer.Confinement{Rlimits: []containerizer.Rlimit{{Kind: "NOFILE", Soft: containerizer.NoLimit, Hard: containerizer.NoLimit}}}},
		{name: "half a limit", container: limit(&mesospb.RLimitInfo_RLimit{Soft: new(uint64(1))}), refusal: "set both 'soft' and 'hard', or neither"},
		{name: "capabilities", container: linux(&mesospb.LinuxInfo{EffectiveCapabilities: chown}), want: containerizer.Confinement{Effective: []string{"CHOWN"}}},
		{name: "by the older name", container: linux(&mesospb.LinuxInfo{CapabilityInfo: chown}), want: containerizer.Confinement{Effective: []string{"CHOWN"}}},
		{name: "no capabilities", container: linux(&mesospb.LinuxInfo{BoundingCapabilities: &mesospb.CapabilityInfo{}}), want: containerizer.Confinement{Bounding: []string{}}},
		{name: "too many", container: linux(&mesospb.LinuxInfo{EffectiveCapabilities: admin}), refusal: "capability SYS_ADMIN is not among those that the agent's --bounding_capabilities allow"},
		{name: "as many as allowed", cfg: Config{BoundingCapabilities: []string{"SYS_ADMIN"}}, container: linux(&mesospb.LinuxInfo{EffectiveCapabilities: admin}),
			want: containerizer.Confinement{Effective: []string{"SYS_ADMIN"}}},
		{name: "unconfined", container: linux(&mesospb.LinuxInfo{Seccomp: &mesospb.SeccompInfo{Unconfined: new(true)}}), want: containerizer.Confinement{Unconfined: true}},
		{name: "own profile", cfg: Config{SeccompDir: profiles}, container: linux(&mesospb.LinuxInfo{Seccomp: &mesospb.SeccompInfo{ProfileName: new("strict.json")}}),
			want: containerizer.Confinement{Seccomp: `{"x":1}`}},
		{name: "no such profile", cfg: Config{SeccompDir: profiles}, container: linux(&mesospb.LinuxInfo{Seccomp: &mesospb.SeccompInfo{ProfileName: new("lax.json")}}), refusal: `seccomp profile "lax.json"`},
		{name: "a profile elsewhere", cfg: Config{SeccompDir: profiles}, container: linux(&mesospb.LinuxInfo{Seccomp: &mesospb.SeccompInfo{ProfileName: new("../x")}}), refusal: "must be the name of a file"},
		{name: "no profiles", container: linux(&mesospb.LinuxInfo{Seccomp: &mesospb.SeccompInfo{ProfileName: new("strict.json")}}), refusal: "the agent has no --seccomp_config_dir"},
		{name: "both", container: linux(&mesospb.LinuxInfo{Seccomp: &mesospb.SeccompInfo{ProfileName: new("x"), Unconfined: new(true)}}), refusal: "are both set"},
		{name: "process ids", container: linux(&mesospb.LinuxInfo{SharePidNamespace: new(true)}), refusal: "share_pid_namespace"},
		{name: "shared IPC", container: linux(&mesospb.LinuxInfo{IpcMode: mesospb.LinuxInfo_SHARE_PARENT.Enum()}), want: containerizer.Confinement{ShareIPC: true}},
		{name: "shared IPC forbidden", cfg: Config{PrivateIPC: true}, container: linux(&mesospb.LinuxInfo{IpcMode: mesospb.LinuxInfo_SHARE_PARENT.Enum()}), refusal: "forbids it"},
		{name: "size", container: linux(&mesospb.LinuxInfo{IpcMode: mesospb.LinuxInfo_PRIVATE.Enum(), ShmSize: new(uint32(2))}), want: containerizer.Confinement{ShmSize: 2 << 20}},
		{name: "size of what", container: linux(&mesospb.LinuxInfo{ShmSize: new(uint32(2))}), refusal: "needs 'ipc_mode' PRIVATE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := &agent{cfg: tt.cfg}
			got, err := a.confinement(core.Launch{Task: &mesospb.TaskInfo{Container: tt.container}})
			if tt.refusal != "" {
				if err == nil || !strings.Contains(err.Error(), tt.refusal) {
					t.Errorf("confinement = %v, want an error with %q", err, tt.refusal)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("confinement = %v (-want +got):\n%s", err, diff)
			}
		})
	}
}
