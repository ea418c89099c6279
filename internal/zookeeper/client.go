package zookeeper

import (
	"context"
	"sync"
)

// A Client has a session, and a new one when that is lost. It is for those who
// keep nothing in a session: readers, and writers whose writes name versions.
type Client struct {
	cfg  Config
	turn chan struct{} // holds a token while nobody opens a session

	mu      sync.Mutex
	session *Session
	closed  bool
}

// NewClient returns a client that connects when first used.
func NewClient(cfg Config) *Client {
	c := &Client{cfg: cfg, turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	return c
}

// URL is where the client asks.
func (c *Client) URL() URL { return c.cfg.URL }

// Session returns a session that is not known to be lost. It waits for the
// ensemble as long as ctx lasts.
func (c *Client) Session(ctx context.Context) (*Session, error) {
	select {
	case <-c.turn:
		defer func() { c.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s, err := c.current(); s != nil || err != nil {
		return s, err
	}
	s, err := Open(ctx, c.cfg)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		go s.Close() // the client's Close did not know of it
		return nil, errClosed
	}
	c.session = s
	return s, nil
}

// current is the session that lives, nil if there is none.
func (c *Client) current() (*Session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	if c.session != nil && c.session.Err() != nil {
		c.session = nil
	}
	return c.session, nil
}

// Close ends the session. Who waits for one is not waited for.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	s := c.session
	c.mu.Unlock()
	if s != nil {
		s.Close()
	}
}
