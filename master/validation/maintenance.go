package validation

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	maintenancepb "github.com/soukproject/souk/proto/mesos/v1/maintenance"
)

// maxSchedule bounds a schedule in bytes: it is one entry of the registry. There
// is room for more than ten thousand machines.
const maxSchedule = 512 << 10

// A Machine is the name of a machine as names are compared: a host name without
// regard to case, and an address in one spelling (mesos-api 22.1).
type Machine struct{ Hostname, IP string }

// MachineOf is how a machine's id is compared with others.
func MachineOf(id *mesospb.MachineID) Machine {
	return Machine{Hostname: strings.ToLower(id.GetHostname()), IP: id.GetIp()}
}

// MachineText is a machine's id as texts quote it.
func MachineText(id *mesospb.MachineID) string {
	b, _ := json.Marshal(struct { // texts alone: nothing that could fail
		Hostname *string `json:"hostname,omitempty"`
		IP       *string `json:"ip,omitempty"`
	}{id.Hostname, id.Ip})
	return string(b)
}

// maxUnavailability keeps the end of a window within what a time can be.
const maxUnavailability = 100 * 365 * 24 * time.Hour

// Schedule checks a maintenance schedule by itself. The text of its error is the
// whole body of a 400 answer.
func Schedule(s *maintenancepb.Schedule) error {
	if n := proto.Size(s); n > maxSchedule {
		return fmt.Errorf("The schedule has %d bytes, at most %d can be kept; schedule fewer machines at a time", n, maxSchedule)
	}
	seen := map[Machine]bool{}
	for _, w := range s.GetWindows() {
		if len(w.GetMachineIds()) == 0 {
			return errors.New("List of machines in the maintenance window is empty")
		}
		if w.GetUnavailability().GetDuration().GetNanoseconds() < 0 {
			return errors.New("Unavailability 'duration' is negative")
		}
		if w.GetUnavailability().GetDuration().GetNanoseconds() > int64(maxUnavailability) {
			return errors.New("Unavailability 'duration' is longer than a century: leave it out if there is no end")
		}
		for _, id := range w.GetMachineIds() {
			if err := machine(id); err != nil {
				return err
			}
			if seen[MachineOf(id)] {
				return fmt.Errorf("Machine '%s' appears more than once in the schedule", MachineText(id))
			}
			seen[MachineOf(id)] = true
		}
	}
	return nil
}

// Machines checks a list of machines that go down or come up.
func Machines(ids []*mesospb.MachineID) error {
	if len(ids) == 0 {
		return errors.New("List of machines is empty")
	}
	seen := map[Machine]bool{}
	for _, id := range ids {
		if err := machine(id); err != nil {
			return err
		}
		if seen[MachineOf(id)] {
			return fmt.Errorf("Machine '%s' appears more than once in the list", MachineText(id))
		}
		seen[MachineOf(id)] = true
	}
	return nil
}

func machine(id *mesospb.MachineID) error {
	if id.GetHostname() == "" && id.GetIp() == "" {
		return errors.New("Both 'hostname' and 'ip' for a machine are empty")
	}
	if at, err := netip.ParseAddr(id.GetIp()); id.GetIp() != "" && (err != nil || !at.Is4()) {
		return fmt.Errorf("Failed to parse IPv4: %s", id.GetIp())
	}
	return nil
}
