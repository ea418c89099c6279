package checkpoint

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"google.golang.org/protobuf/proto"

	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
)

// frameHead is the length and the checksum before a batch.
const frameHead = 8

// maxBatch bounds a batch in bytes; more is no batch but damage.
const maxBatch = 1 << 30

func checksum(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }

// encode appends a frame of records to buf.
func encode(buf []byte, records []*checkpointpb.Record) ([]byte, error) {
	start := len(buf)
	buf = append(buf, make([]byte, frameHead)...)
	buf, err := proto.MarshalOptions{}.MarshalAppend(buf, &checkpointpb.Batch{Records: records})
	if err != nil {
		return nil, fmt.Errorf("encode records: %w", err)
	}
	body := buf[start+frameHead:]
	if len(body) > maxBatch {
		return nil, fmt.Errorf("records of %d bytes exceed the limit of %d", len(body), maxBatch)
	}
	binary.LittleEndian.PutUint32(buf[start:], uint32(len(body)))
	binary.LittleEndian.PutUint32(buf[start+4:], checksum(body))
	return buf, nil
}

// decode reads the frame that data begins with and returns its length; 0 says
// that there is no whole one. An empty one is none: zeros would look like it.
func decode(data []byte) (batch *checkpointpb.Batch, n int) {
	if len(data) < frameHead {
		return nil, 0
	}
	length := binary.LittleEndian.Uint32(data)
	if length == 0 || length > maxBatch || uint64(length) > uint64(len(data)-frameHead) {
		return nil, 0
	}
	body := data[frameHead : frameHead+int(length)]
	if checksum(body) != binary.LittleEndian.Uint32(data[4:]) {
		return nil, 0
	}
	batch = new(checkpointpb.Batch)
	if proto.Unmarshal(body, batch) != nil {
		return nil, 0
	}
	return batch, frameHead + int(length)
}
