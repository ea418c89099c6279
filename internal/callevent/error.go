package callevent

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// An Error is an HTTP answer that is not a success: what a server refuses a
// call with, and what a client gets to see of it.
type Error struct {
	Code int    // HTTP status
	Text string // the plain text body; empty means the status's fixed body
}

func (e *Error) Error() string {
	if e.Text == "" {
		return fixedBody(e.Code)
	}
	return e.Text
}

// Errorf makes an Error with a formatted text.
func Errorf(code int, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

// fixedBody is Mesos' body of a status that has no text of its own.
func fixedBody(code int) string {
	return fmt.Sprintf("%d %s.", code, http.StatusText(code))
}

// WriteError answers with err: an *Error anywhere in its chain as it says, any
// other error as 500 with the error's text.
func WriteError(w http.ResponseWriter, err error) {
	e := new(Error)
	if !errors.As(err, &e) {
		e = &Error{Code: http.StatusInternalServerError, Text: err.Error()}
	}
	body := e.Error()
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.Code)
	_, _ = w.Write([]byte(body))
}

// CheckMethod refuses a request whose method is not one of allowed, naming
// them in the Allow header.
func CheckMethod(w http.ResponseWriter, r *http.Request, allowed ...string) error {
	list, header := "", ""
	for i, m := range allowed {
		if r.Method == m {
			return nil
		}
		if i > 0 {
			list, header = list+", ", header+", "
		}
		list, header = list+"'"+m+"'", header+m
	}
	w.Header().Set("Allow", header)
	return Errorf(http.StatusMethodNotAllowed,
		"405 Method Not Allowed. Expecting one of { %s }, but received '%s'.", list, r.Method)
}
