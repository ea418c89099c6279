package core

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/testing/protocmp"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

func readContainer(t *testing.T, body string) (*Container, error) {
	t.Helper()
	f := &fields{members: map[string]json.RawMessage{"container": json.RawMessage(body)}}
	c := f.container()
	return c, f.err
}

func TestContainersOfJobs(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"docker", `{"image": "busybox", "network": "bridge", "forcePullImage": "true", "parameters": [{"key": "env", "value": "A=b"}],
		   "volumes": [{"hostPath": "/var/x", "containerPath": "/x", "mode": "ro"}]}`,
			`type: DOCKER volumes { host_path: "/var/x" container_path: "/x" mode: RO }
			 docker { image: "busybox" network: BRIDGE force_pull_image: true parameters { key: "env" value: "A=b" } }`},
		{"mesos", `{"type": "mesos", "image": "busybox", "networkInfos": [{"name": "blue", "labels": [{"key": "a", "value": "b"}], "portMappings": [{"hostPort": 80, "containerPort": "81"}]}]}`,
			`type: MESOS network_infos { name: "blue" labels { labels { key: "a" value: "b" } } }
			 mesos { image { type: DOCKER docker { name: "busybox" } cached: true } }`},
		{"by the older name", `{"image": "busybox", "network": "USER", "networkName": "blue"}`,
			`type: DOCKER network_infos { name: "blue" } docker { image: "busybox" network: USER force_pull_image: false }`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := readContainer(t, tt.body)
			if err != nil {
				t.Fatal(err)
			}
			want := &mesospb.ContainerInfo{}
			if err := prototext.Unmarshal([]byte(tt.want), want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, c.info(), protocmp.Transform()); diff != "" {
				t.Errorf("info (-want +got):\n%s", diff)
			}
			shown, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			again, err := readContainer(t, string(shown))
			if diff := cmp.Diff(c, again); err != nil || diff != "" {
				t.Errorf("read back: %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestContainersThatCannotBe(t *testing.T) {
	if c, err := readContainer(t, `{"volumes": []}`); c != nil || err != nil {
		t.Errorf("a container without an image = %+v, %v; want none", c, err)
	}
	for _, tt := range []struct{ body, want string }{
		{`[]`, "must be an object"},
		{`{"image": "a", "type": "APPC"}`, "DOCKER or MESOS"},
		{`{"image": "a", "network": "NONE"}`, "HOST, BRIDGE or USER"},
		{`{"image": "a", "network": "USER"}`, "one entry in networkInfos"},
		{`{"image": "a", "type": "MESOS", "parameters": [{}]}`, "type must be DOCKER"},
		{`{"image": "a", "networkInfos": [{}]}`, "no name"},
		{`{"image": "a", "volumes": [{"hostPath": "/a"}]}`, "no containerPath"},
		{`{"image": "a", "volumes": [{"containerPath": "/a"}]}`, "give hostPath"},
		{`{"image": "a", "volumes": [{"containerPath": "/a", "hostPath": "/b", "mode": "X"}]}`, "RO or RW"},
		{`{"image": "a", "volumes": [{"containerPath": "/a", "external": {"name": "v"}}]}`, "drivers"},
		{`{"image": "a", "volumes": 3}`, "must be an array"},
	} {
		if _, err := readContainer(t, tt.body); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("container %s: %v, want an error with %q", tt.body, err, tt.want)
		}
	}
}
