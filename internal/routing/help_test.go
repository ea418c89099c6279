package routing

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHelp(t *testing.T) {
	silent := func(http.ResponseWriter, *http.Request) {}
	r := New("slave(1)", []Route{
		{Path: "/slave(1)/state", Realm: "agent-readonly", Help: "What the agent knows, <all> of it.", Handler: silent},
		{Path: "/slave(1)/state.json", Handler: silent},
		{Path: "/files/read", Help: "A piece of a file.", Handler: silent},
		{Path: "/version", Help: "What was built.", Handler: silent},
	})
	for _, tt := range []struct {
		target string
		code   int
		want   string // part of the answer
	}{
		{"/help?format=json", 200, `{"processes":[{"id":"files","endpoints":[{"name":"/read","text":"A piece of a file."}]},` +
			`{"id":"slave(1)","endpoints":[{"name":"/state","text":"What the agent knows, \u003call\u003e of it."}]},` +
			`{"id":"version","endpoints":[{"name":"/","text":"What was built."}]}]}`},
		{"/help", 200, `<a href="/help/slave%281%29/state"><code>/slave(1)/state</code></a></dt><dd>What the agent knows, &lt;all&gt; of it.</dd>`},
		{"/help/files", 200, "A piece of a file."},
		{"/help/slave(1)", 200, "/state"},
		{"/help/slave(1)/state", 200, "Also as <code>/state</code>"},
		{"/help/slave(1)/state", 200, "<code>agent-readonly</code>"},
		{"/help/slave%281%29/state", 200, "Also as <code>/state</code>"},
		{"/help/files/read/", 200, "A piece of a file."},
		{"/help/nope", 404, "404 Not Found."},
		{"/help/files/nope", 404, "404 Not Found."},
		{"/help/slave(1)/state.json", 404, "404 Not Found."},
	} {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, tt.target, nil))
		if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("GET %s = %d %s, want %d %s", tt.target, w.Code, w.Body, tt.code, tt.want)
		}
	}
}
