// Package recordio frames the records of a stream the way Mesos does: the
// length in ASCII decimal, one newline, then exactly that many bytes and
// nothing after them.
//
// It owns the framing and its limits. It does not know what a record means.
// A Reader belongs to one goroutine at a time.
package recordio

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// maxHeader bounds a header in bytes. No length needs that many, but what is
// no length should be shown to its sender at some length.
const maxHeader = 64

// firstRead bounds what is allocated on the word of a header alone. A longer
// record grows its buffer only as its bytes arrive.
const firstRead = 64 << 10

// LengthError reports a header that is not a length. Its text is the one that
// Mesos' decoder gives.
type LengthError struct{ Header string }

func (e *LengthError) Error() string {
	return fmt.Sprintf("Failed to decode length '%s': Failed to convert '%s' to number", e.Header, e.Header)
}

// TooLargeError reports a record whose announced length is above the reader's limit.
type TooLargeError struct {
	Length uint64 // bytes announced
	Limit  int    // bytes allowed
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("record of %d bytes exceeds the limit of %d bytes", e.Length, e.Limit)
}

// Append adds record to b as one frame and returns the extended slice.
func Append(b, record []byte) []byte {
	b = AppendHeader(b, len(record))
	return append(b, record...)
}

// AppendHeader adds the header of a record of n bytes to b; the n bytes must follow.
func AppendHeader(b []byte, n int) []byte {
	b = strconv.AppendInt(b, int64(n), 10)
	return append(b, '\n')
}

// Reader takes a stream of bytes apart into records.
type Reader struct {
	src    *bufio.Reader
	limit  int
	record []byte
}

// NewReader reads records of at most limit bytes from r.
func NewReader(r io.Reader, limit int) *Reader {
	return &Reader{src: bufio.NewReader(r), limit: limit}
}

// Next returns the next record, which is valid until the following call.
// io.EOF means that the stream ended between two records, io.ErrUnexpectedEOF
// that it broke inside one. Broken framing is a *LengthError or a
// *TooLargeError; reading cannot go on after either.
func (r *Reader) Next() ([]byte, error) {
	n, err := r.length()
	if err != nil {
		return nil, err
	}
	r.record = r.record[:0]
	for len(r.record) < n {
		part := min(n-len(r.record), max(firstRead, len(r.record)))
		r.record = slices.Grow(r.record, part)
		got, err := io.ReadFull(r.src, r.record[len(r.record):len(r.record)+part])
		r.record = r.record[:len(r.record)+got]
		if err != nil {
			return nil, inside(err)
		}
	}
	return r.record, nil
}

// length reads one header.
func (r *Reader) length() (int, error) {
	var header [maxHeader + 1]byte
	used := 0
	for {
		c, err := r.src.ReadByte()
		if err != nil {
			if used > 0 {
				err = inside(err)
			}
			return 0, err
		}
		if c == '\n' {
			return r.parse(string(header[:used]))
		}
		if used == maxHeader {
			return 0, &LengthError{Header: string(header[:used])}
		}
		header[used] = c
		used++
	}
}

func (r *Reader) parse(header string) (int, error) {
	n, err := strconv.ParseUint(header, 10, 64)
	if err != nil {
		return 0, &LengthError{Header: header}
	}
	if n > uint64(r.limit) {
		return 0, &TooLargeError{Length: n, Limit: r.limit}
	}
	return int(n), nil
}

// inside turns the end of the stream within a frame into the error it is.
func inside(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
