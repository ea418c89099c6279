package api

import (
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/soukproject/souk/internal/callevent"
)

// A stalledWriter is a connection whose reader takes nothing. Like those of
// net/http it is broken for good once a write has failed.
type stalledWriter struct {
	*httptest.ResponseRecorder
	deadline time.Time
	broken   bool
}

func (w *stalledWriter) SetWriteDeadline(at time.Time) error {
	w.deadline = at
	return nil
}

func (w *stalledWriter) Write([]byte) (int, error) {
	if !w.broken {
		time.Sleep(time.Until(w.deadline))
	}
	w.broken = true
	return 0, os.ErrDeadlineExceeded
}

// TestStalledReaderOfOutputIsCutOff: whoever takes no output is let go, be it
// output or a heartbeat that waits for it.
func TestStalledReaderOfOutputIsCutOff(t *testing.T) {
	tests := []struct {
		name   string
		follow func(context.Context, func(bool, []byte) error) error
		want   time.Duration
	}{
		{"output", func(_ context.Context, emit func(bool, []byte) error) error {
			if err := emit(false, []byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("emit = %v, want %v", err, os.ErrDeadlineExceeded)
			}
			return nil
		}, callevent.DefaultWriteTimeout},
		{"silence", func(ctx context.Context, _ func(bool, []byte) error) error {
			<-ctx.Done()
			return ctx.Err()
		}, ioHeartbeat + callevent.DefaultWriteTimeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newProcessStream(&stalledWriter{ResponseRecorder: httptest.NewRecorder()}, callevent.JSON, true)
				began := time.Now()
				if err := s.serve(t.Context(), tt.follow); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took != tt.want {
					t.Errorf("the stream ended after %v, want %v", took, tt.want)
				}
			})
		})
	}
}
