package archive_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/state/archive"
)

func written(t interface{ Fatal(...any) }, a archive.Archive) []byte {
	var b bytes.Buffer
	if err := archive.Write(&b, a); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sample() archive.Archive {
	return archive.Archive{Cluster: "a", Stores: map[string][]state.Entry{
		"chronos":  nil,
		"marathon": {{Name: "marathon/app/é", Value: []byte(`{"cmd":"a <b> \u2028"}`)}, {Name: "marathon/empty", Value: []byte{}}},
		"master":   {{Name: "agents/S0", Value: []byte{0xff, 0, 1}}},
	}}
}

func same(a, b archive.Archive) string { return cmp.Diff(a, b, cmpopts.EquateEmpty()) }

func TestReadReturnsWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := archive.Archive{Cluster: rapid.String().Draw(t, "cluster"), Stores: map[string][]state.Entry{}}
		for _, store := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"master", "marathon", "chronos"}), 0, 3, rapid.ID).Draw(t, "stores") {
			names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-zé/%" ]{1,9}`), 0, 5, rapid.ID).Draw(t, "names")
			slices.Sort(names)
			a.Stores[store] = []state.Entry{}
			for _, name := range names {
				value := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "value")
				a.Stores[store] = append(a.Stores[store], state.Entry{Name: name, Value: value})
			}
		}
		got, err := archive.Read(bytes.NewReader(written(t, a)))
		if err != nil {
			t.Fatal(err)
		}
		if d := same(a, got); d != "" {
			t.Fatal(d)
		}
	})
}

// TestDamageIsSeen: no file that was cut or altered anywhere is accepted.
func TestDamageIsSeen(t *testing.T) {
	whole := written(t, sample())
	for n := range len(whole) {
		if _, err := archive.Read(bytes.NewReader(whole[:n])); err == nil {
			t.Errorf("the first %d of %d bytes are accepted", n, len(whole))
		}
	}
	head := bytes.IndexByte(whole, '\n')
	for i := head + 1; i < len(whole); i++ {
		b := bytes.Clone(whole)
		b[i] ^= 1
		if _, err := archive.Read(bytes.NewReader(b)); err == nil {
			t.Errorf("byte %d altered is accepted", i)
		}
	}
}

// file is one whose checksum fits.
func file(head, body string) string {
	return fmt.Sprintf(`{"souk":"cluster state",%s,"sha256":"%x"}`, head, sha256.Sum256([]byte(body))) + "\n" + body
}

func TestReadSaysWhatIsWrong(t *testing.T) {
	whole := string(written(t, sample()))
	tests := []struct{ name, text, want string }{
		{"empty", "", "header: EOF"},
		{"other", "{}\n", "this is not a file that 'souk state export' wrote"},
		{"newer", file(`"format":2,"entries":{}`, "?"), "the file has format 2, this build reads up to 1: use the newer build that wrote it"},
		{"torn", whole[:strings.LastIndex(whole[:len(whole)-1], "\n")+1], "the file is torn: it has 2 of 3 entries: copy it again"},
		{"torn in a line", whole[:len(whole)-3], "line 4: the file is torn: its last line has no end: copy it again"},
		{"altered", strings.Replace(whole, "S0", "S1", 1), "the file was altered since it was written: its checksum does not fit"},
		{"long header", strings.Repeat("x", 1<<20), "header: the line is too long"},
		{"long line", file(`"format":1,"entries":{}`, strings.Repeat("x", 9<<20)), "line 2: the line is too long"},
		{"counts", file(`"format":1,"entries":{"a":2}`, `{"store":"a","name":"n","text":""}`+"\n"), "the header counts 2 entries of a, the file has 1"},
		{"uncounted", file(`"format":1,"entries":{}`, `{"store":"a","name":"n","text":""}`+"\n"), "the file has entries of a store that its header does not count"},
		{"no value", file(`"format":1,"entries":{"a":1}`, `{"store":"a","name":"n"}`+"\n"), "line 2: the entry has no value"},
		{"two values", file(`"format":1,"entries":{"a":1}`, `{"store":"a","name":"n","text":"","base64":"AA=="}`+"\n"), "line 2: the entry has two values"},
		{"nameless", file(`"format":1,"entries":{"a":1}`, `{"store":"a","name":"","text":""}`+"\n"), "store a: entry name is empty"},
		{"twice", file(`"format":1,"entries":{"a":2}`, strings.Repeat(`{"store":"a","name":"n","text":""}`+"\n", 2)), `store a: entry "n" is twice there, or not in order`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := archive.Read(strings.NewReader(tt.text)); err == nil || err.Error() != tt.want {
				t.Errorf("Read = %v, want %s", err, tt.want)
			}
		})
	}
}

// FuzzRead: whatever is accepted can be written, and reads the same again.
func FuzzRead(f *testing.F) {
	f.Add(string(written(f, sample())))
	f.Add(file(`"format":1,"entries":{"a":1}`, `{"store":"a","name":"n","text":""}`+"\n"))
	f.Add("{}\n")
	f.Fuzz(func(t *testing.T, text string) {
		if i := strings.IndexByte(text, '\n'); i >= 0 { // otherwise no mutation of an entry gets past the checksum
			if head, _, ok := strings.Cut(text[:i], `,"sha256"`); ok {
				text = fmt.Sprintf(`%s,"sha256":"%x"}`, head, sha256.Sum256([]byte(text[i+1:]))) + text[i:]
			}
		}
		a, err := archive.Read(strings.NewReader(text))
		if err != nil {
			return
		}
		again, err := archive.Read(bytes.NewReader(written(t, a)))
		if err != nil {
			t.Fatal(err)
		}
		if d := same(a, again); d != "" {
			t.Error(d)
		}
	})
}
