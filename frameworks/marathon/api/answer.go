package api

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// write answers with a value as JSON.
func (s *server) write(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeBody(w, status, body)
}

func writeBody(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}

// failure is the body of every error.
type failure struct {
	Message     string     `json:"message"`
	Details     any        `json:"details,omitempty"`
	Deployments []core.Ref `json:"deployments,omitempty"`
}

func writeMessage(w http.ResponseWriter, status int, message string) {
	writeFailure(w, status, failure{Message: message})
}

func writeFailure(w http.ResponseWriter, status int, f failure) {
	body, err := json.Marshal(f)
	if err != nil {
		body = []byte(`{"message":"the error cannot be written"}`)
	}
	writeBody(w, status, body)
}

// fail answers with an error in Marathon's form.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var (
		malformed *spec.Malformed
		problems  *spec.Problems
		refusal   *core.Refusal
		bad       *badRequest
		tooLarge  *http.MaxBytesError
	)
	switch {
	case errors.As(err, &malformed):
		writeFailure(w, http.StatusBadRequest, failure{Message: malformed.Message, Details: malformed.Details})
	case errors.As(err, &problems):
		writeFailure(w, http.StatusUnprocessableEntity, failure{Message: problems.Message, Details: problems.Details})
	case errors.As(err, &refusal):
		f := failure{Message: refusal.Message}
		for _, id := range refusal.Deployments {
			f.Deployments = append(f.Deployments, core.Ref{ID: id})
		}
		writeFailure(w, status(refusal.Kind), f)
	case errors.As(err, &bad):
		writeMessage(w, bad.status, bad.message)
	case errors.As(err, &tooLarge):
		writeMessage(w, http.StatusRequestEntityTooLarge, "the body is larger than "+strconv.Itoa(bodyLimit)+" bytes")
	default:
		s.Log.Warn("request failed", zap.String("path", r.URL.Path), zap.Error(err))
		writeMessage(w, http.StatusServiceUnavailable, err.Error())
	}
}

func status(k core.Kind) int {
	switch k {
	case core.BadRequest:
		return http.StatusBadRequest
	case core.NotFound:
		return http.StatusNotFound
	case core.Conflict, core.Locked:
		return http.StatusConflict
	case core.Forbidden:
		return http.StatusForbidden
	case core.Invalid:
		return http.StatusUnprocessableEntity
	}
	return http.StatusInternalServerError
}

// badRequest is a request that is wrong before its meaning is looked at.
type badRequest struct {
	status  int
	message string
}

func (b *badRequest) Error() string { return b.message }

const form = "application/x-www-form-urlencoded"

// body reads a JSON body, whose type a client must not deny. A form is taken
// for JSON: that is what `curl -d` calls everything it is not told the type of,
// and no form is ever sent here.
func body(r *http.Request) ([]byte, error) {
	if t := r.Header.Get("Content-Type"); t != "" {
		media, _, err := mime.ParseMediaType(t)
		if err != nil || media != "application/json" && media != form && !strings.HasSuffix(media, "+json") {
			return nil, &badRequest{http.StatusUnsupportedMediaType, "Content-Type is " + t + ": send application/json"}
		}
	}
	return io.ReadAll(r.Body)
}

// flag reads a boolean parameter, in any case: Python clients send "False".
func flag(r *http.Request, name string, absent bool) (bool, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return absent, nil
	}
	v, err := strconv.ParseBool(strings.ToLower(text))
	if err != nil {
		return false, &badRequest{http.StatusBadRequest, "parameter " + name + " is " + strconv.Quote(text) + ": give true or false"}
	}
	return v, nil
}

// deployed is the answer to most changes.
type deployed struct {
	Version      spec.Timestamp `json:"version"`
	DeploymentID string         `json:"deploymentId"`
}

// do makes a change and answers with its deployment.
func (s *server) do(w http.ResponseWriter, r *http.Request, request core.Request) {
	result, err := s.Scheduler.Do(r.Context(), request)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.deployed(w, r, http.StatusOK, result)
}

func (s *server) deployed(w http.ResponseWriter, r *http.Request, status int, result core.Result) {
	w.Header().Set("Marathon-Deployment-Id", result.DeploymentID)
	s.write(w, r, status, deployed{result.Version, result.DeploymentID})
}
