package zookeepertest

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// A Proxy stands between clients and one server and does to their connections
// what networks do.
type Proxy struct {
	server string
	ln     net.Listener

	mu       sync.Mutex
	pairs    map[*pair]struct{}
	mute     bool // answers are swallowed
	refuse   bool // connections are closed at once
	left     int  // requests until it refuses; below 0: no end
	session  int64
	password []byte
}

type pair struct{ client, server net.Conn }

func (p *pair) close() {
	_ = p.client.Close() // both ends may be closed already
	_ = p.server.Close()
}

// NewProxy starts a proxy for member i, which ends with the test.
func (e *Ensemble) NewProxy(t testing.TB, i int) *Proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{server: e.Server(i), ln: ln, pairs: make(map[*pair]struct{}), left: -1}
	go p.serve()
	t.Cleanup(func() {
		ln.Close()
		p.Cut()
	})
	return p
}

// Address is the host:port for clients.
func (p *Proxy) Address() string { return p.ln.Addr().String() }

func (p *Proxy) serve() {
	for {
		client, err := p.ln.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		p.mu.Lock()
		if err != nil || p.refuse {
			p.mu.Unlock()
			client.Close()
			continue
		}
		c := &pair{client, server}
		p.pairs[c] = struct{}{}
		p.mu.Unlock()
		go p.up(c)
		go p.down(c)
	}
}

// up passes requests on.
func (p *Proxy) up(c *pair) {
	defer p.end(c)
	for {
		packet, err := readPacket(c.client)
		if err != nil || !p.admit() {
			return
		}
		if _, err := c.server.Write(packet); err != nil {
			return
		}
	}
}

// admit counts a request, and reports whether it may pass.
func (p *Proxy) admit() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left == 0 {
		p.refuse = true
		return false
	}
	p.left--
	return true
}

// FailAfter lets n more requests arrive, swallows all answers from the n-th on,
// and then breaks and refuses all connections; below 0 ends that.
func (p *Proxy) FailAfter(n int) { p.set(func() { p.left, p.refuse = n, n == 0 }) }

// down passes answers on, unless they are to be lost, and looks at the first.
func (p *Proxy) down(c *pair) {
	defer p.end(c)
	first := true
	for {
		packet, err := readPacket(c.server)
		if err != nil {
			return
		}
		p.mu.Lock()
		if first && len(packet) >= 40 {
			p.session, p.password = int64(binary.BigEndian.Uint64(packet[12:])), packet[24:40]
		}
		mute := p.mute || p.left == 0
		p.mu.Unlock()
		first = false
		if mute {
			continue
		}
		if _, err := c.client.Write(packet); err != nil {
			return
		}
	}
}

// readPacket reads a packet with its length in front.
func readPacket(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	packet := make([]byte, 4+binary.BigEndian.Uint32(head[:]))
	copy(packet, head[:])
	_, err := io.ReadFull(r, packet[4:])
	return packet, err
}

func (p *Proxy) end(c *pair) {
	c.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pairs, c)
}

// Mute makes requests arrive and their answers be lost, or ends that.
func (p *Proxy) Mute(on bool) { p.set(func() { p.mute = on }) }

// Refuse makes new connections be closed at once, or ends that.
func (p *Proxy) Refuse(on bool) { p.set(func() { p.refuse = on }) }

// Cut breaks all connections that there are.
func (p *Proxy) Cut() {
	p.set(func() {
		for c := range p.pairs {
			c.close()
		}
	})
}

func (p *Proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// Expire ends the session that was begun or resumed last through the proxy, in
// the way of a client that takes it over and closes it.
func (p *Proxy) Expire(t testing.TB) {
	t.Helper()
	p.Refuse(true) // or the client would take it back at once
	defer p.Refuse(false)
	p.Cut()
	p.mu.Lock()
	session, password := p.session, p.password
	p.mu.Unlock()
	conn, err := net.Dial("tcp", p.server)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second)) // or reading fails
	b := binary.BigEndian.AppendUint32(nil, 44)
	b = binary.BigEndian.AppendUint32(b, 0) // protocol version
	b = binary.BigEndian.AppendUint64(b, 0) // last zxid seen
	b = binary.BigEndian.AppendUint32(b, 10_000)
	b = binary.BigEndian.AppendUint64(b, uint64(session))
	b = binary.BigEndian.AppendUint32(b, uint32(len(password)))
	b = append(b, password...)
	closing := binary.BigEndian.AppendUint32(nil, 8)
	closing = binary.BigEndian.AppendUint32(closing, 1)           // xid
	closing = binary.BigEndian.AppendUint32(closing, ^uint32(10)) // -11: close
	for i, request := range [][]byte{b, closing} {
		if _, err := conn.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := readPacket(conn); err != nil && i == 0 { // the server may hang up instead of answering the end
			t.Fatalf("expire session: %v", err)
		}
	}
}
