package resources

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"
)

func drawRanges(t *rapid.T) Ranges {
	list := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Range {
		begin := rapid.Uint64Range(0, 30).Draw(t, "begin")
		return Range{begin, begin + rapid.Uint64Range(0, 8).Draw(t, "span")}
	}), 0, 5).Draw(t, "ranges")
	return RangesOf(list...)
}

func drawReservations(t *rapid.T) []Reservation {
	roles := []string{"eng", "eng/web", "eng/web/a"}
	var out []Reservation
	for i := range rapid.IntRange(0, 3).Draw(t, "reservations") {
		r := Reservation{Role: roles[i], Dynamic: i > 0 || rapid.Bool().Draw(t, "dynamic")}
		if r.Dynamic {
			r.Principal = rapid.SampledFrom([]string{"", "p1"}).Draw(t, "principal")
			if rapid.Bool().Draw(t, "labelled") {
				r.Labels = []Label{{Key: "a"}, {Key: "k", Value: "v", HasValue: true}}
			}
		}
		out = append(out, r)
	}
	return out
}

func drawDisk(t *rapid.T) *Disk {
	d := &Disk{}
	switch SourceKind(rapid.IntRange(0, 4).Draw(t, "source")) {
	case SourcePath:
		d.Source = &Source{Kind: SourcePath, Root: "/mnt/p"}
	case SourceMount:
		d.Source = &Source{Kind: SourceMount, Root: "/mnt/m"}
	case SourceBlock:
		d.Source = &Source{Kind: SourceBlock, ID: "b1", Vendor: "v"}
	case SourceRaw:
		d.Source = &Source{Kind: SourceRaw, Profile: "fast", Metadata: []Label{{Key: "m", Value: "1", HasValue: true}}}
	}
	if rapid.Bool().Draw(t, "persistent") {
		d.Persistence = rapid.SampledFrom([]string{"v1", "v2"}).Draw(t, "id")
		d.Principal = rapid.SampledFrom([]string{"", "p1"}).Draw(t, "principal")
		d.Volume = &Volume{ContainerPath: "data", ReadOnly: rapid.Bool().Draw(t, "ro")}
	}
	return d
}

func drawResource(t *rapid.T) Resource {
	r := Resource{
		Name:         rapid.SampledFrom([]string{"cpus", "mem", "disk", "ports", "zones", "gpus", "bugs"}).Draw(t, "name"),
		Reservations: drawReservations(t),
		Revocable:    rapid.Bool().Draw(t, "revocable"),
		Allocation:   rapid.SampledFrom([]string{"", "", "eng"}).Draw(t, "allocation"),
		Provider:     rapid.SampledFrom([]string{"", "", "rp"}).Draw(t, "provider"),
	}
	switch r.Name {
	case "ports":
		r.Kind, r.Ranges = KindRanges, drawRanges(t)
	case "zones":
		r.Kind = KindSet
		for _, s := range []string{"a", "b", "c"} {
			if rapid.Bool().Draw(t, s) {
				r.Set = append(r.Set, s)
			}
		}
	default:
		r.Scalar = Scalar(rapid.Int64Range(0, 5000).Draw(t, "scalar"))
	}
	if r.Name == "disk" && rapid.Bool().Draw(t, "special") {
		r.Disk = drawDisk(t)
		r.Shared = r.Disk.Persistence != "" && rapid.Bool().Draw(t, "shared")
	}
	if r.Shared {
		r.Count = rapid.IntRange(1, 3).Draw(t, "count")
	}
	return r
}

func drawResources(t *rapid.T, label string) Resources {
	return Of(rapid.SliceOfN(rapid.Custom(drawResource), 0, 8).Draw(t, label)...)
}

// canonical says what is wrong with the form of r.
func canonical(r Resources) error {
	for i := range r {
		if r[i].Empty() {
			return fmt.Errorf("%s is empty", r[i])
		}
		if i == 0 {
			continue
		}
		if c := compare(&r[i-1], &r[i]); c > 0 || mergeable(&r[i-1], &r[i]) {
			return fmt.Errorf("%s and %s are out of order or one thing", r[i-1], r[i])
		}
	}
	return nil
}

func TestAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawResources(t, "a"), drawResources(t, "b"), drawResources(t, "c")
		before := fmt.Sprint(a, b)
		sum := a.Add(b)
		if !sum.Equal(b.Add(a)) {
			t.Fatalf("a+b = %s, b+a = %s", sum, b.Add(a))
		}
		if !sum.Add(c).Equal(a.Add(b.Add(c))) {
			t.Fatalf("(a+b)+c = %s, a+(b+c) = %s", sum.Add(c), a.Add(b.Add(c)))
		}
		if !sum.Contains(a) || !sum.Contains(b) || !a.Contains(nil) {
			t.Fatalf("%s does not contain %s and %s", sum, a, b)
		}
		if got, ok := a.Sub(a); !ok || !got.IsEmpty() {
			t.Fatalf("a-a = %s, %v", got, ok)
		}
		if got, ok := a.Sub(b); ok && !got.Add(b).Equal(a) {
			t.Fatalf("(a-b)+b = %s, want %s", got.Add(b), a)
		} else if ok != a.Contains(b) {
			t.Fatalf("%s - %s: ok = %v, but contains = %v", a, b, ok, !ok)
		}
		if got := a.Minus(b); !a.Contains(got) {
			t.Fatalf("%s minus %s = %s, which is not part of it", a, b, got)
		}
		for _, r := range []Resources{a, sum, a.Minus(b), a.Allocate("x"), a.Unallocated()} {
			if err := canonical(r); err != nil {
				t.Fatal(err)
			}
		}
		if fmt.Sprint(a, b) != before {
			t.Fatalf("operations changed their operands: %s, was %s", fmt.Sprint(a, b), before)
		}
	})
}

func TestAddThenSubIsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawResources(t, "a"), drawResources(t, "b")
		for _, name := range []string{"ports", "zones"} { // what two sides hold in common is one thing afterwards
			b = b.Minus(b.Named(name))
		}
		if got, ok := a.Add(b).Sub(b); !ok || !got.Equal(a) {
			t.Fatalf("(%s + %s) - b = %s, %v, want a", a, b, got, ok)
		}
	})
}

func TestSelectionsPartition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawResources(t, "a")
		for name, pair := range map[string][2]Resources{
			"reserved":  {a.Reserved(), a.Unreserved()},
			"revocable": {a.Revocable(), a.NonRevocable()},
			"shared":    {a.Shared(), a.NonShared()},
		} {
			if got := pair[0].Add(pair[1]); !got.Equal(a) {
				t.Fatalf("%s and the rest = %s, want %s", name, got, a)
			}
		}
		if got := a.AllocatableTo("eng/web"); !got.Contains(a.Unreserved()) || !got.Contains(a.ReservedFor("eng")) ||
			!got.ReservedFor("eng/web/a").IsEmpty() {
			t.Fatalf("AllocatableTo(eng/web) of %s = %s", a, got)
		}
	})
}

func TestFormsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawResources(t, "a")
		for _, form := range []Form{PreRefinement, PostRefinement, Endpoint} {
			got, err := FromProto(a.Proto(form))
			if err != nil || !got.Equal(a) {
				t.Fatalf("form %d: FromProto(Proto(%s)) = %s, %v", form, a, got, err)
			}
			if diff := cmp.Diff(a.Proto(form), got.Proto(form), protocmp.Transform()); diff != "" {
				t.Fatalf("form %d: messages differ:\n%s", form, diff)
			}
		}
	})
}

func TestQuantitiesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawResources(t, "a").NonShared(), drawResources(t, "b").NonShared()
		qa, qb := a.Quantities(), b.Quantities()
		if got, want := qa.Add(qb), a.Add(b).Quantities(); !got.Equal(want) {
			t.Fatalf("quantities of sum = %s, want %s", want, got)
		}
		if got := qa.Add(qb).Sub(qb); !got.Equal(qa) {
			t.Fatalf("q(a)+q(b)-q(b) = %s, want %s", got, qa)
		}
		if a.Contains(b) && !qa.Contains(qb) {
			t.Fatalf("%s contains %s, but %s does not contain %s", a, b, qa, qb)
		}
		var names []string
		for name, amount := range qa.All() {
			names = append(names, name)
			if amount != a.Scalar(name) || amount != qa.Get(name) {
				t.Fatalf("%s of %s = %s", name, a, amount)
			}
		}
		if !slices.IsSorted(names) {
			t.Fatalf("All() = %v, want sorted names", names)
		}
	})
}

// members is Ranges as the numbers it holds, below 64.
func members(r Ranges) uint64 {
	var set uint64
	for _, x := range r {
		for i := x.Begin; i <= x.End; i++ {
			set |= 1 << i
		}
	}
	return set
}

func TestRangesAreSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawRanges(t), drawRanges(t)
		if got, want := members(a.Add(b)), members(a)|members(b); got != want {
			t.Fatalf("%s + %s = %s", a, b, a.Add(b))
		}
		if got, want := members(a.Sub(b)), members(a)&^members(b); got != want {
			t.Fatalf("%s - %s = %s", a, b, a.Sub(b))
		}
		if got, want := a.Contains(b), members(b)&^members(a) == 0; got != want {
			t.Fatalf("%s contains %s = %v", a, b, got)
		}
		if got, want := a.Overlaps(b), members(a)&members(b) != 0; got != want {
			t.Fatalf("%s overlaps %s = %v", a, b, got)
		}
		n := rapid.Uint64Range(0, 40).Draw(t, "n")
		if got := a.Take(n); got.Size() != min(n, a.Size()) || !a.Contains(got) {
			t.Fatalf("%s take %d = %s", a, n, got)
		}
	})
}

func TestRangesAtTheEdge(t *testing.T) {
	all := RangesOf(Range{0, math.MaxUint64})
	if got := all.Size(); got != math.MaxUint64 {
		t.Errorf("Size = %d, want the largest number", got)
	}
	half := RangesOf(Range{1 << 63, math.MaxUint64})
	if got, want := all.Sub(half), RangesOf(Range{0, 1<<63 - 1}); !got.Equal(want) {
		t.Errorf("Sub = %s, want %s", got, want)
	}
	if got := all.Sub(half).Add(half); !got.Equal(all) {
		t.Errorf("Add = %s, want %s", got, all)
	}
}

func TestScalars(t *testing.T) {
	tests := []struct {
		in   float64
		want string // the text, or the error
	}{
		{0, "0"},
		{0.1, "0.1"},
		{0.0004, "value <= 0"},
		{0.0005, "0.001"},
		{-1, "value <= 0"},
		{-1e300, "value <= 0"},
		{1.0005, "1.001"},
		{8192, "8192"},
		{0.010, "0.01"},
		{math.NaN(), "value is not a finite number"},
		{math.Inf(1), "value is not a finite number"},
		{1e13, "10000000000000"},
		{1e14, "value > 10000000000000"},
		{1e300, "value > 10000000000000"},
	}
	for _, tt := range tests {
		got, err := ScalarOf(tt.in)
		text := got.String()
		if err != nil {
			text = err.Error()
		}
		if text != tt.want {
			t.Errorf("ScalarOf(%v) = %s, want %s", tt.in, text, tt.want)
		}
	}
	// Above 2^42 a float64 holds thousandths no more.
	rapid.Check(t, func(t *rapid.T) {
		s := Scalar(rapid.Int64Range(0, 1000<<42).Draw(t, "s"))
		if got, err := ScalarOf(s.Float()); err != nil || got != s {
			t.Fatalf("ScalarOf(%d thousandths as a float) = %d, %v", s, got, err)
		}
	})
}

func TestLimits(t *testing.T) {
	l := LimitsOf(Quantity{"mem", Whole(4)}, Quantity{"cpus", 1500}, Quantity{"disk", 0})
	q := func(text string) Quantities {
		r, err := Parse(text, "*")
		if err != nil {
			t.Fatal(err)
		}
		return r.Quantities()
	}
	if !l.Contains(q("cpus:1.5;gpus:8")) || l.Contains(q("cpus:1.6")) || l.Contains(q("disk:1")) {
		t.Errorf("%s contains the wrong things", l)
	}
	if got, want := l.Sub(q("cpus:1;mem:5")).String(), "cpus:0.5; disk:0; mem:0"; got != want {
		t.Errorf("Sub = %s, want %s", got, want)
	}
	if got, want := l.Min(LimitsOf(Quantity{"cpus", 2000}, Quantity{"gpus", 1000}, Quantity{"mem", 0})).String(),
		"cpus:1.5; disk:0; gpus:1; mem:0"; got != want {
		t.Errorf("Min = %s, want %s", got, want)
	}
}

// TestFewAndMany: lists of very different lengths take other paths through Add, Minus and Contains.
func TestFewAndMany(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var many []Resource
		for i := range 100 {
			many = append(many, Resource{Name: "mem", Scalar: Whole(int64(i + 1)), Reservations: []Reservation{{Role: fmt.Sprint("r", i%60)}}})
		}
		large, few := Of(append(many, drawResources(t, "some")...)...), drawResources(t, "few")
		if at := rapid.IntRange(0, len(large)-1).Draw(t, "at"); rapid.Bool().Draw(t, "mine") {
			few = few.Add(large[at : at+1])
		}
		sum := large.interleave(few)
		if got := large.splice(few); !got.Equal(sum) {
			t.Fatalf("splice = %s, want %s", got, sum)
		}
		for _, from := range []Resources{large, sum} {
			if got, want := from.cut(few), from.strip(few); !got.Equal(want) {
				t.Fatalf("cut = %s, want %s", got, want)
			}
		}
		if !sum.Contains(few) {
			t.Fatalf("%s does not contain %s", sum, few)
		}
	})
}
