package callevent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/recordio"
)

// A Stream reads one event after another from a subscription. Next belongs to
// one goroutine; Close may be called from another to end it.
type Stream[E proto.Message] struct {
	id      string
	body    io.ReadCloser
	records *recordio.Reader
	cancel  context.CancelFunc
	codec   Codec
	fresh   func() E
}

func newStream[E proto.Message](body io.ReadCloser, cancel context.CancelFunc, id string, cfg ClientConfig[E]) *Stream[E] {
	return &Stream[E]{
		id: id, body: body, cancel: cancel, codec: cfg.Codec, fresh: cfg.New,
		records: recordio.NewReader(body, cfg.MaxRecord),
	}
}

// ID is the Mesos-Stream-Id of the subscription, "" if the API has none.
func (s *Stream[E]) ID() string { return s.id }

// Next blocks for the next event. io.EOF means that the peer ended the stream
// between two records; anything else means that it broke.
func (s *Stream[E]) Next() (E, error) {
	var none E
	record, err := s.records.Next()
	if err == io.EOF {
		return none, err
	}
	if err != nil {
		return none, fmt.Errorf("read event: %w", err)
	}
	e := s.fresh()
	if err := Unmarshal(s.codec, record, e); err != nil {
		return none, fmt.Errorf("decode event: %w", err)
	}
	return e, nil
}

// Close ends the subscription. A Next under way fails.
func (s *Stream[E]) Close() {
	s.cancel()
	_ = s.body.Close()
}

// StreamingRequest tells a request whose body is a stream of calls in RecordIO.
func StreamingRequest(r *http.Request) bool {
	return r.Header.Get("Content-Type") == mediaRecordIO
}

// A CallStream reads the calls of a streaming request, one after another.
type CallStream struct {
	codec   Codec
	records *recordio.Reader
}

// ReadStream prepares to read r's body as calls of at most maxRecord bytes
// each (0: DefaultMaxBytes). The codec is in Message-Content-Type. Errors are
// *Error with the texts of the agent's operator API.
func ReadStream(r *http.Request, maxRecord int) (*CallStream, error) {
	if maxRecord == 0 {
		maxRecord = DefaultMaxBytes
	}
	s := &CallStream{records: recordio.NewReader(r.Body, maxRecord)}
	switch r.Header.Get(headerMessageType) {
	case mediaJSON:
	case mediaProtobuf:
		s.codec = Protobuf
	case "":
		return nil, Errorf(http.StatusBadRequest, "Expecting 'Message-Content-Type' to be set for streaming requests")
	default:
		return nil, Errorf(http.StatusUnsupportedMediaType,
			"Expecting 'Message-Content-Type' of %s or %s", mediaJSON, mediaProtobuf)
	}
	return s, nil
}

// Next decodes the next call into call. io.EOF is the end of the stream
// between two calls; every other error is an *Error for WriteError.
func (s *CallStream) Next(call proto.Message) error {
	record, err := s.records.Next()
	if err == nil {
		return ReadOptions{Agent: true}.decode(s.codec, record, call)
	}
	var length *recordio.LengthError
	var large *recordio.TooLargeError
	switch {
	case err == io.EOF:
		return err
	case errors.As(err, &length):
		return Errorf(http.StatusInternalServerError, "Decoder failure: %v", err)
	case errors.As(err, &large):
		return Errorf(http.StatusRequestEntityTooLarge, "%v; send the data in smaller pieces", err)
	}
	return Errorf(http.StatusBadRequest, "Received EOF while reading request body")
}
