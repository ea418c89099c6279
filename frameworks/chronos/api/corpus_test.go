package api

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/soukproject/souk/frameworks/chronos/core"
)

// corpus finds the shared folder of real inputs beside the project's root.
func corpus(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
	}
	folder := filepath.Join(dir, "..", "shared", "data", "chronos")
	if _, err := os.Stat(filepath.Join(folder, "INDEX.tsv")); err != nil {
		t.Skipf("the shared inputs are not there: %v", err)
	}
	return folder
}

// table reads a tab-separated file without its comments.
func table(t *testing.T, path string) [][]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
		}
	}
	return rows
}

type deliberate struct {
	status int
	text   string
}

func deliberates(t *testing.T) map[string]deliberate {
	t.Helper()
	list := make(map[string]deliberate)
	for _, row := range table(t, filepath.Join("testdata", "deliberate.tsv")) {
		status, err := strconv.Atoi(row[1])
		if err != nil || len(row) != 4 || row[3] == "" {
			t.Fatalf("testdata/deliberate.tsv: row %q needs file, status, message and reason", row)
		}
		list[row[0]] = deliberate{status: status, text: row[2]}
	}
	return list
}

// TestCorpus posts every job of the shared inputs and expects what the index
// says, or what testdata/deliberate.tsv says and why.
func TestCorpus(t *testing.T) {
	folder := corpus(t)
	exceptions := deliberates(t)
	posted := 0
	for _, row := range table(t, filepath.Join(folder, "INDEX.tsv"))[1:] {
		file, kind, request, expected := row[0], row[1], row[2], row[3]
		t.Run(file, func(t *testing.T) {
			body, err := os.ReadFile(filepath.Join(folder, file))
			if err != nil {
				t.Fatal(err)
			}
			c := newCluster(t)
			method, path, text := corpusRequest(t, c, kind, request, string(body))
			if path == "" {
				t.Skipf("%s: not a request", kind)
			}
			want, message := corpusStatus(t, kind, expected), ""
			if d, ok := exceptions[file]; ok {
				want, message = d.status, d.text
			}
			posted++
			if got, answer := c.do(method, path, text); got != want || !strings.Contains(answer, message) {
				t.Errorf("%s %s = %d %s, want %d with %q", method, path, got, answer, want, message)
			}
		})
	}
	if posted < 30 {
		t.Errorf("posted %d files, want most of the index", posted)
	}
}

// corpusRequest turns a row of the index into a request, with the jobs it needs created before.
func corpusRequest(t *testing.T, c *cluster, kind, request, body string) (method, path, text string) {
	t.Helper()
	switch {
	case kind == "fragment":
		body = `{"name":"fragment","command":"CMD","schedule":"R/2030-01-01T00:00:00Z/P1D",` + strings.TrimPrefix(strings.TrimSpace(body), "{")
		return "POST", "/v1/scheduler/iso8601", body
	case kind == "progress":
		c.want(204, "POST", "/v1/scheduler/iso8601", `{"name":"data","command":"x","schedule":"R1//P1D","dataProcessingJobType":true}`)
		return "POST", "/v1/scheduler/job/data/task/" + c.launch()[0] + "/progress", body
	case request == "serialise/deserialise":
		request = "POST /v1/scheduler/dependency"
	case request == "deserialise only":
		request = "POST /v1/scheduler/iso8601"
	case kind == "metronome-response":
		method, path, _ = strings.Cut(strings.ReplaceAll(request, "{id}", "x"), " ")
		if path == "/info" {
			return "", "", ""
		}
		return method, path, ""
	}
	method, path, _ = strings.Cut(request, " ")
	var job struct{ Parents []string }
	if err := json.Unmarshal([]byte(body), &job); err != nil {
		t.Fatal(err)
	}
	for _, parent := range job.Parents {
		c.want(204, "POST", "/v1/scheduler/iso8601", `{"name":"`+parent+`","command":"CMD","schedule":"R/2030-01-01T00:00:00Z/P1D"}`)
	}
	return method, path, body
}

// corpusStatus reads the first number of what the index expects. Metronome's
// API is answered with 501 throughout.
func corpusStatus(t *testing.T, kind, expected string) int {
	t.Helper()
	if strings.HasPrefix(kind, "metronome") {
		return 501
	}
	first, _, _ := strings.Cut(expected, " ")
	if status, err := strconv.Atoi(first); err == nil {
		return status
	}
	return 204 // fragments and round trips are accepted
}

// TestCorpusRoundTrip: what Chronos' own round trip test covers, but for the
// members that are refused.
func TestCorpusRoundTrip(t *testing.T) {
	body, err := os.ReadFile(filepath.Join(corpus(t), "job-serde-dependent.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := json.Unmarshal(body, &want); err != nil {
		t.Fatal(err)
	}
	delete(want, "executor")
	delete(want, "container")
	delete(want, "fetch")
	posted, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	c := newCluster(t)
	for _, parent := range want["parents"].([]any) {
		c.want(204, "POST", "/scheduler/iso8601", `{"name":"`+parent.(string)+`","command":"x","schedule":"R/2030-01-01T00:00:00Z/P1D"}`)
	}
	c.want(204, "POST", "/scheduler/dependency", string(posted))
	got := decode[map[string]any](t, c.want(200, "GET", "/scheduler/job/A", ""))
	for member, value := range want {
		a, _ := json.Marshal(value)
		b, _ := json.Marshal(got[member])
		if string(a) != string(b) {
			t.Errorf("%s = %s, want %s", member, b, a)
		}
	}
}

// TestTimeZonesOfTheCorpus: the first instants that the index names.
func TestTimeZonesOfTheCorpus(t *testing.T) {
	folder := corpus(t)
	for file, want := range map[string]string{"job-timezone-pst.json": "2008-03-01T13:00:00-08:00", "job-timezone-bst.json": "2008-03-01T13:00:00+06:00"} {
		body, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			t.Fatal(err)
		}
		c := newCluster(t)
		c.want(204, "POST", "/scheduler/iso8601", string(body))
		var got string
		if err := c.View(t.Context(), func(m *core.Chronos) {
			for _, j := range m.Jobs() {
				at, _ := j.Next()
				got = at.Format("2006-01-02T15:04:05Z07:00")
			}
		}); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s first runs at %s, want %s", file, got, want)
		}
	}
}
