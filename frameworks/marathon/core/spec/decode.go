package spec

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"slices"
	"strings"
)

// An Object is a JSON object as it was sent. Members that are null count as
// absent. It is what updates are made of: present and absent differ.
type Object map[string]any

// maxDepth bounds how deep a body may nest.
const maxDepth = 64

// Decode reads a JSON object. Text that is no JSON is *Malformed, another JSON
// value is *Problems.
func Decode(body []byte) (Object, error) {
	v, err := decode(body)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, &Problems{InvalidJSON, []Violation{{"/", []string{"error.expected.jsobject"}}}}
	}
	return Object(m), nil
}

// DecodeList reads a JSON array of objects.
func DecodeList(body []byte) ([]Object, error) {
	v, err := decode(body)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, &Problems{InvalidJSON, []Violation{{"/", []string{"error.expected.jsarray"}}}}
	}
	objects := make([]Object, len(list))
	for i, v := range list {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, &Problems{InvalidJSON, []Violation{{element("", i), []string{"error.expected.jsobject"}}}}
		}
		objects[i] = Object(m)
	}
	return objects, nil
}

func decode(body []byte) (any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, &Malformed{emptyBody, "the request has no body"}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, &Malformed{InvalidJSON, err.Error()}
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, &Malformed{InvalidJSON, "there is something after the end of the JSON value"}
	}
	if deeper(v, maxDepth) {
		return nil, &Malformed{InvalidJSON, "objects and arrays are nested too deeply"}
	}
	return v, nil
}

func deeper(v any, depth int) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			if depth == 0 || deeper(e, depth-1) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return depth == 0 || deeper(e, depth-1) })
	}
	return false
}

// reader reads typed members of one object and reports those of another type
// by Marathon's codes.
type reader struct {
	rep  *report
	path string
	obj  Object
}

func (r reader) at(name string) string { return member(r.path, name) }

func (r reader) has(name string) bool { return r.obj[name] != nil }

func (r reader) wrong(name, code string) { r.rep.add(r.at(name), "%s", code) }

// str is "" when the member is absent.
func (r reader) str(name string) string {
	switch v := r.obj[name].(type) {
	case nil:
	case string:
		return v
	default:
		r.wrong(name, "error.expected.jsstring")
	}
	return ""
}

// required is str of a member that must be there.
func (r reader) required(name string) string {
	if !r.has(name) {
		r.wrong(name, "error.path.missing")
	}
	return r.str(name)
}

func (r reader) boolean(name string, absent bool) bool {
	switch v := r.obj[name].(type) {
	case nil:
	case bool:
		return v
	default:
		r.wrong(name, "error.expected.jsboolean")
	}
	return absent
}

func (r reader) number(name string, absent float64) float64 {
	switch v := r.obj[name].(type) {
	case nil:
	case json.Number:
		if f, err := v.Float64(); err == nil {
			return f
		}
		r.wrong(name, "error.expected.jsnumber")
	default:
		r.wrong(name, "error.expected.jsnumber")
	}
	return absent
}

// integer accepts 1 and 1.0, within 32 bits.
func (r reader) integer(name string, absent int) int {
	if _, ok := r.obj[name].(json.Number); !ok && r.has(name) {
		r.wrong(name, "error.expected.jsnumber")
		return absent
	}
	f := r.number(name, float64(absent))
	if f != math.Trunc(f) || math.Abs(f) > math.MaxInt32 {
		r.wrong(name, "error.expected.int")
		return absent
	}
	return int(f)
}

// enum reads one of the literals of a named type.
func (r reader) enum(name, typeName, absent string, literals ...string) string {
	v := r.str(name)
	switch {
	case v == "":
		return absent
	case !slices.Contains(literals, v):
		r.rep.add(r.at(name), "error.unknown.enum.literal: %s (%s)", typeName, strings.Join(literals, ", "))
		return absent
	}
	return v
}

// object is nil when the member is absent or of another type.
func (r reader) object(name string) *reader {
	switch v := r.obj[name].(type) {
	case nil:
	case map[string]any:
		return &reader{r.rep, r.at(name), v}
	default:
		r.wrong(name, "error.expected.jsobject")
	}
	return nil
}

// array is nil when the member is absent; an empty array is not nil.
func (r reader) array(name string) []any {
	switch v := r.obj[name].(type) {
	case nil:
	case []any:
		return v
	default:
		r.wrong(name, "error.expected.jsarray")
	}
	return nil
}

// objects calls read for each element of an array of objects.
func (r reader) objects(name string, read func(reader)) {
	for i, v := range r.array(name) {
		path := element(r.at(name), i)
		m, ok := v.(map[string]any)
		if !ok {
			r.rep.add(path, "error.expected.jsobject")
			continue
		}
		read(reader{r.rep, path, m})
	}
}

// strings is nil when the member is absent; an empty array is not nil.
func (r reader) strings(name string) []string {
	list := r.array(name)
	if list == nil {
		return nil
	}
	return r.texts(r.at(name), list)
}

func (r reader) texts(path string, list []any) []string {
	out := make([]string, 0, len(list))
	for i, v := range list {
		s, ok := v.(string)
		if !ok {
			r.rep.add(element(path, i), "error.expected.jsstring")
			continue
		}
		out = append(out, s)
	}
	return out
}

// stringMap is never nil.
func (r reader) stringMap(name string) map[string]string {
	out := map[string]string{}
	o := r.object(name)
	if o == nil {
		return out
	}
	for _, k := range o.keys() {
		out[k] = o.str(k)
	}
	return out
}

// keys are sorted, so that reports are the same each time.
func (r reader) keys() []string {
	keys := make([]string, 0, len(r.obj))
	for k := range r.obj {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
