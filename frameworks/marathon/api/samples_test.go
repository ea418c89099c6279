package api_test

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// TestSamples sends every app definition of the shared data as its index says
// and compares the status. Those that this version refuses though Marathon
// takes them are listed in testdata/refused.tsv with the reason, and only those.
func TestSamples(t *testing.T) {
	dir := shared(t, "data/marathon")
	refused := table(t, "testdata/refused.tsv")
	seen := map[string]bool{}
	for file, row := range table(t, filepath.Join(dir, "INDEX.tsv")) {
		kind, request, expected, conditions := row[0], row[1], row[2], row[3]
		if kind != "app" && kind != "app-list" && kind != "app-update" || strings.HasPrefix(file, "upd-pod") {
			continue
		}
		t.Run(file, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			got := send(t, request, string(b), conditions)
			if why, ok := refused[file]; ok {
				seen[file] = true
				if got.status != 422 || !strings.Contains(got.body, why[0]) {
					t.Errorf("%s = %d %s, want 422 and %q", request, got.status, got.body, why[0])
				}
				return
			}
			if !slices.Contains(strings.Split(expected, "|"), strconv.Itoa(got.status)) {
				t.Errorf("%s = %d %s, want %s", request, got.status, got.body, expected)
			}
			if path, _, _ := strings.Cut(conditions, " "); expected == "422" && strings.HasPrefix(path, "/") && !strings.Contains(got.body, strconv.Quote(strings.TrimRight(path, ","))) {
				t.Errorf("%s = %s, want a violation at %s", request, got.body, path)
			}
		})
	}
	for file := range refused {
		if !seen[file] {
			t.Errorf("testdata/refused.tsv lists %s, which is not among the samples", file)
		}
	}
}

// send makes the request of a sample under the conditions of the index.
func send(t *testing.T, request, body, conditions string) answer {
	cfg := core.DefaultConfig("*")
	cfg.Rules.Features = spec.Features()
	if _, role, ok := strings.Cut(conditions, "--mesos_role "); ok {
		cfg.Rules.Role = strings.Fields(role)[0]
	}
	if strings.Contains(conditions, "role other than *") {
		cfg.Rules.Role = "dev"
	}
	d := newDirect(cfg)
	url := serve(t, d)
	method, path, _ := strings.Cut(request, " ")
	if strings.Contains(path, "{id}") {
		path = strings.ReplaceAll(path, "{id}", "test")
		if !strings.Contains(conditions, "new app") && !strings.Contains(conditions, "upgradeStrategy 0.5/0") {
			create(t, url, `{"id":"/test","cmd":"sleep 1"}`)
		}
	}
	if method == "PATCH" && path == "/v2/apps" {
		create(t, url, `{"id":"/test/sleep60","cmd":"sleep 60"}`)
		create(t, url, `{"id":"/test/sleep120","cmd":"sleep 120"}`)
	}
	return call(t, method, url+path+"?force=true", body)
}

func create(t *testing.T, url, app string) answer {
	t.Helper()
	a := call(t, "POST", url+"/v2/apps", app)
	if a.status != 201 {
		t.Fatalf("POST /v2/apps %s = %d %s, want 201", app, a.status, a.body)
	}
	return a
}

// table reads tab-separated rows by their first column; the first row is the header.
func table(t *testing.T, path string) map[string][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows := map[string][]string{}
	lines := bufio.NewScanner(f)
	lines.Scan()
	for lines.Scan() {
		columns := append(strings.Split(lines.Text(), "\t"), "", "", "")
		rows[columns[0]] = columns[1:]
	}
	return rows
}
