package frameworktest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
)

// A network is a listener without sockets, which testing/synctest cannot see
// waiting, and the client whose connections all end there.
type network struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	client *http.Client
}

func newNetwork() *network {
	n := &network{conns: make(chan net.Conn), closed: make(chan struct{})}
	n.client = &http.Client{Transport: &http.Transport{DialContext: n.dial, MaxIdleConnsPerHost: 16}}
	return n
}

func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error {
	n.once.Do(func() { close(n.closed) })
	return nil
}

func (n *network) Addr() net.Addr { return &net.UnixAddr{Name: Address, Net: "memory"} }

func (n *network) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case n.conns <- there:
		return here, nil
	case <-n.closed:
		return nil, errors.New("connection refused: the test's master has ended")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
