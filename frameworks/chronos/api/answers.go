package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	"go.uber.org/zap"

	"github.com/soukproject/souk/frameworks/chronos/core"
	"github.com/soukproject/souk/internal/daemon"
)

// An apiError is what Chronos 3 answers with: a status and a text.
type apiError struct {
	code int
	text string
}

func (e *apiError) Error() string { return e.text }

// statusOf turns an error into a status code and a text for the client; false
// if the error is not the client's to read.
func statusOf(err error) (code int, text string, known bool) {
	var api *apiError
	var invalid *core.Invalid
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &api):
		return api.code, api.text, true
	case errors.As(err, &invalid):
		return http.StatusBadRequest, invalid.Error(), true
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge, "the body is too large", true
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable, "the scheduler is stopping or busy; try again", true
	}
	return http.StatusInternalServerError, "internal error; the log says more", false
}

func (h handlers) fail(w http.ResponseWriter, r *http.Request, err error) {
	code, text, known := statusOf(err)
	if !known {
		h.Log.Error("request failed", zap.String("method", r.Method), zap.String("path", r.URL.Path), zap.Error(err))
	}
	writeError(w, code, text)
}

// writeError writes Chronos 3's error object.
func writeError(w http.ResponseWriter, code int, text string) {
	body, err := json.Marshal(struct {
		Status  string `json:"status"`
		Message string `json:"message"`
	}{http.StatusText(code), text})
	if err != nil {
		body = nil // two strings always encode
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(body)
}

func notFound(w http.ResponseWriter, r *http.Request) {
	writeError(w, http.StatusNotFound, "no such path: "+r.URL.Path+"; jobs are at /v1/scheduler/jobs")
}

func wrongMethod(w http.ResponseWriter, r *http.Request) {
	writeError(w, http.StatusMethodNotAllowed, r.Method+" is not allowed on "+r.URL.Path)
}

// writeJSON writes v on one line, as tools read answers line by line, and
// compressed for clients that take it.
func (h handlers) writeJSON(w http.ResponseWriter, r *http.Request, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		h.fail(w, r, err)
		return
	}
	daemon.WriteJSON(w, r, bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func writeText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, text)
}

const form = "application/x-www-form-urlencoded"

// readBody reads a JSON body; another content type is refused, none is taken for
// JSON. So is a form: that is what `curl -d` calls everything it is not told the
// type of, and no form is ever sent here.
func readBody(r *http.Request) ([]byte, error) {
	if declared := r.Header.Get("Content-Type"); declared != "" {
		media, _, err := mime.ParseMediaType(declared)
		if err != nil || media != "application/json" && media != form {
			return nil, &apiError{http.StatusUnsupportedMediaType, "send Content-Type: application/json"}
		}
	}
	return io.ReadAll(r.Body)
}
