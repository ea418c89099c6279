// Package statetest checks that a state.Store keeps its promises. Every
// implementation's tests run it; it owns no store.
package statetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/soukproject/souk/internal/state"
)

// Harness is what the suite needs of an implementation.
type Harness struct {
	// Open returns an empty store that the test's cleanup closes.
	Open func(t *testing.T) state.Store
	// Reopen closes s and opens what it left behind; nil if nothing survives.
	Reopen func(t *testing.T, s state.Store) state.Store
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	cases := []struct {
		name string
		test func(*testing.T, state.Store)
	}{
		{"an absent entry is not found", testAbsent},
		{"an entry is read back", testReadBack},
		{"an empty value is a value", testEmptyValue},
		{"a second creation is refused", testSecondCreation},
		{"a stale write is refused", testStaleWrite},
		{"a write to a deleted entry is refused", testWriteToDeleted},
		{"a deletion needs the version", testDeletion},
		{"a stale version does not fit a re-created entry", testRecreated},
		{"all operations happen or none", testAtomic},
		{"one entry cannot be named twice", testNamedTwice},
		{"list is sorted and follows the prefix", testList},
		{"values are not shared with the caller", testNotShared},
		{"limits are enforced", testLimits},
		{"bad names are refused", testNames},
		{"an ended context is refused", testContext},
		{"of concurrent writers of one version one wins", testOneWins},
		{"concurrent writers of many entries all succeed", testManyWriters},
		{"a closed store refuses", testClosed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.test(t, h.Open(t)) })
	}
	if h.Reopen != nil {
		t.Run("what was written survives", func(t *testing.T) { testDurable(t, h) })
	}
}

func set(name, value string, version uint64) state.Op {
	return state.Op{Entry: state.Entry{Name: name, Value: []byte(value), Version: version}}
}

func del(name string, version uint64) state.Op {
	return state.Op{Entry: state.Entry{Name: name, Version: version}, Delete: true}
}

func apply(t *testing.T, s state.Store, ops ...state.Op) []state.Entry {
	t.Helper()
	es, err := s.Apply(t.Context(), ops...)
	if err != nil {
		t.Fatalf("Apply(%v) = %v, want nil", ops, err)
	}
	if len(es) != len(ops) {
		t.Fatalf("Apply(%d ops) returned %d entries", len(ops), len(es))
	}
	return es
}

func refused(t *testing.T, s state.Store, want error, ops ...state.Op) {
	t.Helper()
	if _, err := s.Apply(t.Context(), ops...); !errors.Is(err, want) {
		t.Fatalf("Apply(%v) = %v, want %v", ops, err, want)
	}
}

func value(t *testing.T, s state.Store, name string) string {
	t.Helper()
	e, err := s.Get(t.Context(), name)
	if err != nil {
		t.Fatalf("Get(%q) = %v, want nil", name, err)
	}
	return string(e.Value)
}

func absent(t *testing.T, s state.Store, name string) {
	t.Helper()
	if e, err := s.Get(t.Context(), name); !errors.Is(err, state.ErrNotFound) {
		t.Fatalf("Get(%q) = %v, %v, want ErrNotFound", name, e, err)
	}
}

func testAbsent(t *testing.T, s state.Store) {
	absent(t, s, "agents/a1")
	if es, err := s.List(t.Context(), ""); err != nil || len(es) != 0 {
		t.Fatalf("List of an empty store = %v, %v", es, err)
	}
}

func testReadBack(t *testing.T, s state.Store) {
	w := apply(t, s, set("agents/a1", "one", 0))[0]
	got, err := s.Get(t.Context(), "agents/a1")
	if err != nil {
		t.Fatal(err)
	}
	if w.Version == 0 {
		t.Errorf("version after a write = 0")
	}
	if diff := cmp.Diff(w, got); diff != "" {
		t.Errorf("Get differs from what Apply returned (-apply +get):\n%s", diff)
	}
}

func testEmptyValue(t *testing.T, s state.Store) {
	e := apply(t, s, set("gone/a1", "", 0))[0]
	if got := value(t, s, "gone/a1"); got != "" {
		t.Errorf("value = %q, want empty", got)
	}
	refused(t, s, state.ErrConflict, set("gone/a1", "", 0))
	apply(t, s, del("gone/a1", e.Version))
}

func testSecondCreation(t *testing.T, s state.Store) {
	apply(t, s, set("a", "first", 0))
	refused(t, s, state.ErrConflict, set("a", "second", 0))
	if got := value(t, s, "a"); got != "first" {
		t.Errorf("value = %q, want first", got)
	}
}

func testStaleWrite(t *testing.T, s state.Store) {
	v1 := apply(t, s, set("a", "1", 0))[0].Version
	v2 := apply(t, s, set("a", "2", v1))[0].Version
	if v2 <= v1 {
		t.Errorf("version %d after %d does not grow", v2, v1)
	}
	refused(t, s, state.ErrConflict, set("a", "3", v1))
	refused(t, s, state.ErrConflict, set("a", "3", v2+100))
	if got := value(t, s, "a"); got != "2" {
		t.Errorf("value = %q, want 2", got)
	}
}

func testWriteToDeleted(t *testing.T, s state.Store) {
	v := apply(t, s, set("a", "1", 0))[0].Version
	apply(t, s, del("a", v))
	refused(t, s, state.ErrConflict, set("a", "2", v))
	refused(t, s, state.ErrConflict, del("a", v))
	absent(t, s, "a")
}

func testDeletion(t *testing.T, s state.Store) {
	v1 := apply(t, s, set("a", "1", 0))[0].Version
	v2 := apply(t, s, set("a", "2", v1))[0].Version
	refused(t, s, state.ErrConflict, del("a", v1))
	if _, err := s.Apply(t.Context(), del("a", 0)); err == nil {
		t.Errorf("deletion without a version = nil, want an error")
	}
	if e := apply(t, s, del("a", v2))[0]; e.Version != 0 || e.Value != nil {
		t.Errorf("Apply(delete) returned %v, want version 0 and no value", e)
	}
	absent(t, s, "a")
}

func testRecreated(t *testing.T, s state.Store) {
	v := apply(t, s, set("a", "1", 0))[0].Version
	apply(t, s, del("a", v))
	apply(t, s, set("a", "2", 0))
	refused(t, s, state.ErrConflict, set("a", "3", v))
}

func testAtomic(t *testing.T, s state.Store) {
	es := apply(t, s, set("a", "1", 0), set("b", "1", 0), set("c", "1", 0))
	a, b := es[0].Version, es[1].Version
	apply(t, s, set("b", "2", b))
	refused(t, s, state.ErrConflict, set("a", "2", a), del("c", es[2].Version), set("d", "2", 0), set("b", "3", b))
	for name, want := range map[string]string{"a": "1", "b": "2", "c": "1"} {
		if got := value(t, s, name); got != want {
			t.Errorf("%s = %q after a refused Apply, want %q", name, got, want)
		}
	}
	absent(t, s, "d")
}

func testNamedTwice(t *testing.T, s state.Store) {
	if _, err := s.Apply(t.Context(), set("a", "1", 0), set("a", "2", 0)); err == nil {
		t.Errorf("Apply naming an entry twice = nil, want an error")
	}
	absent(t, s, "a")
}

func testList(t *testing.T, s state.Store) {
	apply(t, s, set("b/2", "", 0), set("a/10", "", 0), set("a/1", "", 0), set("a", "", 0), set("b/1", "", 0), set("a/2", "", 0))
	cases := []struct {
		prefix string
		want   []string
	}{
		{"", []string{"a", "a/1", "a/10", "a/2", "b/1", "b/2"}},
		{"a/", []string{"a/1", "a/10", "a/2"}},
		{"b/2", []string{"b/2"}},
		{"c", nil},
	}
	for _, c := range cases {
		if diff := cmp.Diff(c.want, names(t, s, c.prefix)); diff != "" {
			t.Errorf("List(%q) (-want +got):\n%s", c.prefix, diff)
		}
	}
}

func names(t *testing.T, s state.Store, prefix string) []string {
	t.Helper()
	es, err := s.List(t.Context(), prefix)
	if err != nil {
		t.Fatalf("List(%q) = %v", prefix, err)
	}
	var got []string
	for _, e := range es {
		got = append(got, e.Name)
	}
	return got
}

func testNotShared(t *testing.T, s state.Store) {
	mine := []byte("one")
	apply(t, s, state.Op{Entry: state.Entry{Name: "a", Value: mine}})
	mine[0] = 'X'
	e, err := s.Get(t.Context(), "a")
	if err != nil || string(e.Value) != "one" {
		t.Fatalf("Get after the caller changed its slice = %q, %v", e.Value, err)
	}
	e.Value[0] = 'Y'
	if got := value(t, s, "a"); got != "one" {
		t.Errorf("value after a reader changed its slice = %q", got)
	}
}

func testLimits(t *testing.T, s state.Store) {
	big := bytes.Repeat([]byte{'x'}, state.MaxValueBytes)
	apply(t, s, state.Op{Entry: state.Entry{Name: "big", Value: big}})
	if got := value(t, s, "big"); len(got) != len(big) {
		t.Errorf("largest value read back with %d bytes, want %d", len(got), len(big))
	}
	refused(t, s, state.ErrTooLarge, state.Op{Entry: state.Entry{Name: "bigger", Value: append(big, 'x')}})
	apply(t, s, set(strings.Repeat("n", state.MaxNameBytes), "", 0))
	refused(t, s, state.ErrTooLarge, set(strings.Repeat("n", state.MaxNameBytes+1), "", 0))
	refused(t, s, state.ErrTooLarge, make([]state.Op, state.MaxOps+1)...)
	var many []state.Op
	for i := range state.MaxApplyBytes/len(big) + 1 {
		many = append(many, state.Op{Entry: state.Entry{Name: fmt.Sprint("m", i), Value: big}})
	}
	refused(t, s, state.ErrTooLarge, many...)
}

func testNames(t *testing.T, s state.Store) {
	for _, name := range []string{"", "a\x00b", "\xff\xfe"} {
		if _, err := s.Apply(t.Context(), set(name, "", 0)); err == nil {
			t.Errorf("Apply(name %q) = nil, want an error", name)
		}
	}
	odd := "weights/größe/a b/*"
	apply(t, s, set(odd, "1", 0))
	if got := value(t, s, odd); got != "1" {
		t.Errorf("value of %q = %q", odd, got)
	}
}

func testContext(t *testing.T, s state.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Get(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Get = %v, want Canceled", err)
	}
	if _, err := s.List(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("List = %v, want Canceled", err)
	}
}

func testOneWins(t *testing.T, s state.Store) {
	v := apply(t, s, set("a", "0", 0))[0].Version
	const writers = 16
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() { _, errs[i] = s.Apply(t.Context(), set("a", fmt.Sprint(i), v)) })
	}
	wg.Wait()
	won := -1
	for i, err := range errs {
		switch {
		case err == nil && won < 0:
			won = i
		case err == nil:
			t.Errorf("writers %d and %d both won", won, i)
		case !errors.Is(err, state.ErrConflict):
			t.Errorf("writer %d: %v, want ErrConflict", i, err)
		}
	}
	if got := value(t, s, "a"); got != fmt.Sprint(won) {
		t.Errorf("value = %q, winner %d", got, won)
	}
}

func testManyWriters(t *testing.T, s state.Store) {
	const writers, each = 8, 20
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			var version uint64
			for i := range each {
				es, err := s.Apply(t.Context(), set(fmt.Sprint("w", w), fmt.Sprint(i), version))
				if err != nil {
					t.Errorf("writer %d, write %d: %v", w, i, err)
					return
				}
				version = es[0].Version
			}
		})
	}
	wg.Wait()
	for w := range writers {
		if got := value(t, s, fmt.Sprint("w", w)); got != fmt.Sprint(each-1) {
			t.Errorf("writer %d left %q, want %d", w, got, each-1)
		}
	}
}

func testClosed(t *testing.T, s state.Store) {
	apply(t, s, set("a", "1", 0))
	if err := s.Close(); err != nil {
		t.Fatalf("Close = %v", err)
	}
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, state.ErrClosed) {
		t.Errorf("Get = %v, want ErrClosed", err)
	}
	if _, err := s.List(t.Context(), ""); !errors.Is(err, state.ErrClosed) {
		t.Errorf("List = %v, want ErrClosed", err)
	}
	refused(t, s, state.ErrClosed, set("b", "1", 0))
}

func testDurable(t *testing.T, h Harness) {
	s := h.Open(t)
	es := apply(t, s, set("a", "1", 0), set("b", "1", 0), set("c", "1", 0))
	apply(t, s, set("a", "2", es[0].Version), del("b", es[1].Version))
	before, err := s.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	s = h.Reopen(t, s)
	after, err := s.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("entries after reopening (-before +after):\n%s", diff)
	}
	refused(t, s, state.ErrConflict, set("a", "3", es[0].Version))
	apply(t, s, set("a", "3", after[0].Version), set("b", "again", 0))
}
