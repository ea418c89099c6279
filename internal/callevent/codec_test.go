package callevent

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	agentpb "github.com/soukproject/souk/proto/mesos/v1/agent"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

func TestPrintedForms(t *testing.T) {
	tests := []struct {
		name string
		in   proto.Message
		want string
	}{
		{"nothing set", &schedulerpb.Event{}, `{}`},
		{"enum by name", &schedulerpb.Event{Type: schedulerpb.Event_HEARTBEAT.Enum()}, `{"type":"HEARTBEAT"}`},
		{"integer above 2^53 as a number", &mesospb.DurationInfo{Nanoseconds: proto.Int64(1767225000000000001)}, `{"nanoseconds":1767225000000000001}`},
		{"bytes padded", &schedulerpb.Call_Acknowledge{Uuid: []byte{0xff, 0xef}}, `{"uuid":"/+8="}`},
		{"defaults that are not deprecated", &mesospb.FrameworkInfo{User: proto.String("root"), Name: proto.String("x")},
			`{"user":"root","name":"x","failover_timeout":0.0,"checkpoint":false}`},
		{"enum default", &mesospb.NetworkInfo_IPAddress{}, `{"protocol":"IPv4"}`},
		{"deprecated default when set", &mesospb.Resource{Name: proto.String("cpus"), Role: proto.String("*")}, `{"name":"cpus","role":"*"}`},
		{"empty lists of an answer", &masterpb.Response{GetTasks: &masterpb.Response_GetTasks{}},
			`{"get_tasks":{"tasks":[],"completed_tasks":[],"unreachable_tasks":[]}}`},
		{"empty lists of an agent's answer", &agentpb.Response{GetFrameworks: &agentpb.Response_GetFrameworks{}},
			`{"get_frameworks":{"frameworks":[],"completed_frameworks":[]}}`},
		{"other empty lists are left out", &schedulerpb.Event_Offers{Offers: []*mesospb.Offer{}}, `{}`},
		{"map in one order", &mesospb.OfferFilters_ResourceQuantities{Quantities: map[string]*mesospb.Value_Scalar{
			"mem": {Value: proto.Float64(1)}, "cpus": {Value: proto.Float64(2)}, `a"b`: {Value: proto.Float64(3)},
		}}, `{"quantities":{"a\"b":{"value":3.0},"cpus":{"value":2.0},"mem":{"value":1.0}}}`},
		{"escapes", &mesospb.TaskID{Value: proto.String("\"\\/\b\f\n\r\t\x00\x1f\x7fé😀")},
			`{"value":"\"\\/\b\f\n\r\t\u0000\u001F` + "\x7f" + `é😀"}`},
		{"bytes that are no UTF-8", &mesospb.TaskID{Value: proto.String("a\xff\xfeb\xe2\x82")}, "{\"value\":\"a\ufffd\ufffdb\ufffd\ufffd\"}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Marshal(JSON, tt.in)
			if err != nil || string(got) != tt.want {
				t.Errorf("Marshal() = %s, %v, want %s", got, err, tt.want)
			}
		})
	}
}

func TestDoublesArePrintedAsMesosDoes(t *testing.T) {
	tests := map[float64]string{
		0: "0.0", math.Copysign(0, -1): "-0.0", 1: "1.0", -3: "-3.0", 0.1: "0.1", 0.0001: "0.0001", 0.00001: "0.00001",
		1e-6: "0.000001", 9.5e-7: "9.5e-7", 1e-7: "1e-7", -1e-12: "-1e-12",
		1e15: "1000000000000000.0", 1e17: "100000000000000000.0", 1e20: "100000000000000000000.0",
		1e21: "1e21", 1.5e300: "1.5e300", 123456789.12345679: "123456789.12345679", math.MaxFloat64: "1.7976931348623157e308",
		math.Inf(1): `"Infinity"`, math.Inf(-1): `"-Infinity"`, 5e-324: "5e-324",
	}
	for f, want := range tests {
		if got, _ := Marshal(JSON, &mesospb.Value_Scalar{Value: proto.Float64(f)}); string(got) != `{"value":`+want+`}` {
			t.Errorf("Marshal(%v) = %s, want %s", f, got, want)
		}
	}
	if got, _ := Marshal(JSON, &mesospb.Value_Scalar{Value: proto.Float64(math.NaN())}); string(got) != `{"value":NaN}` {
		t.Errorf("Marshal(NaN) = %s, want a bare NaN", got)
	}
}

func TestLenientInput(t *testing.T) {
	tests := []struct {
		name, in string
		want     proto.Message
	}{
		{"null is unset", `{"type":null,"subscribe":null}`, &schedulerpb.Call{}},
		{"quoted numbers and booleans", `{"user":"u","name":"n","failover_timeout":"1.5","checkpoint":"true"}`,
			&mesospb.FrameworkInfo{User: proto.String("u"), Name: proto.String("n"), FailoverTimeout: proto.Float64(1.5), Checkpoint: proto.Bool(true)}},
		{"one value for a list", `{"user":"u","name":"n","roles":"a","capabilities":{"type":"MULTI_ROLE"}}`,
			&mesospb.FrameworkInfo{User: proto.String("u"), Name: proto.String("n"), Roles: []string{"a"},
				Capabilities: []*mesospb.FrameworkInfo_Capability{{Type: mesospb.FrameworkInfo_Capability_MULTI_ROLE.Enum()}}}},
		{"lists in lists, with nulls", `{"user":"u","name":"n","roles":[["a",[null]],null,"b"]}`,
			&mesospb.FrameworkInfo{User: proto.String("u"), Name: proto.String("n"), Roles: []string{"a", "b"}}},
		{"the last of equal members", `{"value":{"no":1},"value":7,"value":"x"}`, &mesospb.TaskID{Value: proto.String("x")}},
		{"escaped member name", `{"v\u0061lue":"x"}`, &mesospb.TaskID{Value: proto.String("x")}},
		{"unknown member", `{"value":"x","values":[{"a":[1,{}]}]}`, &mesospb.TaskID{Value: proto.String("x")}},
		{"unknown enum", `{"type":"NOPE"}`, &schedulerpb.Call{}},
		{"infinity", `{"value":"-Infinity"}`, &mesospb.Value_Scalar{Value: proto.Float64(math.Inf(-1))}},
		{"integer cut from a fraction", `{"nanoseconds":1.9}`, &mesospb.DurationInfo{Nanoseconds: proto.Int64(1)}},
		{"integer from an exponent", `{"nanoseconds":"1e3"}`, &mesospb.DurationInfo{Nanoseconds: proto.Int64(1000)}},
		{"integer out of range", `{"nanoseconds":-1e30}`, &mesospb.DurationInfo{Nanoseconds: proto.Int64(math.MinInt64)}},
		{"odd numbers", `{"begin":01,"end":1.}`, &mesospb.Value_Range{Begin: proto.Uint64(1), End: proto.Uint64(1)}},
		{"unsigned above int64", `{"begin":18446744073709551615,"end":1e30}`, &mesospb.Value_Range{Begin: proto.Uint64(math.MaxUint64), End: proto.Uint64(math.MaxUint64)}},
		{"negative unsigned wraps", `{"begin":-1,"end":0}`, &mesospb.Value_Range{Begin: proto.Uint64(math.MaxUint64), End: proto.Uint64(0)}},
		{"base64 without padding", `{"task_id":{"value":"t"},"agent_id":{"value":"a"},"uuid":"aGk"}`,
			&schedulerpb.Call_Acknowledge{TaskId: &mesospb.TaskID{Value: proto.String("t")}, AgentId: &mesospb.AgentID{Value: proto.String("a")}, Uuid: []byte("hi")}},
		{"surrogate pair", `{"value":"\ud83d\ude00\/"}`, &mesospb.TaskID{Value: proto.String("😀/")}},
		{"map from a list of objects", `{"quantities":[{"a":{"value":1}},null,{"b":{"value":2}}]}`,
			&mesospb.OfferFilters_ResourceQuantities{Quantities: map[string]*mesospb.Value_Scalar{"a": {Value: proto.Float64(1)}, "b": {Value: proto.Float64(2)}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.want.ProtoReflect().New().Interface()
			if err := Unmarshal(JSON, []byte(tt.in), got); err != nil {
				t.Fatalf("Unmarshal(%s) = %v", tt.in, err)
			}
			if d := cmp.Diff(tt.want, got, protocmp.Transform()); d != "" {
				t.Errorf("Unmarshal(%s) (-want +got):\n%s", tt.in, d)
			}
		})
	}
}

func TestRefusedInput(t *testing.T) {
	tests := []struct {
		name, in string
		into     proto.Message
		want     string
	}{
		{"missing inside a list", `{"weight_infos":[{"weight":1},{}]}`, &masterpb.Call_UpdateWeights{}, "Missing required fields: weight_infos[1].weight"},
		{"missing twice", `{"agent_id":{}}`, &schedulerpb.Call_Acknowledge{}, "Missing required fields: task_id, uuid, agent_id.value"},
		{"quoted object for a number", `{"nanoseconds":"{}"}`, &mesospb.DurationInfo{},
			"Failed to parse '{}' as a JSON number for field 'nanoseconds': Unexpected JSON type parsed"},
		{"quoted number with a tail", `{"nanoseconds":"1 s"}`, &mesospb.DurationInfo{},
			"Failed to parse '1 s' as a JSON number for field 'nanoseconds': Parsed JSON included non-whitespace trailing characters:  s"},
		{"quoted number for a boolean", `{"user":"u","name":"n","checkpoint":"1"}`, &mesospb.FrameworkInfo{},
			"Failed to parse '1' as a JSON boolean for field 'checkpoint': Unexpected JSON type parsed"},
		{"a number with two signs", `{"nanoseconds":1-2}`, &mesospb.DurationInfo{}, "syntax error at line 1 near: }"},
		{"on a later line", "{\n \"nanoseconds\":\n x}", &mesospb.DurationInfo{}, "syntax error at line 3 near: x}"},
		{"half a surrogate pair", `{"value":"\ud83d\u0041"}`, &mesospb.TaskID{}, `syntax error at line 1 near: "}`},
		{"cut in an escape", `{"value":"\u00`, &mesospb.TaskID{}, `syntax error at line 1 near: 00`},
		{"sign in hex digits", `{"value":"\u+123"}`, &mesospb.TaskID{}, `syntax error at line 1 near: +123"}`},
		{"a NUL byte", "{\x00}", &mesospb.TaskID{}, `syntax error at line 1 near: }`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := Unmarshal(JSON, []byte(tt.in), tt.into); err == nil || err.Error() != tt.want {
				t.Errorf("Unmarshal(%q) = %v, want %s", tt.in, err, tt.want)
			}
		})
	}
}

func TestProtobufDepthIsLimited(t *testing.T) {
	id := &mesospb.ContainerID{Value: proto.String("x")}
	for range 1000 {
		id = &mesospb.ContainerID{Value: proto.String("x"), Parent: id}
	}
	wire, err := proto.Marshal(id)
	if err != nil {
		t.Fatal(err)
	}
	if err := Unmarshal(Protobuf, wire, &mesospb.ContainerID{}); err == nil {
		t.Error("Unmarshal(1000 levels) = nil, want an error")
	}
}

func TestUnmarshalList(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"array", `[{"weight":1,"role":"a"},null,[{"weight":"2"}]]`, "weight:1 role:\"a\" weight:2 "},
		{"single object", `{"weight":3}`, "weight:3 "},
		{"empty", `[]`, ""},
		{"no object", `[{"weight":1},5]`, "element 1: Expecting a JSON object"},
		{"missing field", `[{"role":"a"}]`, "element 0: Missing required fields: weight"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var list []*mesospb.WeightInfo
			err := UnmarshalList([]byte(tt.in), func() proto.Message {
				list = append(list, &mesospb.WeightInfo{})
				return list[len(list)-1]
			})
			got := ""
			for _, w := range list {
				got += strings.ReplaceAll(w.String(), "  ", " ") + " "
			}
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("UnmarshalList(%s) = %s, want %s", tt.in, got, tt.want)
			}
		})
	}
}

// TestAnyMessageSurvivesJSON prints random messages and reads them back.
func TestAnyMessageSurvivesJSON(t *testing.T) {
	text := rapid.Custom(func(t *rapid.T) string { return strings.ToValidUTF8(rapid.String().Draw(t, "text"), "") })
	number := rapid.Float64().Filter(func(f float64) bool { return !math.IsNaN(f) })
	rapid.Check(t, func(t *rapid.T) {
		want := &mesospb.TaskStatus{
			TaskId:    &mesospb.TaskID{Value: proto.String(text.Draw(t, "task"))},
			State:     mesospb.TaskState(rapid.SampledFrom([]int32{0, 1, 2, 3}).Draw(t, "state")).Enum(),
			Message:   proto.String(text.Draw(t, "message")),
			Timestamp: proto.Float64(number.Draw(t, "timestamp")),
			Data:      rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "data"),
			Healthy:   proto.Bool(rapid.Bool().Draw(t, "healthy")),
			UnreachableTime: &mesospb.TimeInfo{
				Nanoseconds: proto.Int64(rapid.Int64().Draw(t, "nanoseconds")),
			},
		}
		for range rapid.IntRange(0, 3).Draw(t, "labels") {
			if want.Labels == nil {
				want.Labels = &mesospb.Labels{}
			}
			want.Labels.Labels = append(want.Labels.Labels, &mesospb.Label{Key: proto.String(text.Draw(t, "key"))})
		}
		wire, err := Marshal(JSON, want)
		if err != nil || !json.Valid(wire) {
			t.Fatalf("Marshal() = %s, %v, want valid JSON", wire, err)
		}
		got := &mesospb.TaskStatus{}
		if err := Unmarshal(JSON, wire, got); err != nil {
			t.Fatalf("Unmarshal(%s) = %v", wire, err)
		}
		if d := cmp.Diff(want, got, protocmp.Transform()); d != "" {
			t.Fatalf("after JSON (-want +got):\n%s", d)
		}
	})
}

func FuzzUnmarshalJSON(f *testing.F) {
	f.Add([]byte(`{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"x","failover_timeout":"1.5"}}}`))
	f.Add([]byte(`{"type":"ACKNOWLEDGE","acknowledge":{"uuid":"aGk=","task_id":{"value":"\ud83d\ude00"}}}`))
	f.Add([]byte(`{"accept":{"offer_ids":[[{"value":"a"}]],"operations":[{"type":"LAUNCH"}]}}`))
	f.Add([]byte(`{"subscribe":{"offer_constraints":{"role_constraints":{"r":null}}}}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		call := &schedulerpb.Call{}
		if err := Unmarshal(JSON, in, call); err != nil {
			return
		}
		if !json.Valid(in) && !lenient(in) {
			t.Fatalf("accepted %q", in)
		}
		// What was understood is understood again, in both codecs.
		for _, c := range []Codec{JSON, Protobuf} {
			wire, err := Marshal(c, call)
			if err != nil {
				t.Fatalf("Marshal(%v) of %q = %v", c, in, err)
			}
			again := &schedulerpb.Call{}
			if err := Unmarshal(c, wire, again); err != nil {
				t.Fatalf("Unmarshal(%v, %q) = %v", c, wire, err)
			}
			if c == Protobuf && !proto.Equal(call, again) {
				t.Fatalf("%q changed its meaning on the way through %v", in, c)
			}
		}
	})
}

// lenient tells texts with numbers that only Mesos' reader takes.
func lenient(in []byte) bool {
	return strings.ContainsAny(string(in), "0123456789")
}
