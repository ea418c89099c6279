package resources

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// reservedDisk is disk space reserved for role eng.
func reservedDisk(size Scalar) Resource {
	return Resource{Name: "disk", Scalar: size, Reservations: []Reservation{{Dynamic: true, Role: "eng", Principal: "p"}}}
}

func volumeOf(size Scalar, id string) Resource {
	v := reservedDisk(size)
	v.Disk = &Disk{Persistence: id, Volume: &Volume{ContainerPath: "data"}}
	return v
}

func TestConversionsAndTheirReverse(t *testing.T) {
	one := func(r Resource) []*mesospb.Resource { return Of(r).Proto(PostRefinement) }
	grow := &mesospb.Offer_Operation_GrowVolume{Volume: one(volumeOf(Whole(10), "v"))[0], Addition: one(reservedDisk(Whole(5)))[0]}
	shrink := &mesospb.Offer_Operation_ShrinkVolume{Volume: one(volumeOf(Whole(15), "v"))[0], Subtract: &mesospb.Value_Scalar{Value: proto.Float64(5)}}
	for name, pair := range map[string][2]*mesospb.Offer_Operation{
		"reserve and unreserve": {
			{Type: mesospb.Offer_Operation_RESERVE.Enum(), Reserve: &mesospb.Offer_Operation_Reserve{Resources: one(reservedDisk(Whole(10)))}},
			{Type: mesospb.Offer_Operation_UNRESERVE.Enum(), Unreserve: &mesospb.Offer_Operation_Unreserve{Resources: one(reservedDisk(Whole(10)))}},
		},
		"create and destroy": {
			{Type: mesospb.Offer_Operation_CREATE.Enum(), Create: &mesospb.Offer_Operation_Create{Volumes: one(volumeOf(Whole(10), "v"))}},
			{Type: mesospb.Offer_Operation_DESTROY.Enum(), Destroy: &mesospb.Offer_Operation_Destroy{Volumes: one(volumeOf(Whole(10), "v"))}},
		},
		"grow and shrink": {
			{Type: mesospb.Offer_Operation_GROW_VOLUME.Enum(), GrowVolume: grow},
			{Type: mesospb.Offer_Operation_SHRINK_VOLUME.Enum(), ShrinkVolume: shrink},
		},
	} {
		there, err := ConversionOf(pair[0])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		back, err := ConversionOf(pair[1])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !there.From.Equal(back.To) || !there.To.Equal(back.From) {
			t.Errorf("%s: %s to %s, and back %s to %s", name, there.From, there.To, back.From, back.To)
		}
	}
}

// TestBetweenSumsUpOperations: whatever a chain of operations does to the resources of an agent, the difference leads
// there and back.
func TestBetweenSumsUpOperations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		static := Resource{Name: "disk", Scalar: Whole(50), Reservations: []Reservation{{Role: "eng"}}}
		configured := Of(Resource{Name: "cpus", Scalar: Whole(8)}, Resource{Name: "disk", Scalar: Whole(100)}, static)
		total := configured
		for i := range rapid.IntRange(0, 12).Draw(t, "operations") {
			op := drawOperation(t, i)
			c, err := ConversionOf(op)
			if err != nil {
				t.Fatal(err)
			}
			after, err := total.Convert(c)
			if err != nil {
				continue
			}
			if !after.Totals().Equal(total.Totals()) {
				t.Fatalf("%s became %s", total, after)
			}
			total = after
		}
		all := Between(configured, total)
		if again, err := configured.Convert(all); err != nil || !again.Equal(total) {
			t.Fatalf("%s with %s for %s: %s, %v, want %s", configured, all.To, all.From, again, err, total)
		}
		if back, err := total.Convert(Conversion{all.To, all.From}); err != nil || !back.Equal(configured) {
			t.Fatalf("%s with %s for %s: %s, %v, want %s", total, all.From, all.To, back, err, configured)
		}
	})
}

func drawOperation(t *rapid.T, i int) *mesospb.Offer_Operation {
	size := Whole(int64(rapid.IntRange(1, 9).Draw(t, "size")))
	x := Resource{Name: "disk", Scalar: size}
	if rapid.Bool().Draw(t, "static") {
		x.Reservations = append(x.Reservations, Reservation{Role: "eng"})
	}
	if i%4 != 2 && i%4 != 3 || rapid.Bool().Draw(t, "dynamic") || !x.Reserved() {
		x.Reservations = append(x.Reservations, Reservation{Dynamic: true, Role: "eng/x", Principal: "p"})
	}
	list := Of(x).Proto(PostRefinement)
	x.Disk = &Disk{Persistence: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "id")}
	volumes := Of(x).Proto(PostRefinement)
	switch i % 4 {
	case 0, 1:
		return &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_RESERVE.Enum(), Reserve: &mesospb.Offer_Operation_Reserve{Resources: list}}
	case 2:
		return &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_CREATE.Enum(), Create: &mesospb.Offer_Operation_Create{Volumes: volumes}}
	}
	if !x.DynamicallyReserved() || rapid.Bool().Draw(t, "destroy") { // static reservations are not given up
		return &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_DESTROY.Enum(), Destroy: &mesospb.Offer_Operation_Destroy{Volumes: volumes}}
	}
	return &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_UNRESERVE.Enum(), Unreserve: &mesospb.Offer_Operation_Unreserve{Resources: list}}
}
