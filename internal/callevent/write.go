package callevent

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"

	"google.golang.org/protobuf/proto"
)

// minCompressed is the size in bytes from which a body is worth compressing.
const minCompressed = 1024

// WriteMessage answers r with 200 and m, compressed when r allows it and it is
// worth it. A message that cannot be encoded is answered with 500.
func WriteMessage(w http.ResponseWriter, r *http.Request, c Codec, m proto.Message) {
	body, err := Marshal(c, m)
	if err != nil {
		WriteError(w, Errorf(http.StatusInternalServerError, "Failed to encode the answer: %v", err))
		return
	}
	WriteBody(w, r, c.MediaType(), body)
}

// WriteBody answers r with 200 and body, compressed like WriteMessage's.
// Nobody reading is no error: the connection is gone then.
func WriteBody(w http.ResponseWriter, r *http.Request, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	if len(body) >= minCompressed {
		h.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			h.Set("Content-Encoding", "gzip")
			body = compress(body)
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// WriteEmpty answers with a status alone: no body, and no type of one.
func WriteEmpty(w http.ResponseWriter, code int) {
	h := w.Header()
	h["Content-Type"] = nil
	h.Set("Content-Length", "0")
	w.WriteHeader(code)
}

func acceptsGzip(r *http.Request) bool {
	return accepts(r.Header["Accept-Encoding"], "gzip")
}

// compress favours speed: the large answers are polled, and JSON shrinks well anyhow.
func compress(body []byte) []byte {
	var buf bytes.Buffer
	z, _ := gzip.NewWriterLevel(&buf, gzip.BestSpeed)
	_, _ = z.Write(body)
	_ = z.Close()
	return buf.Bytes()
}
