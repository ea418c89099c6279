package hostinfo

import (
	"net"
	"testing"
)

func TestResources(t *testing.T) {
	const gb = 1 << 30
	tests := []struct {
		name    string
		machine Machine
		text    string
		want    string
	}{
		{"large", Machine{CPUs: 16, Mem: 64 * gb, Disk: 100 * gb}, "", "cpus:16; mem:64512; disk:97280; ports:[31000-32000]"},
		{"small", Machine{CPUs: 1, Mem: gb, Disk: 6 * gb}, "", "cpus:1; mem:512; disk:3072; ports:[31000-32000]"},
		{"at the border", Machine{CPUs: 1, Mem: 2 * gb, Disk: 10 * gb}, "", "cpus:1; mem:1024; disk:5120; ports:[31000-32000]"},
		{"named", Machine{CPUs: 4, Mem: 4 * gb, Disk: 20 * gb}, "cpus:2;ports:[1-10]", "cpus:2; mem:3072; disk:15360; ports:[1-10]"},
		{"left out", Machine{CPUs: 4, Mem: 4 * gb, Disk: 20 * gb}, "disk:0;gpus:0", "cpus:4; mem:3072; ports:[31000-32000]"},
		{"reserved only", Machine{CPUs: 4, Mem: 4 * gb, Disk: 20 * gb}, "cpus(ads):1", "cpus(reservations: [(STATIC,ads)]):1; mem:3072; disk:15360; ports:[31000-32000]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.machine.Resources(tt.text, "*")
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != tt.want {
				t.Errorf("Resources(%q) = %v, want %s", tt.text, got, tt.want)
			}
		})
	}
}

func TestResourcesRefusesNonsense(t *testing.T) {
	if got, err := (Machine{CPUs: 1}).Resources("cpus", "*"); err == nil {
		t.Errorf("Resources(cpus) = %v, want an error", got)
	}
}

func TestInspect(t *testing.T) {
	m, err := Inspect(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if m.CPUs < 1 || m.Mem < 1<<20 || m.Disk < 1<<20 {
		t.Errorf("Inspect = %+v, want a machine of some size", m)
	}
}

func TestHostname(t *testing.T) {
	if got, err := Hostname(t.Context(), "10.1.2.3", false); got != "10.1.2.3" || err != nil {
		t.Errorf("Hostname without lookup = %q, %v, want the address", got, err)
	}
	if got, err := Hostname(t.Context(), "0.0.0.0", true); got == "" || got == "0.0.0.0" || err != nil {
		t.Errorf("Hostname of no address = %q, %v, want the machine's name", got, err)
	}
}

func TestAddress(t *testing.T) {
	if got := Address("127.0.0.1:5050"); got != "127.0.0.1" {
		t.Errorf("Address(loopback) = %q, want 127.0.0.1", got)
	}
	if got := Address("not an address"); net.ParseIP(got) == nil {
		t.Errorf("Address(nonsense) = %q, want an address", got)
	}
}
