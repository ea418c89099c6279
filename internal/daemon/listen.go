package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// Listen listens on ip and port; port 0 lets the system choose. An error is one
// line that says what to do.
func Listen(ctx context.Context, ip string, port int) (net.Listener, error) {
	address := net.JoinHostPort(ip, strconv.Itoa(port))
	var config net.ListenConfig
	ln, err := config.Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		return ln, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen on %s: the port is taken: stop the process that has it, or choose another port", address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("listen on %s: this machine has no such address: choose one of its own, or 0.0.0.0", address)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("listen on %s: not permitted: choose a port above 1023, or run with the right to bind it", address)
	}
	return nil, fmt.Errorf("listen on %s: %w", address, err)
}
