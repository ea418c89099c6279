package api

import (
	"net/http"
	"strings"

	"github.com/gorilla/mux"
)

// absentRoutes answer for what Marathon has and this version has not.
func (s *server) absentRoutes(r *mux.Router) {
	pods := s.refuse("pods; describe each container as an app")
	r.PathPrefix("/v2/pods").HandlerFunc(pods)
	r.PathPrefix("/v2/plugins/").HandlerFunc(s.refuse("plugins"))
	r.HandleFunc("/logging", s.refuse("changing log levels at run time; restart with --logging_level")).Methods("GET", "POST")
	r.HandleFunc("/config", s.refuse("showing the configuration; see /v2/info")).Methods("GET")
}

// refuse answers 501 and says what is missing and what to do.
func (s *server) refuse(what string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		writeMessage(w, http.StatusNotImplemented, "not supported by this version of Souk: "+what)
	}
}

// dashed is TASK_RUNNING as metrics name it: task-running.
func dashed(state string) string { return strings.ToLower(strings.ReplaceAll(state, "_", "-")) }
