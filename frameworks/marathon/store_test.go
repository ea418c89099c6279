package marathon

import (
	"fmt"
	"testing"

	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/internal/state/memstate"
)

// TestWriterKeepsOrder writes, overwrites and deletes records in batches of any
// size: the store ends as if each had been written alone.
func TestWriterKeepsOrder(t *testing.T) {
	for _, batch := range []int{1, 2, 3, 7, 100} {
		t.Run(fmt.Sprint(batch), func(t *testing.T) {
			store := memstate.New()
			w := newWriter(store)
			want := map[string]string{}
			var waiting []core.Persist
			for i := range 100 {
				name := core.Prefix + fmt.Sprint(i%7)
				op := core.Op{Name: name, Value: []byte(fmt.Sprint(i)), Delete: i%5 == 3}
				if want[name] = fmt.Sprint(i); op.Delete {
					delete(want, name)
				}
				waiting = append(waiting, core.Persist{Seq: uint64(i + 1), Ops: []core.Op{op}})
				if len(waiting) == batch || i == 99 {
					if err := w.apply(t.Context(), waiting); err != nil {
						t.Fatal(err)
					}
					waiting = nil
				}
			}
			entries, err := store.List(t.Context(), core.Prefix)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, e := range entries {
				got[e.Name] = string(e.Value)
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("store holds %v, want %v", got, want)
			}
		})
	}
}

// TestBatchesStayWithinTheStore: one Persist is never split, several are.
func TestBatchesStayWithinTheStore(t *testing.T) {
	w := newWriter(memstate.New())
	for i := range 10 {
		p := core.Persist{Seq: uint64(i + 1)}
		for j := range writeOps / 4 {
			p.Ops = append(p.Ops, core.Op{Name: fmt.Sprint(i, j)})
		}
		w.write(p)
	}
	sizes := []int{}
	for batch := w.next(); len(batch) > 0; batch = w.next() {
		sizes = append(sizes, len(batch))
	}
	if fmt.Sprint(sizes) != "[4 4 2]" {
		t.Errorf("batches of %v, want [4 4 2]", sizes)
	}
}

// TestConfirmKeepsTheNewest: the loop needs to know only how far writing got.
func TestConfirmKeepsTheNewest(t *testing.T) {
	w := newWriter(memstate.New())
	w.confirm(1)
	w.confirm(2)
	if got := <-w.durable; got != 2 {
		t.Errorf("durable = %d, want 2", got)
	}
}
