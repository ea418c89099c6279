// Package archive is the form in which a cluster's state leaves its stores: one
// text file for all of them. It owns that form, and that a file which is torn,
// altered or of a newer form is refused as a whole. It does not own the stores,
// nor what their entries mean.
//
// The first line is a header: what the file is, its format, the cluster, the
// number of entries per store, and the SHA-256 of all that follows. Each further
// line is one entry, in the order of store and name. A value is "text" where it
// is valid UTF-8, so that people can read and compare, else "base64":
//
//	{"souk":"cluster state","format":1,"cluster":"a","entries":{"marathon":1},"sha256":"…"}
//	{"store":"marathon","name":"marathon/framework","text":"{…}"}
package archive

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/soukproject/souk/internal/state"
)

// Format is the version of the form that this build reads and writes.
const Format = 1

// Limits of a file; an entry has those of a store.
const (
	MaxBytes  = 1 << 30  // of all entries
	MaxStores = 16       // in one file
	maxHeader = 64 << 10 // bytes
	maxLine   = 8 << 20  // bytes: the largest value, all of it escaped
)

// kind is what the header says the file is.
const kind = "cluster state"

// An Archive is the state of one cluster. Versions of entries are not part of it.
type Archive struct {
	Cluster string
	Stores  map[string][]state.Entry // by store, sorted by name
}

type header struct {
	Souk    string         `json:"souk"`
	Format  int            `json:"format"`
	Cluster string         `json:"cluster"`
	Entries map[string]int `json:"entries"`
	SHA256  string         `json:"sha256"`
}

type line struct {
	Store  string  `json:"store"`
	Name   string  `json:"name"`
	Text   *string `json:"text,omitempty"`
	Base64 []byte  `json:"base64,omitempty"`
}

// Write writes a file that Read accepts, or fails.
func Write(w io.Writer, a Archive) error {
	if err := check(a); err != nil {
		return err
	}
	var body bytes.Buffer
	out := json.NewEncoder(&body)
	out.SetEscapeHTML(false)
	h := header{Souk: kind, Format: Format, Cluster: a.Cluster, Entries: map[string]int{}}
	for _, name := range slices.Sorted(maps.Keys(a.Stores)) {
		h.Entries[name] = len(a.Stores[name])
		for _, e := range a.Stores[name] {
			if err := out.Encode(asLine(name, e)); err != nil {
				return fmt.Errorf("entry %s of %s: %w", e.Name, name, err)
			}
			if body.Len() > MaxBytes {
				return fmt.Errorf("the state is larger than %d bytes, the most that a file may hold", MaxBytes)
			}
		}
	}
	sum := sha256.Sum256(body.Bytes())
	h.SHA256 = hex.EncodeToString(sum[:])
	if err := json.NewEncoder(w).Encode(h); err != nil {
		return err
	}
	_, err := body.WriteTo(w)
	return err
}

func asLine(store string, e state.Entry) line {
	l := line{Store: store, Name: e.Name}
	if utf8.Valid(e.Value) {
		text := string(e.Value)
		l.Text = &text
	} else {
		l.Base64 = e.Value
	}
	return l
}

// Read reads a file whole and checks all of it. The error is one line.
func Read(r io.Reader) (Archive, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	h, err := readHeader(in)
	if err != nil {
		return Archive{}, err
	}
	sum := sha256.New()
	a, err := readEntries(io.TeeReader(in, sum))
	switch {
	case err != nil:
		return Archive{}, err
	case hex.EncodeToString(sum.Sum(nil)) != h.SHA256:
		return Archive{}, torn(a, h)
	}
	a.Cluster = h.Cluster
	for name, n := range h.Entries {
		if _, there := a.Stores[name]; !there {
			a.Stores[name] = nil
		}
		if got := len(a.Stores[name]); got != n {
			return Archive{}, fmt.Errorf("the header counts %d entries of %s, the file has %d", n, name, got)
		}
	}
	if len(a.Stores) != len(h.Entries) {
		return Archive{}, errors.New("the file has entries of a store that its header does not count")
	}
	return a, check(a)
}

// torn says how a file differs from what was written, as far as counts tell.
func torn(a Archive, h header) error {
	want, got := 0, 0
	for _, n := range h.Entries {
		want += n
	}
	for _, entries := range a.Stores {
		got += len(entries)
	}
	if got < want {
		return fmt.Errorf("the file is torn: it has %d of %d entries: copy it again", got, want)
	}
	return errors.New("the file was altered since it was written: its checksum does not fit")
}

func readHeader(in *bufio.Reader) (header, error) {
	text, err := readLine(in, maxHeader)
	if err != nil {
		return header{}, fmt.Errorf("header: %w", err)
	}
	var h header
	if err := json.Unmarshal(text, &h); err != nil || h.Souk != kind || h.Format < 1 {
		return header{}, errors.New("this is not a file that 'souk state export' wrote")
	}
	switch {
	case h.Format > Format:
		return header{}, fmt.Errorf("the file has format %d, this build reads up to %d: use the newer build that wrote it", h.Format, Format)
	case len(h.Entries) > MaxStores:
		return header{}, fmt.Errorf("the header counts %d stores, at most %d", len(h.Entries), MaxStores)
	}
	return h, nil
}

var errTooLong = errors.New("the line is too long")

// readLine returns a line without its end, io.EOF if there is none.
func readLine(in *bufio.Reader, limit int) ([]byte, error) {
	var text []byte
	for {
		part, err := in.ReadSlice('\n')
		if text = append(text, part...); len(text) > limit {
			return nil, errTooLong
		}
		switch {
		case err == nil:
			return text[:len(text)-1], nil
		case errors.Is(err, io.EOF) && len(text) > 0:
			return nil, errors.New("the file is torn: its last line has no end: copy it again")
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

func readEntries(r io.Reader) (Archive, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	a := Archive{Stores: map[string][]state.Entry{}}
	bytes := 0
	for number := 2; ; number++ {
		text, err := readLine(in, maxLine)
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return Archive{}, fmt.Errorf("line %d: %w", number, err)
		}
		if bytes += len(text) + 1; bytes > MaxBytes {
			return Archive{}, fmt.Errorf("the file is larger than %d bytes", MaxBytes)
		}
		if err := a.read(text); err != nil {
			return Archive{}, fmt.Errorf("line %d: %w", number, err)
		}
	}
}

// read adds the entry of one line.
func (a *Archive) read(text []byte) error {
	var l line
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(&l); err != nil {
		return fmt.Errorf("it is no entry: %w", err)
	}
	value := l.Base64
	switch {
	case in.More():
		return errors.New("it holds more than one entry")
	case l.Text != nil && l.Base64 != nil:
		return errors.New("the entry has two values")
	case l.Text != nil:
		value = []byte(*l.Text)
	case l.Base64 == nil:
		return errors.New("the entry has no value")
	}
	if _, known := a.Stores[l.Store]; !known && len(a.Stores) == MaxStores {
		return fmt.Errorf("more than %d stores", MaxStores)
	}
	a.Stores[l.Store] = append(a.Stores[l.Store], state.Entry{Name: l.Name, Value: value})
	return nil
}

// check refuses what no store could hold, or holds.
func check(a Archive) error {
	if len(a.Stores) > MaxStores {
		return fmt.Errorf("%d stores, at most %d", len(a.Stores), MaxStores)
	}
	for _, name := range slices.Sorted(maps.Keys(a.Stores)) {
		if name == "" {
			return errors.New("a store has no name")
		}
		if err := checkEntries(a.Stores[name]); err != nil {
			return fmt.Errorf("store %s: %w", name, err)
		}
	}
	return nil
}

func checkEntries(entries []state.Entry) error {
	for i, e := range entries {
		if err := state.Check([]state.Op{{Entry: state.Entry{Name: e.Name, Value: e.Value}}}); err != nil {
			return err
		}
		if i > 0 && cmp.Compare(entries[i-1].Name, e.Name) >= 0 {
			return fmt.Errorf("entry %q is twice there, or not in order", e.Name)
		}
	}
	return nil
}
