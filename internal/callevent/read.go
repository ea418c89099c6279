package callevent

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"
)

// Limits of a call that ReadOptions leaves at zero.
const (
	DefaultMaxBytes    = 8 << 20          // after decompression
	DefaultReadTimeout = 30 * time.Second // for the whole body
)

// ReadOptions says how ReadCall reads. The zero value suits the master's APIs
// and the executor API.
type ReadOptions struct {
	MaxBytes int64         // of the body, decompressed; 0: DefaultMaxBytes
	Timeout  time.Duration // for a client to send the body; 0: DefaultReadTimeout
	// Agent chooses the words of the agent's operator API, which also knows
	// requests in RecordIO. Those are for StreamingRequest to tell and
	// ReadStream to read.
	Agent bool
}

// ReadCall decodes the call in r's body into call. It refuses, with the codes
// and texts of Mesos and in its order: any method but POST, a Content-Type
// other than exactly JSON's or protobuf's, a body that is too large, too slow
// or no such call. The error is an *Error for WriteError. The codec of the
// request says nothing about the answer's; that is Negotiate's business.
func ReadCall(w http.ResponseWriter, r *http.Request, call proto.Message, o ReadOptions) error {
	if err := CheckMethod(w, r, http.MethodPost); err != nil {
		return err
	}
	c, err := contentCodec(r, o)
	if err != nil {
		return err
	}
	body, err := ReadBody(w, r, o)
	if err != nil {
		return err
	}
	return o.decode(c, body, call)
}

// contentCodec tells the codec of a request that is one message.
func contentCodec(r *http.Request, o ReadOptions) (Codec, error) {
	values, ok := r.Header["Content-Type"]
	if !ok || len(values) == 0 {
		return 0, Errorf(http.StatusBadRequest, "Expecting 'Content-Type' to be present")
	}
	if o.Agent && r.Header.Get(headerMessageType) != "" && values[0] != mediaRecordIO {
		return 0, Errorf(http.StatusUnsupportedMediaType,
			"Expecting 'Message-Content-Type' to be not set for non-streaming requests")
	}
	switch values[0] {
	case mediaJSON:
		return JSON, nil
	case mediaProtobuf:
		return Protobuf, nil
	}
	more := ""
	if o.Agent {
		more = " or " + mediaRecordIO
	}
	return 0, Errorf(http.StatusUnsupportedMediaType,
		"Expecting 'Content-Type' of %s or %s%s", mediaJSON, mediaProtobuf, more)
}

// decode turns body into call, or says what is wrong with it.
func (o ReadOptions) decode(c Codec, body []byte, call proto.Message) error {
	if c == Protobuf {
		err := unmarshalProtobuf(body, call)
		switch {
		case err == nil:
			return nil
		case o.Agent:
			return Errorf(http.StatusBadRequest, "Failed to parse body into a protobuf object")
		}
		return Errorf(http.StatusBadRequest, "Failed to parse body into Call protobuf")
	}
	doc, err := parseJSON(body)
	if err != nil {
		return Errorf(http.StatusBadRequest, "Failed to parse body into JSON: %v", err)
	}
	if err := doc.convert(call); err != nil {
		if o.Agent {
			return Errorf(http.StatusBadRequest, "%v", err)
		}
		return Errorf(http.StatusBadRequest, "Failed to convert JSON into Call protobuf: %v", err)
	}
	return nil
}

// ReadBody reads and decompresses r's whole body within o's limits. The error
// is an *Error for WriteError.
func ReadBody(w http.ResponseWriter, r *http.Request, o ReadOptions) ([]byte, error) {
	limit := o.MaxBytes
	if limit == 0 {
		limit = DefaultMaxBytes
	}
	timeout := o.Timeout
	if timeout == 0 {
		timeout = DefaultReadTimeout
	}
	// A writer without deadlines, as in tests, has its own ways to end.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(timeout))
	defer func() { _ = control.SetReadDeadline(time.Time{}) }()

	src := http.MaxBytesReader(w, r.Body, limit)
	defer src.Close()
	body, err := decompress(src, r.Header.Get("Content-Encoding"), limit)
	if err != nil {
		return nil, bodyError(err, limit, timeout)
	}
	return body, nil
}

// errTooLarge reports a body that grew past the limit while being decompressed.
var errTooLarge = errors.New("decompressed body is too large")

// errEncoding reports a Content-Encoding nobody knows.
var errEncoding = errors.New("unknown Content-Encoding")

func decompress(src io.Reader, encoding string, limit int64) ([]byte, error) {
	var buf bytes.Buffer
	switch encoding {
	case "", "identity":
		_, err := buf.ReadFrom(src)
		return buf.Bytes(), err
	case "gzip":
		z, err := gzip.NewReader(src)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		n, err := buf.ReadFrom(io.LimitReader(z, limit+1))
		if err == nil && n > limit {
			err = errTooLarge
		}
		return buf.Bytes(), err
	}
	return nil, fmt.Errorf("%w '%s'", errEncoding, encoding)
}

// bodyError is the answer to a body that could not be read.
func bodyError(err error, limit int64, timeout time.Duration) error {
	var large *http.MaxBytesError
	var late interface{ Timeout() bool }
	switch {
	case errors.As(err, &large) || errors.Is(err, errTooLarge):
		return Errorf(http.StatusRequestEntityTooLarge,
			"Request body exceeds the limit of %d bytes; send less in one call", limit)
	case errors.Is(err, errEncoding):
		return Errorf(http.StatusUnsupportedMediaType, "Expecting 'Content-Encoding' of gzip or none: %v", err)
	case errors.As(err, &late) && late.Timeout():
		return Errorf(http.StatusRequestTimeout, "Request body did not arrive within %v", timeout)
	}
	return Errorf(http.StatusBadRequest, "Failed to read request body: %v", err)
}
