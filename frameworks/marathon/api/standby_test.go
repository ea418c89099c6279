package api_test

import (
	"net/http/httptest"
	"testing"

	"github.com/soukproject/souk/frameworks/marathon/api"
	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/internal/metrics"
)

func TestAbdicate(t *testing.T) {
	asked := 0
	abdicate := func() { asked++ }
	for _, c := range []struct {
		name, path string
		abdicate   func()
		status     int
		body       string
		asked      int
	}{
		{"leader", "/v2/leader", abdicate, 200, `{"message":"Leadership abdicated"}`, 1},
		{"backup", "/v2/leader?backup=file:///x", abdicate, 501,
			`{"message":"not supported by this version of Souk: backup and restore with a change of leaders; leave the parameters out"}`, 0},
		{"alone", "/v2/leader", nil, 409, `{"message":"this scheduler is the only one, without --zk: nobody could take over"}`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked = 0
			d := newDirect(core.DefaultConfig("*"))
			w := httptest.NewRecorder()
			api.New(api.Config{Scheduler: d, Hub: d.hub, Metrics: metrics.New(), Abdicate: c.abdicate}).
				ServeHTTP(w, httptest.NewRequest("DELETE", c.path, nil))
			if w.Code != c.status || w.Body.String() != c.body || asked != c.asked {
				t.Errorf("DELETE = %d %s, asked %d times; want %d %s, %d", w.Code, w.Body, asked, c.status, c.body, c.asked)
			}
		})
	}
}
