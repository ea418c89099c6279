// Package hostinfo finds out what a machine is and has: its name and addresses,
// boot id, and the resources an agent offers when nobody says otherwise. It
// owns Mesos' rules of how much of a machine is offered; it decides nothing else.
package hostinfo

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// A Machine is what was found.
type Machine struct {
	CPUs int   // hardware threads this process may use
	Mem  int64 // bytes; 0 when not known
	Disk int64 // size in bytes of the file system of the work directory; 0 when not known
}

// Inspect looks at the machine. The directory must exist.
func Inspect(workDir string) (Machine, error) {
	disk, _, err := Disk(workDir)
	if err != nil {
		return Machine{}, err
	}
	mem, err := memory()
	if err != nil {
		return Machine{}, err
	}
	return Machine{CPUs: runtime.NumCPU(), Mem: mem, Disk: disk}, nil
}

const gigabyte = 1 << 30

// offered is Mesos' rule: all but a reserve, or half if that leaves little.
func offered(total, reserve int64) int64 {
	if total < 2*reserve {
		return total / 2
	}
	return total - reserve
}

// Resources reads --resources, and adds what the text does not mention: all
// CPUs, memory but 1 GB, disk but 5 GB, ports 31000 to 32000. A name with value
// 0 is left out.
func (m Machine) Resources(text, defaultRole string) (resources.Resources, error) {
	given, err := resources.Parse(text, defaultRole)
	if err != nil {
		return nil, err
	}
	names, err := resources.Names(text)
	if err != nil {
		return nil, err
	}
	found := []struct {
		name, value string
	}{
		{"cpus", fmt.Sprint(m.CPUs)},
		{"mem", fmt.Sprint(offered(m.Mem, gigabyte) >> 20)},
		{"disk", fmt.Sprint(offered(m.Disk, 5*gigabyte) >> 20)},
		{"ports", "[31000-32000]"},
	}
	for _, f := range found {
		if slices.Contains(names, f.name) {
			continue
		}
		more, err := resources.Parse(f.name+":"+f.value, defaultRole)
		if err != nil {
			return nil, err
		}
		given = given.Add(more)
	}
	return given, nil
}

// Attributes reads --attributes.
func Attributes(text string) ([]*mesospb.Attribute, error) { return resources.ParseAttributes(text) }

// BootID names the time since the machine was started; "" when the system has none.
func BootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// lookupTimeout bounds asking for the name of an address.
const lookupTimeout = 2 * time.Second

// Hostname is the name that others are to use for this machine at ip: what DNS
// calls ip if lookup is set, else ip itself. With an unspecified ip it is the
// machine's own name.
func Hostname(ctx context.Context, ip string, lookup bool) (string, error) {
	if !lookup {
		return ip, nil
	}
	if addr := net.ParseIP(ip); addr == nil || addr.IsUnspecified() {
		return os.Hostname()
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	names, err := net.DefaultResolver.LookupAddr(ctx, ip)
	if err != nil || len(names) == 0 {
		return ip, nil // the address always works
	}
	return strings.TrimSuffix(names[0], "."), nil
}

// Address is the machine's address that peer, a host:port, would see. Nothing
// is sent. Without a route it is 127.0.0.1.
func Address(peer string) string {
	conn, err := net.Dial("udp", peer)
	if err != nil {
		return "127.0.0.1"
	}
	defer conn.Close()
	host, _, err := net.SplitHostPort(conn.LocalAddr().String())
	if err != nil {
		return "127.0.0.1"
	}
	return host
}
