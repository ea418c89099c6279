package leadertest_test

import (
	"testing"

	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/leader/leadertest"
)

func TestElection(t *testing.T) {
	leadertest.Run(t, leadertest.Harness{
		Open: func(*testing.T) leadertest.Group {
			e := leadertest.NewElection()
			return leadertest.Group{Join: e.Contender, Detector: e}
		},
	})
}

func TestDeposeEndsLeadership(t *testing.T) {
	e := leadertest.NewElection()
	lost, err := e.Contender(leader.Leader{ID: "m1"}).Contend(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e.Depose()
	select {
	case <-lost:
	default:
		t.Error("lost is open after Depose")
	}
}
