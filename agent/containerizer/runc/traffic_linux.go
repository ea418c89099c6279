package runc

import (
	"os"
	"strconv"
	"strings"

	"github.com/soukproject/souk/agent/containerizer"
)

// traffic adds up what went through the devices of the network that pid is on,
// its loopback aside; nil when that cannot be read.
func traffic(pid int) *containerizer.Traffic {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/net/dev")
	if err != nil {
		return nil
	}
	return parseTraffic(string(data))
}

// parseTraffic understands lines "eth0: bytes packets errs drop …", eight numbers
// of what was received and then as many of what was sent.
func parseTraffic(text string) *containerizer.Traffic {
	var t containerizer.Traffic
	for line := range strings.Lines(text) {
		device, rest, ok := strings.Cut(line, ":")
		fields := strings.Fields(rest)
		if !ok || strings.TrimSpace(device) == "lo" || len(fields) < 16 {
			continue
		}
		add(&t.Received, fields[:8])
		add(&t.Sent, fields[8:])
	}
	return &t
}

func add(p *containerizer.Packets, fields []string) {
	for i, to := range []*uint64{&p.Bytes, &p.Count, &p.Errors, &p.Dropped} {
		n, _ := strconv.ParseUint(fields[i], 10, 64)
		*to += n
	}
}
