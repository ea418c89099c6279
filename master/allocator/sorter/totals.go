package sorter

import "github.com/soukproject/souk/proto/mesos/resources"

// Totals is what there is to share, one for all sorters of a cluster. Its zero value is nothing, shared by all names.
type Totals struct {
	sum      resources.Quantities
	excluded []string
	version  uint64 // changes with every change of what counts
}

// NewTotals makes empty totals. Names that are excluded do not count for shares.
func NewTotals(excluded ...string) *Totals { return &Totals{excluded: excluded} }

// Add counts an agent in.
func (t *Totals) Add(q resources.Quantities) { t.set(t.sum.Add(t.counted(q))) }

// Sub counts an agent out.
func (t *Totals) Sub(q resources.Quantities) { t.set(t.sum.Sub(t.counted(q))) }

// Change counts something out and something else in, as one change.
func (t *Totals) Change(out, in resources.Quantities) {
	t.set(t.sum.Sub(t.counted(out)).Add(t.counted(in)))
}

// Sum is all that counts.
func (t *Totals) Sum() resources.Quantities { return t.sum }

func (t *Totals) set(sum resources.Quantities) {
	if !sum.Equal(t.sum) {
		t.sum = sum
		t.version++
	}
}

func (t *Totals) counted(q resources.Quantities) resources.Quantities {
	for _, name := range t.excluded {
		q = q.With(name, 0)
	}
	return q
}
