package callevent

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "github.com/soukproject/souk/proto/mesos/v1/agent"
	_ "github.com/soukproject/souk/proto/mesos/v1/executor"
	_ "github.com/soukproject/souk/proto/mesos/v1/master"
	_ "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// shared finds a file of the data that lies beside the project.
func shared(t *testing.T, path string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for !exists(filepath.Join(dir, "go.mod")) {
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	file := filepath.Join(dir, "..", "shared", path)
	if !exists(file) {
		t.Skipf("no example data at ../shared/%s", path)
	}
	return file
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// sample is one row of the table of example bodies.
type sample struct {
	file, message string
	printed       bool // by a server: defaults are filled in
}

func samples(t *testing.T) (dir string, rows []sample) {
	t.Helper()
	readme := shared(t, "data/mesos/README.md")
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| (\S+\.json) \| (mesos\.v1\.\S+) \| ([^|]*) \|`)
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		rows = append(rows, sample{m[1], m[2], strings.Contains(m[3], "printed by server")})
	}
	if len(rows) < 100 {
		t.Fatalf("table of samples has %d rows, want at least 100", len(rows))
	}
	return filepath.Dir(readme), rows
}

func newMessage(t *testing.T, name string) proto.Message {
	t.Helper()
	mt, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
	if err != nil {
		t.Fatal(err)
	}
	return mt.New().Interface()
}

func TestSamplesKeepTheirMeaning(t *testing.T) {
	dir, rows := samples(t)
	for _, s := range rows {
		t.Run(s.file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(dir, s.file))
			if err != nil {
				t.Fatal(err)
			}
			first := newMessage(t, s.message)
			if err := Unmarshal(JSON, text, first); err != nil {
				t.Fatalf("Unmarshal() = %v", err)
			}
			printed, err := Marshal(JSON, first)
			if err != nil {
				t.Fatalf("Marshal() = %v", err)
			}
			if !json.Valid(printed) {
				t.Fatalf("Marshal() = %s, which is no JSON", printed)
			}
			for _, c := range []Codec{JSON, Protobuf} {
				wire, err := Marshal(c, first)
				if err != nil {
					t.Fatalf("Marshal(%v) = %v", c, err)
				}
				again := newMessage(t, s.message)
				if err := Unmarshal(c, wire, again); err != nil {
					t.Fatalf("Unmarshal(%v) = %v", c, err)
				}
				wire2, err := Marshal(c, again)
				if err != nil || string(wire2) != string(wire) && c == JSON {
					t.Errorf("second round in %v = %s, %v, want %s", c, wire2, err, wire)
				}
			}
			if s.printed {
				sameText(t, printed, text)
			}
		})
	}
}

// sameText compares two JSON texts but for white space, the order of members
// and empty lists: the samples leave out those that the real answers hold.
func sameText(t *testing.T, got, want []byte) {
	t.Helper()
	if d := cmp.Diff(withoutEmpty(plain(t, want)), withoutEmpty(plain(t, got))); d != "" {
		t.Errorf("printed text (-want +got):\n%s", d)
	}
}

func withoutEmpty(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if list, ok := e.([]any); ok && len(list) == 0 {
				delete(v, k)
				continue
			}
			withoutEmpty(e)
		}
	case []any:
		for _, e := range v {
			withoutEmpty(e)
		}
	}
	return v
}

// plain decodes JSON and keeps the text of numbers.
func plain(t *testing.T, text []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
	return v
}

// recording is what the recorded requests have in common.
type recording struct {
	Name    string `json:"name"`
	Request struct {
		Path    string      `json:"path"`
		Method  string      `json:"method"`
		Headers [][2]string `json:"headers"`
		Body    string      `json:"body"`
		Binary  []byte      `json:"body_base64"`
	} `json:"request"`
	Response struct {
		Status  int         `json:"status"`
		Headers [][2]string `json:"headers"`
		Body    string      `json:"body"`
		CutTo   int         `json:"body_cut_to"`
		Events  []struct {
			Text string `json:"text"`
		} `json:"events"`
	} `json:"response"`
}

func (r *recording) body() []byte {
	if r.Request.Binary != nil {
		return r.Request.Binary
	}
	return []byte(r.Request.Body)
}

func (r *recording) header(name string) (string, bool) {
	for _, h := range r.Request.Headers {
		if strings.EqualFold(h[0], name) {
			return h[1], true
		}
	}
	return "", false
}

func recordings(t *testing.T, file string) []recording {
	t.Helper()
	f, err := os.Open(shared(t, "data/mesos-recorded/"+file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []recording
	lines := bufio.NewReader(f)
	for d := json.NewDecoder(lines); d.More(); {
		var r recording
		if err := d.Decode(&r); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		out = append(out, r)
	}
	return out
}

// api tells the call type of a recorded path, "" for those of other kinds.
func (r *recording) api() string {
	agent := false
	for _, h := range r.Request.Headers {
		agent = agent || strings.EqualFold(h[0], "Host") && strings.HasSuffix(h[1], ":5051")
	}
	switch p := r.Request.Path; {
	case p == "/api/v1/scheduler":
		return "mesos.v1.scheduler.Call"
	case p == "/api/v1/executor":
		return "mesos.v1.executor.Call"
	case p == "/api/v1" && agent:
		return "mesos.v1.agent.Call"
	case p == "/api/v1":
		return "mesos.v1.master.Call"
	}
	return ""
}
