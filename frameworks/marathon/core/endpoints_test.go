package core

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

func bridged(mode, name, kind string, mappings ...spec.PortMapping) *spec.App {
	app := &spec.App{ID: "/web", Networks: []spec.Network{{Mode: mode, Name: name}}, Container: &spec.Container{Type: kind, PortMappings: mappings}}
	if kind == spec.DockerContainer {
		app.Container.Docker = &spec.Docker{Image: "web"}
	}
	return app
}

func TestNetworksOfAContainer(t *testing.T) {
	any, fixed := new(0), new(31005)
	for _, tt := range []struct {
		name string
		app  *spec.App
		host []int
		want string // of the container
		env  map[string]string
	}{
		{
			"bridge", bridged(spec.BridgeNetwork, "", spec.MesosContainer,
				spec.PortMapping{ContainerPort: 80, HostPort: any, Protocol: "udp,tcp", Name: "http"}, spec.PortMapping{HostPort: fixed, Protocol: "tcp"}),
			[]int{31000, 31005},
			`type: MESOS network_infos { name: "mesos-bridge"
			   port_mappings { host_port: 31000 container_port: 80 protocol: "udp" } port_mappings { host_port: 31000 container_port: 80 protocol: "tcp" }
			   port_mappings { host_port: 31005 container_port: 31005 protocol: "tcp" } }`,
			map[string]string{"PORT": "31000", "PORTS": "31000,31005", "PORT0": "31000", "PORT1": "31005", "PORT_80": "31000", "PORT_31005": "31005", "PORT_HTTP": "31000"},
		},
		{
			"docker on the bridge", bridged(spec.BridgeNetwork, "", spec.DockerContainer, spec.PortMapping{ContainerPort: 80, HostPort: any, Protocol: "tcp"}), []int{31000},
			`type: DOCKER docker { image: "web" network: BRIDGE privileged: false force_pull_image: false
			   port_mappings { host_port: 31000 container_port: 80 protocol: "tcp" } }`,
			map[string]string{"PORT": "31000", "PORTS": "31000", "PORT0": "31000", "PORT_80": "31000"},
		},
		{
			"docker on a network", bridged(spec.ContainerNetwork, "blue", spec.DockerContainer, spec.PortMapping{ContainerPort: 80, Protocol: "tcp"}), nil,
			`type: DOCKER docker { image: "web" network: USER privileged: false force_pull_image: false } network_infos { name: "blue" }`,
			map[string]string{"PORT0": "80", "PORT_80": "80"},
		},
		{
			"generated ports", bridged(spec.ContainerNetwork, "blue", spec.MesosContainer,
				spec.PortMapping{Protocol: "tcp"}, spec.PortMapping{ContainerPort: 1025, Protocol: "tcp"}, spec.PortMapping{Protocol: "tcp"}), nil,
			`type: MESOS network_infos { name: "blue" }`,
			map[string]string{"PORT": "1026", "PORTS": "1026,1027", "PORT0": "1026", "PORT1": "1025", "PORT2": "1027", "PORT_1026": "1026", "PORT_1025": "1025", "PORT_1027": "1027"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &Core{cfg: Config{Rules: spec.Rules{BridgeName: "mesos-bridge"}}}
			in := &Instance{Ports: tt.host}
			want := &mesospb.ContainerInfo{}
			if err := prototext.Unmarshal([]byte(tt.want), want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, c.containerInfo(tt.app, in), protocmp.Transform()); diff != "" {
				t.Errorf("container (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.env, portVariables(tt.app, in)); diff != "" {
				t.Errorf("variables (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTwoNetworksShareThePorts(t *testing.T) {
	app := &spec.App{ID: "/web", Networks: []spec.Network{{Mode: spec.ContainerNetwork, Name: "blue"}, {Mode: spec.ContainerNetwork, Name: "red"}},
		Container: &spec.Container{Type: spec.MesosContainer, PortMappings: []spec.PortMapping{{ContainerPort: 80, HostPort: new(0), Protocol: "tcp", NetworkNames: []string{"red"}}}}}
	infos := (&Core{}).networkInfos(app, endpoints(app, []int{31000}))
	if len(infos) != 2 || len(infos[0].GetPortMappings()) != 0 || len(infos[1].GetPortMappings()) != 1 {
		t.Errorf("networkInfos = %v, want the port in red only", infos)
	}
}

func TestHostPortsThatMustBe(t *testing.T) {
	c := &Core{cfg: Config{Rand: rand.New(rand.NewPCG(1, 2))}}
	wanted := []wish{{0, false}, {31002, true}, {0, false}}
	free := resources.Ranges{{Begin: 31001, End: 31003}}
	ports, ok := c.choosePorts(wanted, free)
	if !ok || ports[1] != 31002 || ports[0] == ports[2] || ports[0] == 31002 || ports[2] == 31002 {
		t.Errorf("choosePorts = %v, %v; want 31002 in the middle and the two others around", ports, ok)
	}
	if _, ok := c.choosePorts([]wish{{31002, true}, {31002, true}}, free); ok {
		t.Error("one port was given twice")
	}
	if _, ok := c.choosePorts(append(wanted, wish{}), free); ok {
		t.Error("four ports of three were given")
	}
}

func TestChecksGoWhereThePortLeads(t *testing.T) {
	h := spec.HealthCheck{PortIndex: new(0)}
	for _, tt := range []struct {
		name         string
		app          *spec.App
		host         []int
		probe        string
		seenByItself int
	}{
		{"mapped", bridged(spec.BridgeNetwork, "", spec.MesosContainer, spec.PortMapping{ContainerPort: 80, HostPort: new(0)}), []int{31000}, "agent1:31000", 80},
		{"not mapped", bridged(spec.ContainerNetwork, "blue", spec.MesosContainer, spec.PortMapping{ContainerPort: 80}), nil, "10.0.0.7:80", 80},
		{"host", &spec.App{Networks: []spec.Network{{Mode: spec.HostNetwork}}, PortDefinitions: []spec.PortDefinition{{Port: 10000}}}, []int{31000}, "agent1:31000", 31000},
	} {
		in := &Instance{Host: "agent1", Ports: tt.host, Addresses: []string{"10.0.0.7"}}
		if got := probeAddress(tt.app, in, h); got != tt.probe {
			t.Errorf("%s: probeAddress = %s, want %s", tt.name, got, tt.probe)
		}
		if got := innerPort(tt.app, in, h); got != tt.seenByItself {
			t.Errorf("%s: innerPort = %d, want %d", tt.name, got, tt.seenByItself)
		}
	}
}
