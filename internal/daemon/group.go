package daemon

import (
	"context"
	"fmt"
	"sync"
)

// A Group runs functions that live and end together: the first one that returns
// ends the context of all others.
type Group struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
	once   sync.Once
	err    error
}

// NewGroup returns a group whose functions end when ctx does.
func NewGroup(ctx context.Context) *Group {
	ctx, cancel := context.WithCancelCause(ctx)
	return &Group{ctx: ctx, cancel: cancel}
}

// Context returns the context that the functions of g run with.
func (g *Group) Context() context.Context {
	return g.ctx
}

// Go starts run; name precedes its error. It must not be called after Wait
// has returned.
func (g *Group) Go(name string, run func(context.Context) error) {
	g.wg.Go(func() {
		err := run(g.ctx)
		g.once.Do(func() {
			if err != nil && g.ctx.Err() == nil {
				g.err = fmt.Errorf("%s: %w", name, err)
			}
			g.cancel(g.err)
		})
	})
}

// Wait blocks until every function has returned. It returns the error of the
// first one, or nil if that returned nil or the group's context had ended.
func (g *Group) Wait() error {
	g.wg.Wait()
	g.cancel(nil)
	return g.err
}
