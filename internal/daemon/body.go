package daemon

import (
	"net/http"

	"github.com/soukproject/souk/internal/callevent"
)

// WriteJSON answers 200 with body, wrapped in the function that ?jsonp= names,
// if any, and compressed if the client takes gzip.
func WriteJSON(w http.ResponseWriter, r *http.Request, body []byte) {
	query := r.URL.Query()
	if !query.Has("jsonp") {
		callevent.WriteBody(w, r, "application/json", body)
		return
	}
	callback := query.Get("jsonp")
	wrapped := make([]byte, 0, len(callback)+len(body)+2)
	wrapped = append(wrapped, callback...)
	wrapped = append(wrapped, '(')
	wrapped = append(wrapped, body...)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	callevent.WriteBody(w, r, "text/javascript", append(wrapped, ')'))
}

// WriteText answers code with a plain text, the form of every error of Mesos.
func WriteText(w http.ResponseWriter, code int, text string) {
	callevent.WriteError(w, &callevent.Error{Code: code, Text: text})
}
