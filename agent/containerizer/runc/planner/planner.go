// Package planner is the conversation between the agent and the one helper that
// makes plans for its containers: a request is a directory, the answer is a plan,
// or that there is none, or why the container cannot be. It owns the frames and
// nothing else.
package planner

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Kind is what an Answer holds.
type Kind uint32

// The kinds of answers.
const (
	Planned Kind = 1 // Data is a plan
	None    Kind = 2 // the container is launched in another way
	Failed  Kind = 3 // Data is why it cannot be launched
)

// An Answer to one request.
type Answer struct {
	Kind Kind
	Data []byte
}

// most bounds a frame, in bytes; command and environment may have one MiB.
const most = 8 << 20

// WriteRequest asks for a plan for the container recorded in dir.
func WriteRequest(w io.Writer, dir string) error { return write(w, 0, []byte(dir)) }

// ReadRequest returns the next directory; io.EOF after the last.
func ReadRequest(r io.Reader) (string, error) {
	a, err := read(r)
	return string(a.Data), err
}

// WriteAnswer answers the request read last.
func WriteAnswer(w io.Writer, a Answer) error { return write(w, a.Kind, a.Data) }

// ReadAnswer returns the answer to the request written last.
func ReadAnswer(r io.Reader) (Answer, error) { return read(r) }

func write(w io.Writer, kind Kind, data []byte) error {
	b := binary.NativeEndian.AppendUint32(nil, uint32(kind))
	b = binary.NativeEndian.AppendUint32(b, uint32(len(data)))
	_, err := w.Write(append(b, data...))
	return err
}

func read(r io.Reader) (a Answer, err error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return a, err
	}
	a.Kind = Kind(binary.NativeEndian.Uint32(head[:4]))
	n := binary.NativeEndian.Uint32(head[4:])
	if n > most {
		return a, fmt.Errorf("a frame of %d bytes", n)
	}
	a.Data = make([]byte, n)
	_, err = io.ReadFull(r, a.Data)
	return a, err
}
