package core

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
)

// fields reads the members of a JSON object the way Chronos' tree reader does:
// scalars turn into one another, null is absent. The first member that cannot
// be read at all is the error.
type fields struct {
	members map[string]json.RawMessage
	err     error
}

// readFields opens a JSON object and drops its nulls.
func readFields(body []byte) (*fields, error) {
	f := &fields{}
	if err := json.Unmarshal(body, &f.members); err != nil {
		return nil, invalid("body", "not a JSON object: %v", err)
	}
	if f.members == nil {
		return nil, invalid("body", "not a JSON object")
	}
	for name, raw := range f.members {
		if string(bytes.TrimSpace(raw)) == "null" {
			delete(f.members, name)
		}
	}
	return f, nil
}

// fail keeps the first error.
func (f *fields) fail(field, reason string) {
	if f.err == nil {
		f.err = invalid(field, "%s", reason)
	}
}

// scalar is the text of a string, a number or a boolean; false when absent.
func (f *fields) scalar(name string) (string, bool) {
	raw, ok := f.members[name]
	if !ok {
		return "", false
	}
	text, ok := scalarText(raw)
	if !ok {
		f.fail(name, "must be a string, a number or a boolean")
	}
	return text, ok
}

func scalarText(raw json.RawMessage) (string, bool) {
	raw = bytes.TrimSpace(raw)
	switch raw[0] {
	case '{', '[':
		return "", false
	case '"':
		var text string
		err := json.Unmarshal(raw, &text)
		return text, err == nil
	case 'n':
		return "", true
	}
	return string(raw), true
}

func (f *fields) text(name, absent string) string {
	if text, ok := f.scalar(name); ok {
		return text
	}
	return absent
}

func (f *fields) flag(name string, absent bool) bool {
	text, ok := f.scalar(name)
	if !ok {
		return absent
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		return n != 0
	}
	return strings.EqualFold(text, "true")
}

// number reads a number; text that is none is 0.
func (f *fields) number(name string, absent float64) float64 {
	text, ok := f.scalar(name)
	if !ok {
		return absent
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0
	}
	return n
}

// integer cuts off fractions and keeps to what JSON numbers carry exactly.
func (f *fields) integer(name string, absent int64) int64 {
	const most = 1 << 53
	return int64(min(max(f.number(name, float64(absent)), -most), most))
}

// amount is a number above zero; absent and 0 mean the default.
func (f *fields) amount(name string, absent float64) float64 {
	text, ok := f.scalar(name)
	if !ok {
		return absent
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	switch {
	case err != nil || math.IsNaN(n) || math.IsInf(n, 0):
		f.fail(name, "must be a number, 0 for the default")
	case n < 0:
		f.fail(name, "must not be negative; 0 is the default")
	case n > 0:
		return n
	}
	return absent
}

// list reads an array; absent is empty.
func (f *fields) list(name string) []json.RawMessage {
	raw, ok := f.members[name]
	if !ok {
		return nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		f.fail(name, "must be an array")
	}
	return list
}

func (f *fields) texts(name string) []string {
	texts := []string{}
	for _, raw := range f.list(name) {
		text, ok := scalarText(raw)
		if !ok {
			f.fail(name, "must be an array of strings")
			break
		}
		texts = append(texts, text)
	}
	return texts
}

func (f *fields) environment() []Variable {
	vars := []Variable{}
	for _, raw := range f.list("environmentVariables") {
		v, err := readFields(raw)
		if err != nil {
			f.fail("environmentVariables", `must be an array of {"name": ..., "value": ...}`)
			break
		}
		vars = append(vars, Variable{Name: v.text("name", ""), Value: v.text("value", "")})
		if v.err != nil {
			f.fail("environmentVariables", v.err.Error())
		}
	}
	return vars
}

// fetches reads what a run is to find in its sandbox, by either name. A job as
// this scheduler shows it has both, which then say the same.
func (f *fields) fetches() (list []Fetch, uris []string) {
	list, uris = []Fetch{}, f.texts("uris")
	for _, raw := range f.list("fetch") {
		v, err := readFields(raw)
		if err != nil {
			f.fail("fetch", `must be an array of {"uri": ...}`)
			break
		}
		one := Fetch{URI: v.text("uri", ""), Executable: v.flag("executable", false), Cache: v.flag("cache", false),
			Extract: v.flag("extract", true), OutputFile: v.text("output_file", "")}
		if v.err == nil && one.URI == "" {
			f.fail("fetch", "uri is missing")
		}
		if v.err != nil {
			f.fail("fetch", v.err.Error())
		}
		list = append(list, one)
	}
	if len(list) == 0 {
		for _, uri := range uris {
			list = append(list, Fetch{URI: uri, Extract: true})
		}
		return list, uris
	}
	named := make([]string, len(list))
	for i, one := range list {
		named[i] = one.URI
	}
	if len(uris) > 0 && !slices.Equal(uris, named) {
		f.fail("uris", "give either uris or fetch, not both")
	}
	return list, named
}

func (f *fields) constraints() []Placing {
	list := []Placing{}
	for _, raw := range f.list("constraints") {
		inner := &fields{members: map[string]json.RawMessage{"constraints": raw}}
		parts := inner.texts("constraints")
		if inner.err != nil || len(parts) != 3 {
			f.fail("constraints", `must be an array of ["attribute", "operator", "value"]`)
			break
		}
		list = append(list, Placing(parts))
	}
	return list
}
