package daemon

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
)

// gzipFrom is the size from which Mesos compresses answers.
const gzipFrom = 1024

// WriteJSON answers 200 with body, wrapped in the function that ?jsonp= names.
func WriteJSON(w http.ResponseWriter, r *http.Request, body []byte) {
	query := r.URL.Query()
	if !query.Has("jsonp") {
		WriteBody(w, r, "application/json", body)
		return
	}
	callback := query.Get("jsonp")
	wrapped := make([]byte, 0, len(callback)+len(body)+2)
	wrapped = append(wrapped, callback...)
	wrapped = append(wrapped, '(')
	wrapped = append(wrapped, body...)
	WriteBody(w, r, "text/javascript", append(wrapped, ')'))
}

// WriteBody answers 200 with body, compressed if the client takes gzip.
func WriteBody(w http.ResponseWriter, r *http.Request, contentType string, body []byte) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("X-Content-Type-Options", "nosniff")
	if len(body) >= gzipFrom && acceptsGzip(r.Header.Get("Accept-Encoding")) {
		header.Set("Content-Encoding", "gzip")
		body = compress(body)
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body) // a client that has gone needs no answer
}

// WriteText answers code with a plain text, the form of every error of Mesos.
func WriteText(w http.ResponseWriter, code int, text string) {
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(code)
	w.Write([]byte(text))
}

func compress(body []byte) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	z.Write(body) // a bytes.Buffer takes everything
	z.Close()
	return b.Bytes()
}

// acceptsGzip reads an Accept-Encoding header: the entry for gzip counts, else
// the one for everything.
func acceptsGzip(header string) bool {
	any := false
	for entry := range strings.SplitSeq(header, ",") {
		coding, parameters, _ := strings.Cut(entry, ";")
		acceptable := !zeroQuality(parameters)
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			return acceptable
		case "*":
			any = acceptable
		}
	}
	return any
}

func zeroQuality(parameters string) bool {
	value, ok := strings.CutPrefix(strings.TrimSpace(parameters), "q=")
	if !ok {
		return false
	}
	q, err := strconv.ParseFloat(value, 64)
	return err == nil && q == 0
}
