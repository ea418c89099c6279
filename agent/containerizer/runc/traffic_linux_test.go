package runc

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/soukproject/souk/agent/containerizer"
)

func TestTrafficLeavesTheLoopbackOut(t *testing.T) {
	const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     900       9    9    9    0     0          0         0      900       9    9    9    0     0       0          0
  eth0:    1000      10    1    2    0     0          0         0     2000      20    3    4    0     0       0          0
  eth1:       5       1    0    0    0     0          0         0        7       1    0    0    0     0       0          0
 short: 1 2
`
	want := &containerizer.Traffic{
		Received: containerizer.Packets{Bytes: 1005, Count: 11, Errors: 1, Dropped: 2},
		Sent:     containerizer.Packets{Bytes: 2007, Count: 21, Errors: 3, Dropped: 4},
	}
	if diff := cmp.Diff(want, parseTraffic(text)); diff != "" {
		t.Errorf("parseTraffic() (-want +got):\n%s", diff)
	}
}
