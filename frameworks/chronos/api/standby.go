package api

import (
	"net/http"

	"github.com/soukproject/souk/internal/leader/standby"
)

// Standby is how a scheduler answers that does not lead: it passes everything
// on, and whatever goes wrong is a 500 (chronos-api 2).
func Standby() standby.Style {
	return standby.Style{
		Via:         "Via",
		Refuse:      refuseOpenly,
		Unavailable: http.StatusInternalServerError,
		Failed:      http.StatusInternalServerError,
	}
}

// refuseOpenly answers with an error that every client may read.
func refuseOpenly(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	writeError(w, code, text)
}
