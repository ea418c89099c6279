package callevent

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// manyOffers is an OFFERS event of the size a busy framework gets.
func manyOffers(n int) *schedulerpb.Event {
	e := &schedulerpb.Event{Type: schedulerpb.Event_OFFERS.Enum(), Offers: &schedulerpb.Event_Offers{}}
	for i := range n {
		role := &mesospb.Resource_AllocationInfo{Role: proto.String("eng/web")}
		scalar := func(name string, v float64) *mesospb.Resource {
			return &mesospb.Resource{
				Name: proto.String(name), Type: mesospb.Value_SCALAR.Enum(),
				Scalar: &mesospb.Value_Scalar{Value: proto.Float64(v)}, AllocationInfo: role,
			}
		}
		e.Offers.Offers = append(e.Offers.Offers, &mesospb.Offer{
			Id:             &mesospb.OfferID{Value: proto.String(fmt.Sprintf("4a1e0c5b-7a6e-4d0e-9f43-2c1f6f0a9b11-O%d", i))},
			FrameworkId:    &mesospb.FrameworkID{Value: proto.String("4a1e0c5b-7a6e-4d0e-9f43-2c1f6f0a9b11-0000")},
			AgentId:        &mesospb.AgentID{Value: proto.String(fmt.Sprintf("4a1e0c5b-7a6e-4d0e-9f43-2c1f6f0a9b11-S%d", i))},
			Hostname:       proto.String("node.example.com"),
			Resources:      []*mesospb.Resource{scalar("cpus", 7.9), scalar("mem", 14336), scalar("disk", 97000.5)},
			AllocationInfo: role,
		})
	}
	return e
}

func BenchmarkMarshal(b *testing.B) {
	e := manyOffers(100)
	run := func(name string, f func() ([]byte, error)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				out, err := f()
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(out)))
			}
		})
	}
	run("json", func() ([]byte, error) { return Marshal(JSON, e) })
	run("protobuf", func() ([]byte, error) { return Marshal(Protobuf, e) })
	run("protojson", func() ([]byte, error) { return protojson.Marshal(e) })
}

func BenchmarkUnmarshal(b *testing.B) {
	e := manyOffers(100)
	run := func(name string, in []byte, f func([]byte, proto.Message) error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				if err := f(in, &schedulerpb.Event{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	inJSON, _ := Marshal(JSON, e)
	inProto, _ := Marshal(Protobuf, e)
	run("json", inJSON, func(in []byte, m proto.Message) error { return Unmarshal(JSON, in, m) })
	run("protobuf", inProto, func(in []byte, m proto.Message) error { return Unmarshal(Protobuf, in, m) })
	run("protojson", inJSON, protojson.Unmarshal)
}
