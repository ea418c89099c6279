package standby

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/internal/leader"
)

// patience is how long a request waits for a leader to be known.
const patience = 2500 * time.Millisecond

// A Style is how a service's processes answer that do not lead.
type Style struct {
	// Via is the header that names the processes that have passed a request on.
	Via string
	// Redirects reports what is answered with 302 instead of passed on, because
	// it is a stream; nil: nothing.
	Redirects func(*http.Request) bool
	// Refuse answers with an error in the service's own form.
	Refuse func(w http.ResponseWriter, status int, message string)
	// Unavailable is the status when there is no leader, or none that accepts
	// connections, and of loops; Failed of all other failures to pass on.
	Unavailable, Failed int
}

// Limits bound what is passed on to the leader.
type Limits struct {
	Connect     time.Duration // to reach it
	Answer      time.Duration // to get the beginning of an answer
	Connections int           // at the same time; more requests wait
}

// DefaultLimits are those of Marathon (marathon-api 2.2).
func DefaultLimits() Limits {
	return Limits{Connect: 5 * time.Second, Answer: 10 * time.Second, Connections: 64}
}

// A front answers all requests: by this process while it leads, else by the
// leader.
type front struct {
	self  string
	style Style
	log   *zap.Logger
	proxy *httputil.ReverseProxy

	mu      sync.Mutex
	office  *office       // nil: this process does not lead, or not yet
	leader  leader.Leader // as detected
	changed chan struct{} // closed and replaced with each change of those above
}

// target is the key of the leader's address in the context of a request that is passed on.
type target struct{}

func newFront(cfg Config) *front {
	f := &front{self: cfg.Self, style: cfg.Style, log: cfg.Log.Named("standby"), changed: make(chan struct{})}
	dialer := net.Dialer{Timeout: cfg.Limit.Connect}
	f.proxy = &httputil.ReverseProxy{
		Transport: &http.Transport{
			DialContext:           dialer.DialContext,
			ResponseHeaderTimeout: cfg.Limit.Answer,
			MaxConnsPerHost:       cfg.Limit.Connections,
			MaxIdleConnsPerHost:   cfg.Limit.Connections,
			IdleConnTimeout:       time.Minute,
			DisableCompression:    true, // answers are passed on as they are
		},
		Rewrite:       f.rewrite,
		FlushInterval: -1,
		ErrorHandler:  f.failed,
		ErrorLog:      zap.NewStdLog(f.log.WithOptions(zap.IncreaseLevel(zap.ErrorLevel))),
	}
	return f
}

// follow keeps to who leads until ctx ends.
func (f *front) follow(ctx context.Context, d leader.Detector) error {
	defer f.proxy.Transport.(*http.Transport).CloseIdleConnections()
	now := leader.Leader{}
	for {
		next, err := d.Detect(ctx, now)
		if err != nil {
			return err
		}
		now = next
		f.log.Info("leader detected", zap.String("leader", now.Address))
		f.change(func() { f.leader = now })
	}
}

// lead makes o answer, and stand nobody.
func (f *front) lead(o *office) { f.change(func() { f.office = o }) }

func (f *front) stand() { f.lead(nil) }

func (f *front) change(what func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	what()
	close(f.changed)
	f.changed = make(chan struct{})
}

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o, address := f.find(r.Context())
	switch {
	case o != nil:
		o.ServeHTTP(w, r)
	case address == "":
		f.style.Refuse(w, f.style.Unavailable, "Could not determine the current leader")
	case f.passed(r):
		f.style.Refuse(w, f.style.Unavailable, "Detected proxying loop.")
	case f.style.Redirects != nil && f.style.Redirects(r):
		w.Header().Set("Location", "http://"+address+r.URL.RequestURI())
		w.WriteHeader(http.StatusFound)
	default:
		f.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), target{}, address)))
	}
}

// find waits for who answers: this process, or the one at an address.
func (f *front) find(ctx context.Context) (*office, string) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		f.mu.Lock()
		o, address, changed := f.office, f.leader.Address, f.changed
		f.mu.Unlock()
		switch {
		case o != nil && o.ctx.Err() == nil:
			return o, ""
		case o == nil && address != "" && address != f.self:
			return nil, address
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ""
		}
	}
}

// me is this process in the Via header.
func (f *front) me() string { return "1.1 " + f.self }

// passed reports whether a request has been here before.
func (f *front) passed(r *http.Request) bool {
	for _, line := range r.Header.Values(f.style.Via) {
		for one := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(one) == f.me() {
				return true
			}
		}
	}
	return false
}

// rewrite makes a request one to the leader; the leader authenticates it.
func (f *front) rewrite(p *httputil.ProxyRequest) {
	p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = "http", p.In.Context().Value(target{}).(string), ""
	p.Out.URL.RawQuery = p.In.URL.RawQuery // as it is, also where Go could not read it
	p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"]
	p.SetXForwarded()
	p.Out.Header.Add(f.style.Via, f.me())
}

// failed answers a request that the leader did not.
func (f *front) failed(w http.ResponseWriter, r *http.Request, err error) {
	address, _ := r.Context().Value(target{}).(string)
	f.log.Warn("request not passed on", zap.String("path", r.URL.Path), zap.String("leader", address), zap.Error(err))
	status := f.style.Failed
	if errors.Is(err, syscall.ECONNREFUSED) {
		status = f.style.Unavailable
	}
	f.style.Refuse(w, status, fmt.Sprintf("the leader %s did not answer: %v", address, err))
}
