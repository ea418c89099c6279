package planner

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFramesComeBack(t *testing.T) {
	var b bytes.Buffer
	if err := errors.Join(WriteRequest(&b, "/run/c1"), WriteRequest(&b, "")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"/run/c1", ""} {
		if got, err := ReadRequest(&b); got != want || err != nil {
			t.Errorf("ReadRequest() = %q, %v, want %q", got, err, want)
		}
	}
	if _, err := ReadRequest(&b); err != io.EOF {
		t.Errorf("ReadRequest() after the last = %v, want EOF", err)
	}
	want := Answer{Kind: Planned, Data: []byte{1, 0, 2}}
	if err := WriteAnswer(&b, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadAnswer(&b)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("ReadAnswer() = %v (-want +got):\n%s", err, diff)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 1, 0, 0, 0, 7})
	f.Add([]byte{1, 0, 0, 0, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, err := ReadAnswer(bytes.NewReader(data)); err == nil && len(a.Data) > len(data) {
			t.Errorf("ReadAnswer() made up %d bytes of %d", len(a.Data), len(data))
		}
	})
}
