// Package daemontest is what strangers do to a daemon. It owns such traffic for
// the tests of daemons; it starts none.
package daemontest

import (
	"fmt"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"
)

const (
	most     = 10_000           // connections
	fewest   = 1000             // that say something
	spare    = 200              // descriptors for everything else
	patience = 30 * time.Second // for one answer
)

// Garbage opens thousands of connections that never finish a request, some of
// them a POST to path, and wants GET /health answered behind them. The server
// at address is one of this process: a connection takes two descriptors.
func Garbage(t *testing.T, address, path string) {
	t.Helper()
	if testing.Short() {
		t.Skip("opens thousands of connections")
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur < 2*fewest+spare {
		t.Skipf("%d descriptors are too few (ulimit -n)", limit.Cur)
	}
	count := int(min(most, (limit.Cur-spare)/2))
	for i := range count {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		defer conn.Close()
		switch i % 4 {
		case 1:
			fmt.Fprint(conn, "GET /state HT")
		case 2:
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", path)
		case 3:
			fmt.Fprint(conn, "\x00\xff\x16\x03garbage\r\n\r\n")
		}
	}
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + address + "/health")
	if err != nil {
		t.Fatalf("GET /health behind %d connections = %v", count, err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("GET /health = %d, want 200", resp.StatusCode)
	}
}
