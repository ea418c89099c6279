package doctest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A claim is a row of a table of docs/reference/compatibility.md: names, and
// what becomes of them.
type claim struct {
	section string
	kind    string // title of the first column: call, endpoint, …
	names   []string
	verdict string
}

var quoted = regexp.MustCompile("`([^`]*)`")

// claims reads the page's tables.
func claims(page string) (all []claim) {
	section, kind := "", ""
	inTable := false
	for line := range strings.Lines(page) {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			section = strings.TrimSpace(title)
		}
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 4 || cells[0] != "" {
			inTable = false
			continue
		}
		if !inTable {
			kind, inTable = strings.TrimSpace(cells[1]), true
			continue
		}
		c := claim{section: section, kind: kind, verdict: strings.TrimSpace(cells[2])}
		for _, m := range quoted.FindAllStringSubmatch(cells[1], -1) {
			c.names = append(c.names, strings.Fields(m[1])...)
		}
		if len(c.names) > 0 {
			all = append(all, c)
		}
	}
	return all
}

func TestClaims(t *testing.T) {
	page := "## One\n| call | |\n|---|---|\n| `A` `GET /b` | yes |\n\n## Two\n| endpoint | | |\n|---|---|---|\n| `/c` | refused | `501` |\n"
	got := fmt.Sprint(claims(page))
	want := "[{One call [A GET /b] yes} {Two endpoint [/c] refused}]"
	if got != want {
		t.Errorf("claims = %s, want %s", got, want)
	}
}

// TestCompatibilityPage asks a cluster for what the page says of calls and
// endpoints: what is served must not answer that it is absent, and what is
// refused must.
func TestCompatibilityPage(t *testing.T) {
	program(t, "souk")
	root := rootOf(t)
	text, err := os.ReadFile(filepath.Join(root, "docs/reference/compatibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(t, root)
	r.open(cluster)
	if t.Failed() {
		return
	}
	checked := 0
	for _, c := range claims(string(text)) {
		if c.verdict != "yes" && c.verdict != "refused" {
			continue
		}
		method := http.MethodGet
		for _, name := range c.names {
			if slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, name) {
				method = name // of the paths after it
				continue
			}
			if code, asked := r.ask(c, method, name); asked {
				checked++
				checkClaim(t, c, name, code)
			}
		}
	}
	if checked < 80 {
		t.Errorf("only %d claims could be checked: has the page changed its form?", checked)
	}
}

func checkClaim(t *testing.T, c claim, name string, code int) {
	t.Helper()
	absent := code == http.StatusNotImplemented || code == http.StatusNotFound
	// An empty call may fail before anybody looks whether it could be served.
	undecided := c.kind == "call" && code == http.StatusBadRequest
	if c.verdict == "yes" && absent || c.verdict == "refused" && !absent && !undecided {
		t.Errorf("%s, %s %s: docs/reference/compatibility.md says %s, the answer is %d: correct the page", c.section, c.kind, name, c.verdict, code)
	}
}

// ask sends the simplest request that tells; false when there is none. Only what
// is refused is asked to change something.
func (r *reader) ask(c claim, method, name string) (code int, asked bool) {
	base, path := map[string]int{"Operator API": 5050, "Master's older endpoints": 5050, "Agent": 5051, "Marathon": 8080, "Chronos": 4400}, name
	port, ok := base[c.section]
	switch {
	case !ok || name == "SUBSCRIBE": // which does not end
		return 0, false
	case c.kind == "call" && strings.ToUpper(name) == name && strings.Contains(name, "_"):
		body := fmt.Sprintf(`{"type": %q, %q: {}}`, name, strings.ToLower(name))
		return r.send(http.MethodPost, r.url(port)+"/api/v1", body), true
	case c.kind != "endpoint" || !strings.HasPrefix(name, "/") || strings.ContainsAny(name, "{…*"):
		return 0, false
	}
	switch {
	case strings.HasPrefix(name, "/api/v1/"):
		method = http.MethodPost
	case c.verdict == "yes":
		method = http.MethodGet
	}
	switch {
	case c.section == "Chronos" && c.verdict == "yes" && name != "/ping" && name != "/metrics":
		path = "/v1/scheduler" + name
	}
	return r.send(method, r.url(port)+path, ""), true
}

// send makes a request and returns the status of the answer.
func (r *reader) send(method, address, body string) int {
	r.t.Helper()
	req, err := http.NewRequest(method, address, bytes.NewReader([]byte(body)))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode
}
