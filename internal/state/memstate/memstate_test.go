package memstate_test

import (
	"errors"
	"testing"

	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/state/memstate"
	"github.com/soukproject/souk/internal/state/statetest"
)

func TestStore(t *testing.T) {
	statetest.Run(t, statetest.Harness{
		Open: func(*testing.T) state.Store { return memstate.New() },
	})
}

func TestFailLeavesEntriesAlone(t *testing.T) {
	s := memstate.New()
	full := errors.New("no space left on device")
	s.Fail(full)
	op := state.Op{Entry: state.Entry{Name: "a"}}
	if _, err := s.Apply(t.Context(), op); !errors.Is(err, full) {
		t.Fatalf("Apply = %v, want %v", err, full)
	}
	s.Fail(nil)
	if _, err := s.Apply(t.Context(), op); err != nil {
		t.Errorf("Apply after the failure ended = %v", err)
	}
}
