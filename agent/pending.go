package agent

import (
	"slices"
	"sync"
	"time"

	"github.com/soukproject/souk/agent/api"
)

// pending is what the containerizer is busy with, for who asks why nothing
// happens. Safe for concurrent use.
type pending struct {
	mu  sync.Mutex
	all []*api.Operation // the oldest first
}

// begin notes an operation, and forgets it when done is called.
func (p *pending) begin(name, container string) (done func()) {
	o := &api.Operation{Name: name, Container: container, Since: time.Now()}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, o)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.all = slices.DeleteFunc(p.all, func(x *api.Operation) bool { return x == o })
	}
}

func (p *pending) list() []api.Operation {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]api.Operation, len(p.all))
	for i, o := range p.all {
		list[i] = *o
	}
	return list
}

// Pending implements api.Agent.
func (a *agent) Pending() []api.Operation { return a.boxes.pending.list() }
