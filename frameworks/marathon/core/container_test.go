package core

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

func TestContainerInfo(t *testing.T) {
	for _, tt := range []struct {
		name      string
		container *spec.Container
		want      string // "" for none
	}{
		{"none", nil, ""},
		{"nothing in it", &spec.Container{Type: spec.MesosContainer}, ""},
		{"docker", &spec.Container{Type: spec.DockerContainer, Docker: &spec.Docker{
			Image: "nginx:1", ForcePullImage: true, Parameters: []spec.Object{{"key": "env", "value": "A=b"}},
		}}, `type: DOCKER docker { image: "nginx:1" network: HOST privileged: false force_pull_image: true parameters { key: "env" value: "A=b" } }`},
		{"image", &spec.Container{Type: spec.MesosContainer, Docker: &spec.Docker{Image: "nginx"}},
			`type: MESOS mesos { image { type: DOCKER docker { name: "nginx" } cached: true } }`},
		{"volumes", &spec.Container{Type: spec.MesosContainer, Volumes: []spec.Object{
			{"containerPath": "/a", "hostPath": "/b", "mode": "RO"}, {"containerPath": "c", "hostPath": "d", "mode": "RW"},
		}}, `type: MESOS volumes { container_path: "/a" host_path: "/b" mode: RO } volumes { container_path: "c" host_path: "d" mode: RW }`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			def := &spec.App{Container: tt.container, Networks: []spec.Network{{Mode: spec.HostNetwork}}}
			got := (&Core{}).containerInfo(def, &Instance{})
			if tt.want == "" {
				if got != nil {
					t.Errorf("containerInfo() = %v, want nil", got)
				}
				return
			}
			want := &mesospb.ContainerInfo{}
			if err := prototext.Unmarshal([]byte(tt.want), want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("containerInfo() (-want +got):\n%s", diff)
			}
		})
	}
}
