package api

import (
	"net/http"
	"strings"

	"github.com/soukproject/souk/internal/leader/standby"
)

// Standby is how a scheduler answers that does not lead (marathon-api 2.2). A
// stream of events must come from the leader itself.
func Standby() standby.Style {
	return standby.Style{
		Via:         "X-Marathon-Via",
		Redirects:   func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/v2/events") },
		Refuse:      writeMessage,
		Unavailable: http.StatusBadGateway,
		Failed:      http.StatusInternalServerError,
	}
}

// abdicate ends this scheduler's leadership when the answer is out.
func (s *server) abdicate(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch {
	case q.Has("backup") || q.Has("restore"):
		s.refuse("backup and restore with a change of leaders; leave the parameters out")(w, r)
	case s.Abdicate == nil:
		writeMessage(w, http.StatusConflict, "this scheduler is the only one, without --zk: nobody could take over")
	default:
		s.Abdicate()
		writeMessage(w, http.StatusOK, "Leadership abdicated")
	}
}
