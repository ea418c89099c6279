package resources

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

func TestParse(t *testing.T) {
	tests := []struct{ name, in, role, want string }{
		{"nothing", "", "*", "{}"},
		{"scalars", "mem:8192;cpus:8;cpus:0.5", "*", "cpus:8.5; mem:8192"},
		{"the manual's example", "cpus(ads):8;mem(ads):4096;cpus:4;mem:2048;disk:10240;ports:[21000-24000];bugs:{a,b,c}", "*",
			"cpus:4; cpus(reservations: [(STATIC,ads)]):8; mem:2048; mem(reservations: [(STATIC,ads)]):4096; " +
				"disk:10240; ports:[21000-24000]; bugs:{a, b, c}"},
		{"default role", "cpus:1;mem(*):1", "eng", "cpus(reservations: [(STATIC,eng)]):1; mem:1"},
		{"zero counts as nothing", "cpus:1;gpus:0;ports:[]", "*", "cpus:1"},
		{"spaces", " cpus : 1 ; ports : [ 1 - 2 , 4-5 ,3-3] ; ", "*", "cpus:1; ports:[1-5]"},
		{
			"JSON", `[{"name":"cpus","type":"SCALAR","scalar":{"value":8}},
			{"name":"cpus","type":"SCALAR","scalar":{"value":2},"reservations":[{"type":"STATIC","role":"eng"}]},
			{"name":"disk","type":"SCALAR","scalar":{"value":2048},"disk":{"source":{"type":"MOUNT","mount":{"root":"/mnt/d1"}}}}]`, "*",
			"cpus:8; cpus(reservations: [(STATIC,eng)]):2; disk[MOUNT:/mnt/d1]:2048",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.in, tt.role)
			if err != nil {
				t.Fatalf("Parse(%q) = %v, want nil", tt.in, err)
			}
			if got.String() != tt.want {
				t.Errorf("Parse(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ in, want string }{
		{"cpus", `resources: bad value "cpus": missing or extra ':'; write name:value`},
		{"cpus:1:2", `resources: bad value "cpus:1:2": missing or extra ':'; write name:value`},
		{"cpus:many", `resources: bad value "cpus:many": write a number, [begin-end] or {a,b} after ':'`},
		{"cpus:inf", `resources: bad value "cpus:inf": write a number, [begin-end] or {a,b} after ':'`},
		{"cpus:", `resources: bad value "cpus:": the value is empty`},
		{"cpus(ads:1", `resources: bad value "cpus(ads:1": parentheses do not match; write name(role):value`},
		{"cpus():1", `resources: bad value "cpus():1": the role in parentheses is empty`},
		{"ports:[1-2", `resources: bad value "ports:[1-2": '[' without ']' at the end`},
		{"ports:[1]", `resources: bad value "ports:[1]": "1" is not a range; write begin-end with whole numbers`},
		{"ports:[2-1]", "resources: Resource 'ports:[2-1]' is invalid: Invalid ranges resource: begin > end"},
		{"cpus:-1", "resources: Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0"},
		{"gpus:0.5", "resources: Invalid 'gpus' resource: The 'gpus' resource must be an unsigned integer"},
		{"cpus(a//b):1", "resources: Resource 'cpus(reservations: [(STATIC,a//b)]):1' is invalid: Invalid role: Role 'a//b' cannot contain two adjacent slashes"},
		{":1", "resources: Resource ':1' is invalid: Empty resource name"},
		{"bugs:{a,a}", "resources: Resource 'bugs:{a, a}' is invalid: Invalid set resource: duplicated elements"},
	}
	for _, tt := range tests {
		_, err := Parse(tt.in, "*")
		if err == nil || err.Error() != tt.want {
			t.Errorf("Parse(%q) = %v, want %s", tt.in, err, tt.want)
		}
	}
}

func TestNames(t *testing.T) {
	got, err := Names("gpus:0;cpus(a):1;cpus:2")
	if diff := cmp.Diff([]string{"gpus", "cpus"}, got); err != nil || diff != "" {
		t.Errorf("Names = %v, %v, want gpus and cpus", got, err)
	}
}

func TestParseAttributes(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", ""},
		{"rack:abc; level:10;keys:[1000-1500];ver:1.2.3;url:a:b", `{"name":"rack","type":"TEXT","text":{"value":"abc"}}
			{"name":"level","type":"SCALAR","scalar":{"value":10}}
			{"name":"keys","type":"RANGES","ranges":{"range":[{"begin":"1000","end":"1500"}]}}
			{"name":"ver","type":"TEXT","text":{"value":"1.2.3"}}
			{"name":"url","type":"TEXT","text":{"value":"a:b"}}`},
		{"rack", `attributes: bad value "rack": write key:value`},
		{"rack:", `attributes: bad value "rack:": the value is empty`},
		{"rack:{a,b}", `attributes: bad value "rack:{a,b}": sets are not attribute values; write a number, [begin-end] or text`},
	}
	for _, tt := range tests {
		got, err := ParseAttributes(tt.in)
		if strings.HasPrefix(tt.want, "attributes:") {
			if err == nil || err.Error() != tt.want {
				t.Errorf("ParseAttributes(%q) = %v, want %s", tt.in, err, tt.want)
			}
			continue
		}
		var want []*mesospb.Attribute
		for line := range strings.Lines(tt.want) {
			a := &mesospb.Attribute{}
			if err := protojson.Unmarshal([]byte(line), a); err != nil {
				t.Fatal(err)
			}
			want = append(want, a)
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); err != nil || diff != "" {
			t.Errorf("ParseAttributes(%q) = %v (-want +got):\n%s", tt.in, err, diff)
		}
	}
}

// message reads a resource in JSON.
func message(t *testing.T, text string) *mesospb.Resource {
	t.Helper()
	p := &mesospb.Resource{}
	if err := (protojson.UnmarshalOptions{AllowPartial: true}).Unmarshal([]byte(text), p); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

// The texts in this table were heard from a Mesos 1.12 master, unless marked as our own.
func TestInvalidResources(t *testing.T) {
	const cpus = `"name":"cpus","type":"SCALAR","scalar":{"value":0.1}`
	tests := []struct{ in, want string }{
		{`{"name":"cpus","type":"SCALAR","scalar":{"value":-1}}`, "Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0"},
		{`{"name":"cpus","type":"SCALAR","scalar":{"value":0.0001}}`, "Resource 'cpus:0' is invalid: Invalid scalar resource: value <= 0"},
		{`{"name":"cpus","type":"SCALAR"}`, "Resource 'cpus:0' is invalid: Invalid scalar resource"},
		{`{"name":"cpus","type":"SCALAR","scalar":{"value":1e300}}`, // our own: Mesos overflows here
			"Resource 'cpus:1e+300' is invalid: Invalid scalar resource: value > 10000000000000"},
		{`{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":31001,"end":31005},{"begin":31004,"end":31006}]}}`,
			"Resource 'ports:[31001-31005, 31004-31006]' is invalid: Invalid ranges resource: overlapping ranges"},
		{`{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":31005,"end":31001}]}}`,
			"Resource 'ports:[31005-31001]' is invalid: Invalid ranges resource: begin > end"},
		{`{` + cpus + `,"shared":{}}`, "Resource 'cpus<SHARED>:0.1' is invalid: Resource cpus cannot be shared"},
		{`{` + cpus + `,"disk":{}}`, "Resource 'cpus[]:0.1' is invalid: DiskInfo should not be set for cpus resource"},
		{`{` + cpus + `,"reservations":[{"type":"DYNAMIC"}]}`,
			"Resource 'cpus(reservations: [(DYNAMIC,)]):0.1' is invalid: Invalid reservation: 'Resource.ReservationInfo.role' field must be set."},
		{`{` + cpus + `,"reservations":[{"type":"DYNAMIC","role":"*","principal":"p1"}]}`,
			`Resource 'cpus(reservations: [(DYNAMIC,*,p1)]):0.1' is invalid: Invalid reservation: role "*" cannot be reserved`},
		{`{` + cpus + `,"reservations":[{"type":"DYNAMIC","role":"dev/x"},{"type":"DYNAMIC","role":"dev"}]}`,
			"Resource 'cpus(reservations: [(DYNAMIC,dev/x),(DYNAMIC,dev)]):0.1' is invalid: Invalid refined reservation: role 'dev' is not a refinement of 'dev/x'"},
		{`{` + cpus + `,"reservations":[{"type":"STATIC","role":"dev"},{"type":"STATIC","role":"dev/x"}]}`,
			"Resource 'cpus(reservations: [(STATIC,dev),(STATIC,dev/x)]):0.1' is invalid: Invalid refined reservation: A refined reservation cannot be STATIC"},
		{`{"name":"cpus","type":"SCALAR","scalar":{"value":1},"role":"*","reservation":{"principal":"p1"}}`,
			`Resource 'cpus:1' is invalid: Invalid reservation: role "*" cannot be dynamically reserved`},
		{`{"name":"disk","type":"SCALAR","scalar":{"value":1},"shared":{},"disk":{}}`, // in words of the reference
			"Resource 'disk[]<SHARED>:1' is invalid: Only persistent volumes can be shared"},
		// Our own from here on.
		{`{` + cpus + `,"role":"ads","reservations":[{"type":"STATIC","role":"dev"}]}`,
			"Resource 'cpus(reservations: [(STATIC,dev)]):0.1' is invalid: Invalid resource format: 'Resource.role' contradicts the last of 'Resource.reservations'"},
		{`{"name":"disk","type":"SCALAR","scalar":{"value":1},"disk":{"source":{"type":"PATH","mount":{"root":"/m"}}}}`,
			"Resource 'disk[PATH:/m]:1' is invalid: 'disk.source.mount' must not be set for a PATH disk"},
		{`{"name":"x","type":"TEXT"}`, "Resource 'x:' is invalid: Unsupported resource type"},
	}
	for _, tt := range tests {
		if got, err := FromProto([]*mesospb.Resource{message(t, tt.in)}); err == nil || err.Error() != tt.want {
			t.Errorf("FromProto(%s)\n = %s, %v\nwant %s", tt.in, got, err, tt.want)
		}
	}
}

func TestForms(t *testing.T) {
	const value = `"name":"cpus","type":"SCALAR","scalar":{"value":1}`
	tests := []struct{ name, pre, post, endpoint, text string }{
		{"unreserved", `{` + value + `,"role":"*"}`, `{` + value + `}`, `{` + value + `,"role":"*"}`, "cpus:1"},
		{
			"static", `{` + value + `,"role":"eng"}`,
			`{` + value + `,"reservations":[{"type":"STATIC","role":"eng"}]}`,
			`{` + value + `,"role":"eng","reservations":[{"type":"STATIC","role":"eng"}]}`,
			"cpus(reservations: [(STATIC,eng)]):1",
		},
		{
			"dynamic", `{` + value + `,"role":"eng","reservation":{"principal":"p","labels":{"labels":[{"key":"k","value":"v"}]}}}`,
			`{` + value + `,"reservations":[{"type":"DYNAMIC","role":"eng","principal":"p","labels":{"labels":[{"key":"k","value":"v"}]}}]}`,
			`{` + value + `,"role":"eng","reservation":{"principal":"p","labels":{"labels":[{"key":"k","value":"v"}]}},
			"reservations":[{"type":"DYNAMIC","role":"eng","principal":"p","labels":{"labels":[{"key":"k","value":"v"}]}}]}`,
			"cpus(reservations: [(DYNAMIC,eng,p,{k: v})]):1",
		},
		{
			"allocated", `{` + value + `,"role":"*","allocation_info":{"role":"eng"}}`, `{` + value + `,"allocation_info":{"role":"eng"}}`,
			`{` + value + `,"role":"*","allocation_info":{"role":"eng"}}`, "cpus(allocated: eng):1",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for form, text := range map[Form]string{PreRefinement: tt.pre, PostRefinement: tt.post, Endpoint: tt.endpoint} {
				want := []*mesospb.Resource{message(t, text)}
				r, err := FromProto(want)
				if err != nil || r.String() != tt.text {
					t.Errorf("FromProto(%s) = %s, %v, want %s", text, r, err, tt.text)
				}
				if diff := cmp.Diff(want, r.Proto(form), protocmp.Transform()); diff != "" {
					t.Errorf("Proto(%d) (-want +got):\n%s", form, diff)
				}
			}
		})
	}
}

func TestStrings(t *testing.T) {
	tests := []struct{ in, want string }{
		{`{"name":"disk","type":"SCALAR","scalar":{"value":20},"shared":{},"allocation_info":{"role":"dev"},
		"reservations":[{"type":"DYNAMIC","role":"dev","principal":"p1"}],"disk":{"persistence":{"id":"sh"},"volume":{"container_path":"d","mode":"RW"}}}`,
			"disk(allocated: dev)(reservations: [(DYNAMIC,dev,p1)])[sh:d]<SHARED>:20<1>"},
		{`{"name":"cpus","type":"SCALAR","scalar":{"value":0.1},"revocable":{},"allocation_info":{"role":"dev"}}`, "cpus(allocated: dev){REV}:0.1"},
		{`{"name":"disk","type":"SCALAR","scalar":{"value":1},"disk":{"source":{"type":"RAW","id":"i","vendor":"v","profile":"p"}}}`, "disk[RAW(v,i,p)]:1"},
	}
	for _, tt := range tests {
		r, err := FromProto([]*mesospb.Resource{message(t, tt.in)})
		if err != nil || r.String() != tt.want {
			t.Errorf("String = %s, %v, want %s", r, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"cpus(ads):8;mem:4096.5;ports:[1-2, 4-5];bugs:{a,b}", `[{"name":"cpus","type":"SCALAR","scalar":{"value":8}}]`,
		"cpus:1e3;gpus:0", "a:[18446744073709551615-18446744073709551615]", "::", "cpus():1", `[{}]`,
	} {
		f.Add(text, "*")
	}
	f.Add("cpus:1", "eng/web")
	f.Fuzz(func(t *testing.T, text, role string) {
		r, err := Parse(text, role)
		if err != nil {
			return
		}
		if err := canonical(r); err != nil {
			t.Fatalf("Parse(%q): %v", text, err)
		}
		for _, form := range []Form{PreRefinement, PostRefinement, Endpoint} {
			if again, err := FromProto(r.Proto(form)); err != nil || !again.Equal(r) {
				t.Fatalf("Parse(%q) = %s; read again: %s, %v", text, r, again, err)
			}
		}
	})
}

func FuzzParseAttributes(f *testing.F) {
	f.Add("rack:abc;level:10;keys:[1000-1500]")
	f.Add("a:{}:;:")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := ParseAttributes(text)
		if err != nil {
			return
		}
		for _, a := range list {
			if a.GetName() == "" || a.Scalar == nil && a.Ranges == nil && a.Text == nil {
				t.Fatalf("ParseAttributes(%q) has %v", text, a)
			}
		}
	})
}
