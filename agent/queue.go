package agent

import (
	"context"
	"sync"
)

// A queue hands values from the loop, which never waits, to a goroutine that
// does. What is in it is bounded by what the core has under way.
type queue[T any] struct {
	wake chan struct{} // holds one token when something is there

	mu    sync.Mutex
	items []T
}

func newQueue[T any]() *queue[T] { return &queue[T]{wake: make(chan struct{}, 1)} }

func (q *queue[T]) put(x T) {
	q.mu.Lock()
	q.items = append(q.items, x)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default: // a token is there already
	}
}

// take waits until something is there and returns all of it.
func (q *queue[T]) take(ctx context.Context) ([]T, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-q.wake:
		}
		q.mu.Lock()
		items := q.items
		q.items = nil
		q.mu.Unlock()
		if len(items) > 0 {
			return items, nil
		}
	}
}
