package core

import (
	"testing"

	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

func TestAddressOf(t *testing.T) {
	agent := &mesospb.AgentInfo{Port: new(int32(5051))}
	for _, test := range []struct{ name, from, named, want string }{
		{"as it called", "10.0.0.1:40000", "", "10.0.0.1:5051"},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:40000", "", "10.0.0.1:5051"},
		{"as it named", "10.0.0.1:40000", "10.0.0.7", "10.0.0.7:5051"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &linkpb.Subscribe{Agent: agent}
			if test.named != "" {
				s.Ip = &test.named
			}
			if pid, _ := addressOf(AgentSubscribed{Address: test.from, Subscribe: s}); pid != test.want {
				t.Errorf("addressOf = %s, want %s", pid, test.want)
			}
		})
	}
}
