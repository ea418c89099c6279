package static_test

import (
	"testing"

	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/leader/leadertest"
	"github.com/soukproject/souk/internal/leader/static"
)

func TestLeadership(t *testing.T) {
	me := leader.Leader{ID: "m1", Address: "127.0.0.1:5050", Info: []byte("{}")}
	leadertest.Run(t, leadertest.Harness{
		Open: func(*testing.T) leadertest.Group {
			s := static.New(me)
			return leadertest.Group{
				Join:     func(leader.Leader) leader.Contender { return s },
				Detector: s,
			}
		},
		Known: me,
	})
}
