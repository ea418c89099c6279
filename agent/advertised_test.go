package agent

import (
	"net"
	"testing"
)

func TestAdvertised(t *testing.T) {
	for _, test := range []struct {
		name          string
		cfg           Config
		listening, ip string
		port          int
		told          bool
	}{
		{"listening anywhere", Config{Master: "127.0.0.1:5050"}, "0.0.0.0:5051", "127.0.0.1", 5051, false},
		{"listening at one address", Config{Master: "127.0.0.1:5050"}, "127.0.31.1:5051", "127.0.31.1", 5051, true},
		{"behind another", Config{Master: "127.0.0.1:5050", AdvertiseIP: "10.0.0.7", AdvertisePort: 80}, "127.0.31.1:5051", "10.0.0.7", 80, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			at, err := net.ResolveTCPAddr("tcp", test.listening)
			if err != nil {
				t.Fatal(err)
			}
			ip, port, told := advertised(test.cfg, at)
			if ip != test.ip || port != test.port || told != test.told {
				t.Errorf("advertised = %s, %d, %t, want %s, %d, %t", ip, port, told, test.ip, test.port, test.told)
			}
		})
	}
}
