package resources

import "testing"

func TestParseAndString(t *testing.T) {
	tests := []struct{ name, in, role, want string }{
		{"nothing", "", "*", "{}"},
		{"scalars", "mem:8192;cpus:8;cpus:0.5", "*", "cpus:8.5; mem:8192"},
		{"roles", "cpus(ads):8;mem(ads):4096;cpus:4;mem:2048;disk:10240;ports:[21000-24000];bugs:{a,b,c}", "*",
			"cpus:4; cpus(reservations: [(STATIC,ads)]):8; mem:2048; mem(reservations: [(STATIC,ads)]):4096; disk:10240; ports:[21000-24000]; bugs:{a, b, c}"},
		{"default role", "cpus:1;mem(*):1", "eng", "cpus(reservations: [(STATIC,eng)]):1; mem:1"},
		{"zero removes", "cpus:1;gpus:0", "*", "cpus:1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.in, tt.role)
			if err != nil {
				t.Fatalf("Parse(%q) = %v, want nil", tt.in, err)
			}
			if got.String() != tt.want {
				t.Errorf("Parse(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}
