// Package callevent is the one pair of "calls up, events down" over HTTP that
// the scheduler, executor, operator and agent link APIs share.
//
// It owns the media types and the codec (Mesos' own JSON mapping, and
// protobuf), the reading of calls and the writing of answers with Mesos'
// status codes and texts, the bounded outbox of a subscriber, and the client
// half: subscription, stream id and redirects to the leader. It knows nothing
// of any one API: which calls exist, who may make them and what they mean is
// the business of the packages above.
//
// Functions are safe for concurrent use. The types say who may call them.
package callevent

import (
	"fmt"

	"google.golang.org/protobuf/proto"
)

// A Codec is one of the two encodings that every call and event has.
type Codec int

// The codecs. JSON is what a peer gets that does not ask for either.
const (
	JSON Codec = iota
	Protobuf
)

// Names of media types and headers, spelt as on the wire.
const (
	mediaJSON     = "application/json"
	mediaProtobuf = "application/x-protobuf"
	mediaRecordIO = "application/recordio"

	// StreamIDHeader ties the calls of a scheduler to its subscription.
	StreamIDHeader = "Mesos-Stream-Id"

	headerMessageType   = "Message-Content-Type"
	headerMessageAccept = "Message-Accept"
)

// maxDepth is how many messages, objects or lists may be nested. Mesos' JSON
// reader has the same limit; protobuf gets it too, since both fill the same messages.
const maxDepth = 200

// MediaType is the codec's name in Content-Type and Accept.
func (c Codec) MediaType() string {
	if c == Protobuf {
		return mediaProtobuf
	}
	return mediaJSON
}

// String names the codec for logs.
func (c Codec) String() string { return c.MediaType() }

// Marshal encodes m. In JSON, fields are named and ordered as in the .proto,
// and a value a JSON reader needs to see is printed even when it is a default.
func Marshal(c Codec, m proto.Message) ([]byte, error) {
	if c == Protobuf {
		return proto.Marshal(m)
	}
	return AppendJSON(nil, m)
}

// Unmarshal decodes data into m, whose former content is gone. The JSON reader
// is as lenient as Mesos' and its errors have the same texts.
func Unmarshal(c Codec, data []byte, m proto.Message) error {
	if c == Protobuf {
		return unmarshalProtobuf(data, m)
	}
	doc, err := parseJSON(data)
	if err != nil {
		return err
	}
	return doc.convert(m)
}

func unmarshalProtobuf(data []byte, m proto.Message) error {
	return proto.UnmarshalOptions{RecursionLimit: maxDepth}.Unmarshal(data, m)
}

// UnmarshalList decodes a JSON array whose elements are messages, each into
// one made by add. A single object counts as an array of one.
func UnmarshalList(data []byte, add func() proto.Message) error {
	doc, err := parseJSON(data)
	if err != nil {
		return err
	}
	for i, n := range doc.flatten(0) {
		if doc.nodes[n].kind == kindNull {
			continue
		}
		if err := doc.convertNode(n, add()); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	return nil
}
