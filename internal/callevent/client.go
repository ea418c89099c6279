package callevent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
)

// Limits of a client that its configuration leaves at zero.
const (
	DefaultMaxRecord = 64 << 20 // bytes of one event or answer
	maxErrorText     = 64 << 10
	maxRedirects     = 10
)

// errRedirects ends a chase through masters that all point elsewhere.
var errRedirects = fmt.Errorf("more than %d redirects in a row", maxRedirects)

// ClientConfig says whom a client speaks to, and how.
type ClientConfig[E proto.Message] struct {
	URL    string       // of the API, as http://host:port/api/v1/scheduler
	Codec  Codec        // for calls and events
	HTTP   *http.Client // nil: http.DefaultClient; its Timeout does not end subscriptions
	Header http.Header  // added to every request, also after a redirect to the leader
	New    func() E     // makes an empty event
	// MaxRecord bounds one event in bytes; 0: DefaultMaxRecord.
	MaxRecord int
}

// A Client makes the calls of type C of one API and subscribes to its events
// of type E. Its methods may be called from any goroutine.
type Client[C, E proto.Message] struct {
	cfg       ClientConfig[E]
	calls     *http.Client // follows no redirects by itself: the leader must get every header
	streaming *http.Client // the same without a timeout for the whole answer

	mu     sync.Mutex
	leader string // URL of the API at the leading master, "" until learnt
	stream string // Mesos-Stream-Id of the latest subscription
}

// NewClient makes a client. It connects when first used.
func NewClient[C, E proto.Message](cfg ClientConfig[E]) *Client[C, E] {
	base := cfg.HTTP
	if base == nil {
		base = http.DefaultClient
	}
	if cfg.MaxRecord == 0 {
		cfg.MaxRecord = DefaultMaxRecord
	}
	calls := *base
	calls.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	streaming := calls
	streaming.Timeout = 0
	return &Client[C, E]{cfg: cfg, calls: &calls, streaming: &streaming}
}

// Subscribe makes call, whose answer is a stream of events, and remembers the
// stream's id for Send. The stream ends with ctx. A refusal is an *Error.
func (c *Client[C, E]) Subscribe(ctx context.Context, call C) (*Stream[E], error) {
	ctx, cancel := context.WithCancel(ctx)
	resp, err := c.post(ctx, c.streaming, call, "")
	if err != nil {
		cancel()
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	if got := resp.Header.Get("Content-Type"); got != c.cfg.Codec.MediaType() {
		cancel()
		resp.Body.Close()
		return nil, fmt.Errorf("subscribe: answer has Content-Type '%s', want '%s'", got, c.cfg.Codec.MediaType())
	}
	id := resp.Header.Get(StreamIDHeader)
	c.mu.Lock()
	c.stream = id
	c.mu.Unlock()
	return newStream(resp.Body, cancel, id, c.cfg), nil
}

// Send makes a call that is answered without a body worth reading. It carries
// the id of the latest subscription, if that had one. A refusal is an *Error.
func (c *Client[C, E]) Send(ctx context.Context, call C) error {
	return c.Do(ctx, call, nil)
}

// Do makes a call and decodes the answer's body, if there is one, into answer;
// nil leaves it unread. A refusal is an *Error.
func (c *Client[C, E]) Do(ctx context.Context, call C, answer proto.Message) error {
	c.mu.Lock()
	stream := c.stream
	c.mu.Unlock()
	resp, err := c.post(ctx, c.calls, call, stream)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(c.cfg.MaxRecord)+1))
	switch {
	case err != nil:
		return fmt.Errorf("read the answer: %w", err)
	case answer == nil || len(body) == 0:
		return nil
	case len(body) > c.cfg.MaxRecord:
		return fmt.Errorf("answer exceeds the limit of %d bytes", c.cfg.MaxRecord)
	}
	return Unmarshal(c.cfg.Codec, body, answer)
}

// Leader is the URL of the API where the last call was answered, which differs
// from the configured one after a redirect.
func (c *Client[C, E]) Leader() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leader == "" {
		return c.cfg.URL
	}
	return c.leader
}

// post sends call to the leader as last known, following redirects to the real
// one. The answer is a success whose body the caller closes.
func (c *Client[C, E]) post(ctx context.Context, hc *http.Client, call C, stream string) (*http.Response, error) {
	body, err := Marshal(c.cfg.Codec, call)
	if err != nil {
		return nil, fmt.Errorf("encode call: %w", err)
	}
	target := c.Leader()
	for range maxRedirects {
		resp, err := c.once(ctx, hc, target, body, stream)
		if err != nil {
			c.settle("") // it may have died: start over where we were told to
			return nil, err
		}
		if resp.StatusCode == http.StatusTemporaryRedirect || resp.StatusCode == http.StatusPermanentRedirect {
			drain(resp.Body)
			if target, err = redirected(target, resp.Header.Get("Location")); err != nil {
				return nil, err
			}
			continue
		}
		if resp.StatusCode == http.StatusServiceUnavailable {
			c.settle("") // deposed, perhaps
		}
		if resp.StatusCode/100 != 2 {
			return nil, refusal(resp)
		}
		c.settle(target)
		return resp, nil
	}
	c.settle("")
	return nil, errRedirects
}

func (c *Client[C, E]) settle(leader string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leader = leader
}

func (c *Client[C, E]) once(ctx context.Context, hc *http.Client, target string, body []byte, stream string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for k, v := range c.cfg.Header {
		req.Header[k] = v
	}
	req.Header.Set("Content-Type", c.cfg.Codec.MediaType())
	req.Header.Set("Accept", c.cfg.Codec.MediaType())
	if stream != "" {
		req.Header.Set(StreamIDHeader, stream)
	}
	return hc.Do(req)
}

// redirected resolves a Location, which masters give without a scheme. Going
// from TLS to plain text would show credentials to the network; that is refused.
func redirected(from, location string) (string, error) {
	base, err := url.Parse(from)
	if err != nil {
		return "", err
	}
	to, err := base.Parse(location)
	switch {
	case err != nil:
		return "", fmt.Errorf("redirect to '%s': %w", location, err)
	case location == "" || to.Host == "" || to.Scheme != "http" && to.Scheme != "https":
		return "", fmt.Errorf("redirect to '%s': not the address of a master", location)
	case base.Scheme == "https" && to.Scheme != "https":
		return "", fmt.Errorf("redirect to '%s': refused to leave https", location)
	}
	return to.String(), nil
}

// refusal makes an answer that is no success into an *Error and closes it.
func refusal(resp *http.Response) error {
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorText))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read the refusal %d: %w", resp.StatusCode, err)
	}
	return &Error{Code: resp.StatusCode, Text: strings.TrimSpace(string(text))}
}

// drain reads a short body to its end, so that the connection can be used again.
func drain(body io.ReadCloser) {
	_, _ = io.Copy(io.Discard, io.LimitReader(body, maxErrorText))
	_ = body.Close()
}
