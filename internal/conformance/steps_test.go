package conformance_test

import (
	"slices"
	"testing"

	"github.com/soukproject/souk/internal/callevent"
)

// A step is a statement about more than one request.
type step struct {
	at, name, notYet string
	say              func(*play)
	own              bool // needs a cluster that was started for it: agents come and go
	once             bool // waits for something that no encoding hastens: in JSON only
}

// steps are in the order of the page.
func steps() []step {
	return slices.Concat(streamSteps(), subscriptionSteps(), offerSteps(), taskSteps(), reconciliationSteps(),
		executorSteps(), groupSteps(), operatorSteps(), agentSteps())
}

// encodings are those that a step is performed in.
func (s *step) encodings() []callevent.Codec {
	if s.once {
		return []callevent.Codec{callevent.JSON}
	}
	return []callevent.Codec{callevent.JSON, callevent.Protobuf}
}

// performAll performs a step in its encodings.
func (s *step) performAll(t *testing.T, c *cluster) error {
	if s.own && c.foreign {
		t.Skip("takes agents away: only for a cluster that this test starts")
	}
	for _, codec := range s.encodings() {
		if err := perform(t, c, codec, s.say); err != nil {
			return err
		}
	}
	return nil
}
