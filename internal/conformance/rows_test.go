package conformance_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/callevent"
	agentpb "github.com/soukproject/souk/proto/mesos/v1/agent"
	executorpb "github.com/soukproject/souk/proto/mesos/v1/executor"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// A row is one statement: what is asked, and what the answer must be.
type row struct {
	At     string // section and line of the reference page
	Name   string
	NotYet string `json:"not_yet"` // why it does not hold, if it does not

	Agent    bool // asked of the agent, not the master
	Method   string
	Path     string
	Headers  [][2]string
	Body     string
	Base64   bool // Body is, because it is no text
	Protobuf bool // holds in protobuf, too

	Status int
	Text   *string         // the whole body
	Begins string          // of the body
	Has    json.RawMessage // members that the body has, whatever else
	Header [][2]string     // of the answer
}

// readRows reads a file of testdata, one row per line.
func readRows[R any](t *testing.T, name string) []R {
	t.Helper()
	file, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var rows []R
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r R
		decoder := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&r); err != nil {
			t.Fatalf("%s: %v in %s", name, err, lines.Text())
		}
		rows = append(rows, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// holds runs what a row says, and reports a row that is not true, or that is
// true although it is said not to be.
func holds(t *testing.T, c *cluster, at, name, notYet string, say func() error) {
	t.Run(at+" "+name, func(t *testing.T) {
		err := say()
		switch {
		case err != nil && notYet != "":
			t.Skipf("not yet: %s", notYet)
		case err != nil:
			t.Errorf("mesos-api.md %s: %s: %v", at, name, err)
		case notYet != "" && !c.foreign && *strict:
			t.Errorf("mesos-api.md %s: %s holds now: strike its not_yet, and its line in docs/reference/compatibility.md", at, name)
		case notYet != "" && !c.foreign:
			t.Logf("mesos-api.md %s: %s holds now, although it is said not to", at, name)
		}
	})
}

// say asks what a row asks, and compares.
func (r *row) say(c *cluster) error {
	body := []byte(c.fill(r.Body))
	if r.Base64 {
		var err error
		if body, err = base64.StdEncoding.DecodeString(r.Body); err != nil {
			return err
		}
	}
	code, header, answer, err := c.send(r, body, nil)
	if err != nil {
		return err
	}
	if err := r.compare(c, code, header, answer); err != nil || !r.Protobuf {
		return err
	}
	return r.sayInProtobuf(c, body)
}

// sayInProtobuf asks the same in the other encoding.
func (r *row) sayInProtobuf(c *cluster, body []byte) error {
	call, response := r.messages()
	if err := callevent.Unmarshal(callevent.JSON, body, call); err != nil {
		return fmt.Errorf("the row's body is no call: %w", err)
	}
	body, err := proto.MarshalOptions{AllowPartial: true}.Marshal(call)
	if err != nil {
		return err
	}
	media := callevent.Protobuf.MediaType()
	code, header, answer, err := c.send(r, body, map[string]string{"Content-Type": media, "Accept": media})
	if err != nil {
		return err
	}
	if header.Get("Content-Type") == media {
		if err := proto.Unmarshal(answer, response); err != nil {
			return fmt.Errorf("in protobuf: %w", err)
		}
		if answer, err = callevent.AppendJSON(nil, response); err != nil {
			return err
		}
	}
	if err := r.compare(c, code, header, answer); err != nil {
		return fmt.Errorf("in protobuf: %w", err)
	}
	return nil
}

func (r *row) messages() (call, response proto.Message) {
	switch {
	case strings.HasSuffix(r.Path, "/executor"):
		return &executorpb.Call{}, &agentpb.Response{}
	case strings.HasSuffix(r.Path, "/scheduler"):
		return &schedulerpb.Call{}, &schedulerpb.Response{}
	case r.Agent:
		return &agentpb.Call{}, &agentpb.Response{}
	}
	return &masterpb.Call{}, &masterpb.Response{}
}

func (r *row) compare(c *cluster, code int, header http.Header, answer []byte) error {
	switch {
	case code != r.Status:
		return fmt.Errorf("%d %.300s, want %d %s", code, answer, r.Status, r.wanted(c))
	case r.Text != nil && string(answer) != c.fill(*r.Text):
		return fmt.Errorf("body is %.500q, want %q", answer, c.fill(*r.Text))
	case !strings.HasPrefix(string(answer), c.fill(r.Begins)):
		return fmt.Errorf("body is %.300q, want it to begin with %q", answer, r.Begins)
	}
	for _, h := range r.Header {
		if got := header.Get(h[0]); got != c.fill(h[1]) {
			return fmt.Errorf("header %s is %q, want %q", h[0], got, c.fill(h[1]))
		}
	}
	if r.Has == nil {
		return nil
	}
	return hasJSON(answer, []byte(c.fill(string(r.Has))))
}

func (r *row) wanted(c *cluster) string {
	if r.Text != nil {
		return c.fill(*r.Text)
	}
	return r.Begins
}

// hasJSON reports what of want is not in got. Objects may have more members;
// lists must be as long.
func hasJSON(got, want []byte) error {
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		return fmt.Errorf("body is no JSON: %w: %.200q", err, got)
	}
	if err := json.Unmarshal(want, &w); err != nil {
		return fmt.Errorf("the row is no JSON: %w", err)
	}
	return has("", g, w)
}

func has(at string, got, want any) error {
	switch want := want.(type) {
	case map[string]any:
		if element, ok := want[some]; ok {
			return hasSome(at, got, element)
		}
		members, ok := got.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is %v, want an object", at, got)
		}
		for name, value := range want {
			if _, found := members[name]; value == nothing {
				if found {
					return fmt.Errorf("%s has a member %q: %v", at, name, members[name])
				}
				continue
			} else if !found {
				return fmt.Errorf("%s has no member %q", at, name)
			}
			if err := has(at+"."+name, members[name], value); err != nil {
				return err
			}
		}
		return nil
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return fmt.Errorf("%s is %v, want %v", at, got, want)
		}
		for i := range want {
			if err := has(fmt.Sprintf("%s[%d]", at, i), list[i], want[i]); err != nil {
				return err
			}
		}
		return nil
	case string:
		if want == anything {
			return nil
		}
	}
	if got != want {
		return fmt.Errorf("%s is %v, want %v", at, got, want)
	}
	return nil
}

// hasSome wants an element of a list.
func hasSome(at string, got, element any) error {
	list, ok := got.([]any)
	if !ok {
		return fmt.Errorf("%s is %v, want a list", at, got)
	}
	var near error
	for i := range list {
		if near = has(fmt.Sprintf("%s[%d]", at, i), list[i], element); near == nil {
			return nil
		}
	}
	return fmt.Errorf("%s: none of %d elements is as wanted; the last: %w", at, len(list), near)
}

// Words of rows: a value that is there, whatever it is; a member that is not
// there; a list in which something is.
const (
	anything = "$ANY"
	nothing  = "$NONE"
	some     = "$SOME"
)

// send makes a row's request, with some headers in place of its own.
func (c *cluster) send(r *row, body []byte, instead map[string]string) (int, http.Header, []byte, error) {
	base := c.master
	if r.Agent {
		base = c.agent
	}
	req, err := http.NewRequest(r.Method, base+c.fill(r.Path), bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	for _, h := range r.Headers {
		if instead[http.CanonicalHeaderKey(h[0])] == "" {
			req.Header.Add(h[0], c.fill(h[1]))
		}
	}
	for name, value := range instead {
		req.Header.Set(name, value)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	return resp.StatusCode, resp.Header, answer, err
}
