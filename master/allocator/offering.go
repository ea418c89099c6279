package allocator

import "fmt"

// Offering says how what is free of an agent becomes offers.
type Offering uint8

// The ways.
const (
	// Coarse offers all that is free of an agent to the first who can have it, as Mesos does.
	Coarse Offering = iota
	// Spread offers it in slices to all who can have it, in turns.
	Spread
	// Pack is coarse and offers agents that are in use before those that are empty, so that the latter can be switched
	// off.
	Pack
)

// ParseOffering reads the name of a way: coarse, spread or pack.
func ParseOffering(text string) (Offering, error) {
	for _, o := range []Offering{Coarse, Spread, Pack} {
		if o.String() == text {
			return o, nil
		}
	}
	return 0, fmt.Errorf("%q is not an offer policy: use coarse, spread or pack", text)
}

// String is the name of the way.
func (o Offering) String() string {
	switch o {
	case Coarse:
		return "coarse"
	case Spread:
		return "spread"
	case Pack:
		return "pack"
	}
	return fmt.Sprintf("Offering(%d)", uint8(o))
}
