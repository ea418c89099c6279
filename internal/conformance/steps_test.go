package conformance_test

import "testing"

// A step is a statement about more than one request.
type step struct {
	at, name, notYet string
	say              func(*testing.T, *cluster) error
}

func steps() []step { return nil }
