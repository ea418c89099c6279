package marathon

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

func TestProbe(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
		case "/moved":
			http.Redirect(w, r, "/gone", http.StatusFound)
		default:
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	plain, secure := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	closed := httptest.NewServer(handler)
	closed.Close()
	for _, tt := range []struct {
		name, protocol, url, path string
		healthy                   bool
		cause                     string
	}{
		{"ok", "HTTP", plain.URL, "/ok", true, ""},
		{"path without a slash", "HTTP", plain.URL, "ok", true, ""},
		{"redirects are not followed", "HTTP", plain.URL, "/moved", true, ""},
		{"error", "HTTP", plain.URL, "/no", false, "500 Internal Server Error"},
		{"certificate of its own", "HTTPS", secure.URL, "/ok", true, ""},
		{"connects", "TCP", plain.URL, "", true, ""},
		{"refused", "TCP", closed.URL, "", false, "refused"},
		{"nobody there", "HTTP", closed.URL, "/ok", false, "refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, address, _ := strings.Cut(tt.url, "://")
			got := newProber(1).probe(t.Context(), core.Probe{Address: address, Check: spec.HealthCheck{Protocol: tt.protocol, Path: tt.path, TimeoutSeconds: 10}})
			if got.Healthy != tt.healthy || !strings.Contains(got.Cause, tt.cause) {
				t.Errorf("probe = %+v, want healthy %v and %q", got, tt.healthy, tt.cause)
			}
		})
	}
	if got := judge(spec.HealthCheck{IgnoreHTTP1xx: true}, 102); !got.Ignored {
		t.Errorf("judge(102) = %+v, want it ignored", got)
	}
}
