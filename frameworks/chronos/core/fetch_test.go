package core

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFetches(t *testing.T) {
	read := func(body string) (list []Fetch, uris []string, err error) {
		f := &fields{members: map[string]json.RawMessage{}}
		if err := json.Unmarshal([]byte(body), &f.members); err != nil {
			t.Fatal(err)
		}
		list, uris = f.fetches()
		return list, uris, f.err
	}
	for _, tt := range []struct {
		name, body string
		want       []Fetch // nil: refused
	}{
		{"none", `{}`, []Fetch{}},
		{"uris", `{"uris": ["http://a/x.tgz"]}`, []Fetch{{URI: "http://a/x.tgz", Extract: true}}},
		{"fetch", `{"fetch": [{"uri": "a", "executable": true, "cache": true, "extract": false, "output_file": "b"}]}`,
			[]Fetch{{URI: "a", Executable: true, Cache: true, OutputFile: "b"}}},
		{"both alike", `{"uris": ["a"], "fetch": [{"uri": "a", "cache": true}]}`, []Fetch{{URI: "a", Cache: true, Extract: true}}},
		{"both different", `{"uris": ["b"], "fetch": [{"uri": "a"}]}`, nil},
		{"no address", `{"fetch": [{}]}`, nil},
		{"no object", `{"fetch": ["a"]}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, uris, err := read(tt.body)
			if tt.want == nil {
				if err == nil {
					t.Errorf("fetches() = %v, want an error", got)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil || len(uris) != len(got) {
				t.Errorf("fetches() = %v, %v (-want +got):\n%s", uris, err, diff)
			}
		})
	}
}
