package recordio

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestNextReadsRecordsAcrossAnyChunks(t *testing.T) {
	records := []string{`{"type":"HEARTBEAT"}`, "", "ä\nb", strings.Repeat("x", 3*firstRead)}
	var stream []byte
	for _, rec := range records {
		stream = Append(stream, []byte(rec))
	}
	readers := map[string]func(io.Reader) io.Reader{
		"whole":     func(r io.Reader) io.Reader { return r },
		"bytewise":  iotest.OneByteReader,
		"with data": iotest.DataErrReader,
	}
	for name, wrap := range readers {
		t.Run(name, func(t *testing.T) {
			r := NewReader(wrap(bytes.NewReader(stream)), 1<<20)
			for i, want := range records {
				got, err := r.Next()
				if err != nil || string(got) != want {
					t.Fatalf("Next() #%d = %.40q, %v, want %.40q", i, got, err, want)
				}
			}
			if _, err := r.Next(); err != io.EOF {
				t.Errorf("Next() at the end = %v, want io.EOF", err)
			}
		})
	}
}

func TestAppendUsesTheFormOfMesos(t *testing.T) {
	got := string(Append(nil, []byte(`{"type":"HEARTBEAT"}`)))
	if want := "20\n" + `{"type":"HEARTBEAT"}`; got != want {
		t.Errorf("Append() = %q, want %q", got, want)
	}
}

func TestBrokenStreams(t *testing.T) {
	ones := strings.Repeat("1", maxHeader)
	tests := []struct {
		name, in, want string
	}{
		{"not a number", "abc\n{}", "Failed to decode length 'abc': Failed to convert 'abc' to number"},
		{"no digits", "\n{}", "Failed to decode length '': Failed to convert '' to number"},
		{"negative", "-1\n{}", "Failed to decode length '-1': Failed to convert '-1' to number"},
		{"carriage return", "2\r\n{}", "Failed to decode length '2\r': Failed to convert '2\r' to number"},
		{"more than 64 bits", "99999999999999999999\n", "Failed to decode length '99999999999999999999': Failed to convert '99999999999999999999' to number"},
		{"endless header", strings.Repeat("1", 1000), "Failed to decode length '" + ones + "': Failed to convert '" + ones + "' to number"},
		{"above the limit", "101\n", "record of 101 bytes exceeds the limit of 100 bytes"},
		{"far above the limit", "18446744073709551615\n", "record of 18446744073709551615 bytes exceeds the limit of 100 bytes"},
		{"ends in the header", "1", io.ErrUnexpectedEOF.Error()},
		{"ends after the header", "5\n", io.ErrUnexpectedEOF.Error()},
		{"ends in the record", "5\nabc", io.ErrUnexpectedEOF.Error()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewReader(strings.NewReader(tt.in), 100).Next()
			if err == nil || err.Error() != tt.want {
				t.Errorf("Next() of %.30q = %v, want %s", tt.in, err, tt.want)
			}
		})
	}
}

func TestAnnouncedLengthAloneAllocatesLittle(t *testing.T) {
	r := NewReader(strings.NewReader("1000000000\nabc"), 1<<30)
	if _, err := r.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("Next() = %v, want %v", err, io.ErrUnexpectedEOF)
	}
	if got := cap(r.record); got > 2*firstRead {
		t.Errorf("buffer after a false promise = %d bytes, want at most %d", got, 2*firstRead)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("20\n{\"type\":\"HEARTBEAT\"}"))
	f.Add([]byte("0\n0\n1\na"))
	f.Add([]byte("abc\n"))
	f.Add([]byte("99999999999999999999999\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := NewReader(bytes.NewReader(in), 1<<10)
		var again []byte
		for {
			rec, err := r.Next()
			if err != nil {
				break
			}
			if len(rec) > 1<<10 {
				t.Fatalf("record of %d bytes passed the limit", len(rec))
			}
			again = Append(again, rec)
		}
		// What was accepted is written back the same, but for leading zeros.
		if len(again) > len(in) {
			t.Fatalf("records take %d bytes, the input has %d", len(again), len(in))
		}
	})
}
