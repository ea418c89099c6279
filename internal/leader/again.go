package leader

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"
)

// ErrLost ends a process' work that was only its as long as it led.
var ErrLost = errors.New("leadership lost")

// longestPause is the most time between two turns of Again.
const longestPause = time.Second

// Again runs run, and anew each time that it ends because leadership was lost:
// as a contender that knows nothing of its time as the leader.
func Again(ctx context.Context, log *zap.Logger, run func(context.Context) error) error {
	for {
		err := run(ctx)
		if !errors.Is(err, ErrLost) || ctx.Err() != nil {
			return err
		}
		log.Warn("contending again", zap.Error(err))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(rand.N(longestPause)):
		}
	}
}

// Hold contends, calls reign while this contender leads, and gives leadership
// up when reign has ended, so that nobody begins before. It returns when that
// is known to all, or cannot be told. Lost leadership ends reign's context and
// is ErrLost.
func Hold(ctx context.Context, c Contender, reign func(context.Context) error) error {
	standing, resign := context.WithCancel(context.WithoutCancel(ctx))
	defer resign()
	stop := context.AfterFunc(ctx, resign)
	lost, err := c.Contend(standing)
	if err != nil {
		return err
	}
	if !stop() { // ctx has ended, and resign was called
		<-lost
		return ctx.Err()
	}
	reigning, end := context.WithCancelCause(ctx)
	defer end(nil)
	go func() {
		select {
		case <-lost:
			end(ErrLost)
		case <-reigning.Done():
		}
	}()
	err = reign(reigning)
	if errors.Is(context.Cause(reigning), ErrLost) {
		err = ErrLost
	}
	resign()
	<-lost
	return err
}
