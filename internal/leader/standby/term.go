package standby

import (
	"context"
	"net/http"

	"github.com/soukproject/souk/internal/state"
)

// A Term is one time of leading.
type Term struct {
	Store state.Store // is closed when the reign has returned
	// Abdicate ends the term soon, for another process to lead. It does not
	// block. It is nil if there can be no other process.
	Abdicate func()

	ctx   context.Context
	front *front
}

// Serve makes h answer requests until the term ends, which ends the contexts of
// those under way, too.
func (t Term) Serve(h http.Handler) {
	t.front.lead(&office{ctx: t.ctx, handler: h})
}

// An office is what answers in a term.
type office struct {
	ctx     context.Context // of the term
	handler http.Handler
}

// ServeHTTP implements http.Handler. A request whose answer needs the term to
// last must not wait for longer than that.
func (o *office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	stop := context.AfterFunc(o.ctx, func() { cancel(context.Cause(o.ctx)) })
	defer stop()
	o.handler.ServeHTTP(w, r.WithContext(ctx))
}
