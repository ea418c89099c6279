package core

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/soukproject/souk/proto/mesos"
)

// TestTaskTableIsAMap: whatever is done to it, the table says what a plain map
// and plain slices would say, and so does every snapshot taken on the way.
func TestTaskTableIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := newTaskTable(rapid.Uint64().Draw(t, "seed"))
		want := map[string]string{} // info by id; the framework is always 1
		history := map[string]string{}
		var order []string
		var c chain
		type copied struct {
			pages []*page[task]
			bytes [][]byte
			chain chain
			want  []string
		}
		var snapshots []copied
		fresh := 0
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			id := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, "id")
			row := table.find(1, mesos.TaskID(id))
			if (row != 0) != (slices.Contains(order, id)) {
				t.Fatalf("find(%s) = %d, want present %t", id, row, slices.Contains(order, id))
			}
			fresh++
			blob := bytes.Repeat([]byte{byte(fresh)}, rapid.SampledFrom([]int{0, 1, 300, 70_000, 200_000, 400_000}).Draw(t, "size"))
			switch op := rapid.SampledFrom([]string{"add", "remove", "history", "snapshot"}).Draw(t, "op"); {
			case op == "add" && row == 0:
				row = table.add(1, mesos.TaskID(id), blob)
				table.enter(&c, byFramework, row)
				want[id], history[id] = string(blob), ""
				order = append(order, id)
			case op == "remove" && row != 0:
				table.leave(&c, byFramework, row)
				table.unindex(row)
				table.remove(row)
				order = slices.DeleteFunc(order, func(x string) bool { return x == id })
			case op == "history" && row != 0:
				table.setHistory(row, blob)
				history[id] = string(blob)
			case op == "snapshot":
				s := copied{table.rows.share(), slices.Clone(table.bytes.chunks), c, nil}
				for _, x := range order {
					s.want = append(s.want, x+want[x]+history[x])
				}
				snapshots = append(snapshots, s)
			}
			var got []string
			for row := range table.walk(c, byFramework) {
				id := table.id(row)
				got = append(got, id)
				if string(table.info(row)) != want[id] || string(table.history(row)) != history[id] {
					t.Fatalf("row of %s does not hold what was put in", id)
				}
			}
			if !slices.Equal(got, order) || c.n != len(order) || table.rows.used != len(order) {
				t.Fatalf("chain = %v (%d), want %v", got, c.n, order)
			}
		}
		for i, s := range snapshots {
			var got []string
			for row := s.chain.first; row != 0; row = rowAt(s.pages, row).ofFramework.next {
				r := rowAt(s.pages, row)
				got = append(got, string(record(s.bytes, r.info))+string(record(s.bytes, r.history)))
			}
			if !slices.Equal(got, s.want) {
				t.Fatalf("snapshot %d changed", i)
			}
		}
	})
}

// TestTasksOfOneHashAreKeptApart: hashes may collide, tasks may not.
func TestTasksOfOneHashAreKeptApart(t *testing.T) {
	table := newTaskTable(0)
	rows := map[string]uint32{}
	for i := range 50 {
		id := fmt.Sprintf("t%d", i)
		rows[id] = table.add(1, mesos.TaskID(id), nil)
	}
	// Put all of them under one hash by hand: the index must still tell them apart.
	h := table.hash(1, "t0")
	var first uint32
	for i := range 50 {
		row := rows[fmt.Sprintf("t%d", i)]
		table.rows.edit(row).sameHash = first
		first = row
	}
	table.index = map[uint64]uint32{h: first}
	if got := table.find(1, "t0"); got != rows["t0"] {
		t.Errorf("find(t0) = %d, want %d", got, rows["t0"])
	}
	if got := table.find(2, "t0"); got != 0 {
		t.Errorf("find of another framework = %d, want 0", got)
	}
	table.unindex(rows["t0"])
	if got := table.find(1, "t0"); got != 0 {
		t.Errorf("find(t0) after unindex = %d, want 0", got)
	}
}

// TestSlabGivesMemoryBack: holes do not pile up.
func TestSlabGivesMemoryBack(t *testing.T) {
	table := newTaskTable(1)
	blob := make([]byte, 500)
	var live []uint32
	for i := range 20000 {
		live = append(live, table.add(1, mesos.TaskID(fmt.Sprint(i)), blob))
	}
	full := table.bytes.size()
	for i, row := range live {
		if i%10 != 0 {
			table.unindex(row)
			table.remove(row)
		}
	}
	if got := table.bytes.size(); got > full/4 {
		t.Errorf("a tenth of the rows holds %d of %d bytes, want at most a quarter", got, full)
	}
	for i := 0; i < len(live); i += 10 {
		if got := table.id(live[i]); got != fmt.Sprint(i) {
			t.Fatalf("row %d has id %q after its record was moved, want %d", live[i], got, i)
		}
	}
}
