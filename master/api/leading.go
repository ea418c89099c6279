package api

import (
	"encoding/json"
	"net"
	"net/http"
	"strconv"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/leader"
)

// led answers only on the leading master that has recovered (mesos-api 1.4 and
// 1.5); another one redirects to the leader, whatever the request is.
func (a *api) led(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := a.Master.Status()
		switch {
		case s.Leader.None():
			callevent.WriteError(w, callevent.Errorf(http.StatusServiceUnavailable, "No leader elected"))
		case !s.Leading:
			target := "//" + host(s.Leader) + r.URL.Path
			if r.URL.RawQuery != "" {
				target += "?" + r.URL.RawQuery
			}
			redirectTo(w, target)
		case !s.Recovered:
			callevent.WriteError(w, callevent.Errorf(http.StatusServiceUnavailable, "Master has not finished recovery"))
		default:
			next(w, r)
		}
	}
}

// redirect answers /redirect: where the leader is, also on the leader itself.
func (a *api) redirect(w http.ResponseWriter, _ *http.Request) {
	s := a.Master.Status()
	if s.Leader.None() {
		callevent.WriteError(w, callevent.Errorf(http.StatusServiceUnavailable, "No leader elected"))
		return
	}
	redirectTo(w, "//"+host(s.Leader))
}

// redirectTo answers 307 with a Location of no scheme: the client keeps its own.
func redirectTo(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	callevent.WriteEmpty(w, http.StatusTemporaryRedirect)
}

// host is the leader's address as clients are told it: the host name it
// publishes, or the address it is dialled at.
func host(l leader.Leader) string {
	var info struct {
		Hostname string `json:"hostname"`
		Port     int    `json:"port"`
	}
	if json.Unmarshal(l.Info, &info) != nil || info.Hostname == "" {
		return l.Address
	}
	return net.JoinHostPort(info.Hostname, strconv.Itoa(info.Port))
}

// health answers /health: the process lives and serves.
func health(w http.ResponseWriter, _ *http.Request) {
	callevent.WriteEmpty(w, http.StatusOK)
}
