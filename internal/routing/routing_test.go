package routing

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestRouting(t *testing.T) {
	say := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
	}
	r := New("slave(1)", []Route{
		{Path: "/slave(1)/state", Handler: say("state")},
		{Path: "/slave(1)/api/v1", Handler: say("operator")},
		{Path: "/slave(1)/api/v1/executor", Handler: say("executor")},
		{Path: "/slave(1)/redirect", Exact: true, Handler: say("redirect")},
		{Path: "/files/read", Handler: say("read")},
	})
	for _, tt := range []struct {
		target string
		status int
		want   string
	}{
		{"/state", 200, "state"},
		{"/state/", 200, "state"},
		{"//state", 200, "state"},
		{"/slave(1)/state", 200, "state"},
		{"/slave%281%29/state", 200, "state"},
		{"/slave(1)/st%61te", 404, "404 Not Found."},
		{"/state/deeper/still", 200, "state"},
		{"/api/v1/operator", 200, "operator"},
		{"/api/v1/executor", 200, "executor"},
		{"/api/v1/executor/", 200, "executor"},
		{"/redirect", 200, "redirect"},
		{"/redirect/x", 404, "404 Not Found."},
		{"/files/read?path=x", 200, "read"},
		{"/slave(1)/files/read", 404, "404 Not Found."},
		{"/a/../state", 404, "404 Not Found."},
		{"/nothing", 404, "404 Not Found."},
		{"/", 404, "404 Not Found."},
	} {
		t.Run(tt.target, func(t *testing.T) {
			w := httptest.NewRecorder()
			r.ServeHTTP(w, httptest.NewRequest(http.MethodPost, tt.target, nil))
			if w.Code != tt.status || w.Body.String() != tt.want {
				t.Errorf("POST %s = %d %q, want %d %q", tt.target, w.Code, w.Body, tt.status, tt.want)
			}
		})
	}
}

// TestRoutingKeepsTheRequest: middleware outside must see the path that was asked for.
func TestRoutingKeepsTheRequest(t *testing.T) {
	r := New("master", []Route{{Path: "/master/state", Handler: func(http.ResponseWriter, *http.Request) {}}})
	req := httptest.NewRequest(http.MethodGet, "/state/", nil)
	r.ServeHTTP(httptest.NewRecorder(), req)
	if req.URL.Path != "/state/" {
		t.Errorf("path after serving is %q, want it unchanged", req.URL.Path)
	}
}
