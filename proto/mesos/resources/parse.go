package resources

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

var errGPUs = errors.New("Invalid 'gpus' resource: The 'gpus' resource must be an unsigned integer") //lint:ignore ST1005 Mesos' text

// maxText bounds what Parse and ParseAttributes read.
const maxText = 1 << 20

// Parse reads the value of --resources: "name(role):value;name:value", or a JSON array of Resource messages
// (mesos-api 19.2). What names no role is reserved for defaultRole, unless that is "*" or empty. Names with the value
// 0 are in the text but not in the result: see Names.
func Parse(text, defaultRole string) (Resources, error) {
	list, err := parse(text, defaultRole)
	if err != nil {
		return nil, fmt.Errorf("resources: %w", err)
	}
	r, err := FromProto(list)
	if err != nil {
		return nil, fmt.Errorf("resources: %w", err)
	}
	if err := r.WholeGPUs(); err != nil {
		return nil, fmt.Errorf("resources: %w", err)
	}
	return r, nil
}

// Names lists the resource names that text mentions, in order, with repetitions left out. An agent detects only
// resources that are not among them, so "gpus:0" keeps it from looking for gpus.
func Names(text string) ([]string, error) {
	list, err := parse(text, "*")
	if err != nil {
		return nil, fmt.Errorf("resources: %w", err)
	}
	var names []string
	seen := map[string]bool{}
	for _, p := range list {
		if !seen[p.GetName()] {
			seen[p.GetName()] = true
			names = append(names, p.GetName())
		}
	}
	return names, nil
}

func parse(text, defaultRole string) ([]*mesospb.Resource, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("%d bytes of text; at most %d are read", len(text), maxText)
	}
	if defaultRole == "" {
		defaultRole = "*"
	}
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "[") {
		return parseJSON(text, defaultRole)
	}
	var out []*mesospb.Resource
	for token := range strings.SplitSeq(text, ";") {
		if token = strings.TrimSpace(token); token == "" {
			continue
		}
		p, err := parseToken(token, defaultRole)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func parseJSON(text, defaultRole string) ([]*mesospb.Resource, error) {
	var items []json.RawMessage
	if err := json.Unmarshal([]byte(text), &items); err != nil {
		return nil, fmt.Errorf("read JSON array: %w", err)
	}
	out := make([]*mesospb.Resource, 0, len(items))
	for i, item := range items {
		p := &mesospb.Resource{}
		if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(item, p); err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		if p.Role == nil && len(p.Reservations) == 0 && defaultRole != "*" {
			p.Role = new(defaultRole)
		}
		out = append(out, p)
	}
	return out, nil
}

// parseToken reads "name:value" or "name(role):value".
func parseToken(token, defaultRole string) (*mesospb.Resource, error) {
	key, value, found := strings.Cut(token, ":")
	if !found || strings.Contains(value, ":") {
		return nil, fmt.Errorf("bad value %q: missing or extra ':'; write name:value", token)
	}
	name, role, err := parseKey(strings.TrimSpace(key), defaultRole)
	if err != nil {
		return nil, fmt.Errorf("bad value %q: %w", token, err)
	}
	v, err := parseValue(strings.TrimSpace(value))
	if err != nil {
		return nil, fmt.Errorf("bad value %q: %w", token, err)
	}
	if v.GetType() == mesospb.Value_TEXT {
		return nil, fmt.Errorf("bad value %q: write a number, [begin-end] or {a,b} after ':'", token)
	}
	p := &mesospb.Resource{Name: new(name), Type: v.Type, Scalar: v.Scalar, Ranges: v.Ranges, Set: v.Set}
	if role != "*" {
		p.Role = new(role)
	}
	return p, nil
}

func parseKey(key, defaultRole string) (name, role string, err error) {
	name, rest, found := strings.Cut(key, "(")
	if !found {
		return key, defaultRole, nil
	}
	role, after, closed := strings.Cut(rest, ")")
	if !closed || after != "" || strings.Contains(role, "(") {
		return "", "", errors.New("parentheses do not match; write name(role):value")
	}
	if role = strings.TrimSpace(role); role == "" {
		return "", "", errors.New("the role in parentheses is empty")
	}
	return strings.TrimSpace(name), role, nil
}

// parseValue reads a number, "[begin-end, …]", "{a, b}", or anything else as text.
func parseValue(text string) (*mesospb.Value, error) {
	switch {
	case text == "":
		return nil, errors.New("the value is empty")
	case text[0] == '[':
		return parseRanges(text)
	case text[0] == '{':
		return parseSet(text)
	case strings.ContainsAny(text, "[]{}"):
		return nil, errors.New("brackets do not match")
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && isNumber(text) {
		return &mesospb.Value{Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: new(f)}}, nil
	}
	return &mesospb.Value{Type: mesospb.Value_TEXT.Enum(), Text: &mesospb.Value_Text{Value: new(text)}}, nil
}

// isNumber leaves out what Go reads as a number and Mesos' users mean as a word: "inf", "nan", "0x1p4", "1_0".
func isNumber(text string) bool {
	return strings.Trim(text, "+-.0123456789eE") == "" && strings.ContainsAny(text, "0123456789")
}

func parseRanges(text string) (*mesospb.Value, error) {
	inner, ok := strings.CutSuffix(text[1:], "]")
	if !ok {
		return nil, errors.New("'[' without ']' at the end")
	}
	out := &mesospb.Value_Ranges{}
	for item := range strings.SplitSeq(inner, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		r, err := parseRange(item)
		if err != nil {
			return nil, err
		}
		out.Range = append(out.Range, r)
	}
	return &mesospb.Value{Type: mesospb.Value_RANGES.Enum(), Ranges: out}, nil
}

func parseRange(text string) (*mesospb.Value_Range, error) {
	left, right, found := strings.Cut(text, "-")
	begin, err1 := strconv.ParseUint(strings.TrimSpace(left), 10, 64)
	end, err2 := strconv.ParseUint(strings.TrimSpace(right), 10, 64)
	if !found || err1 != nil || err2 != nil {
		return nil, fmt.Errorf("%q is not a range; write begin-end with whole numbers", text)
	}
	return &mesospb.Value_Range{Begin: &begin, End: &end}, nil
}

func parseSet(text string) (*mesospb.Value, error) {
	inner, ok := strings.CutSuffix(text[1:], "}")
	if !ok {
		return nil, errors.New("'{' without '}' at the end")
	}
	out := &mesospb.Value_Set{}
	for item := range strings.SplitSeq(inner, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out.Item = append(out.Item, item)
		}
	}
	return &mesospb.Value{Type: mesospb.Value_SET.Enum(), Set: out}, nil
}

// ParseAttributes reads the value of --attributes: "key:value;key:value", where a value is a number, ranges or text
// (mesos-api 19.2).
func ParseAttributes(text string) ([]*mesospb.Attribute, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("attributes: %d bytes of text; at most %d are read", len(text), maxText)
	}
	var out []*mesospb.Attribute
	for token := range strings.SplitSeq(text, ";") {
		if token = strings.TrimSpace(token); token == "" {
			continue
		}
		a, err := parseAttribute(token)
		if err != nil {
			return nil, fmt.Errorf("attributes: bad value %q: %w", token, err)
		}
		out = append(out, a)
	}
	return out, nil
}

func parseAttribute(token string) (*mesospb.Attribute, error) {
	key, value, found := strings.Cut(token, ":")
	if key = strings.TrimSpace(key); !found || key == "" {
		return nil, errors.New("write key:value")
	}
	v, err := parseValue(strings.TrimSpace(value))
	if err != nil {
		return nil, err
	}
	if v.GetType() == mesospb.Value_SET {
		return nil, errors.New("sets are not attribute values; write a number, [begin-end] or text")
	}
	return &mesospb.Attribute{Name: new(key), Type: v.Type, Scalar: v.Scalar, Ranges: v.Ranges, Text: v.Text}, nil
}
