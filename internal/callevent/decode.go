package callevent

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

var errNoObject = errors.New("Expecting a JSON object")

// convert fills m from the whole document.
func (d *document) convert(m proto.Message) error { return d.convertNode(0, m) }

func (d *document) convertNode(n int32, m proto.Message) error {
	if d.nodes[n].kind != kindObject {
		return errNoObject
	}
	proto.Reset(m)
	if err := d.message(n, m.ProtoReflect()); err != nil {
		return err
	}
	if proto.CheckInitialized(m) == nil {
		return nil
	}
	missing := appendMissing(nil, m.ProtoReflect(), "")
	return fmt.Errorf("Missing required fields: %s", strings.Join(missing, ", "))
}

// message fills m from the members of object n. Of members with one name the
// last one counts; unknown members do not.
func (d *document) message(n int32, m protoreflect.Message) error {
	fields := m.Descriptor().Fields()
	var few [64]int32
	last := few[:]
	if fields.Len() > len(few) {
		last = make([]int32, fields.Len())
	}
	for c := d.nodes[n].child; c != 0; c = d.nodes[c].next {
		if fd := fields.ByName(d.name(c)); fd != nil {
			last[fd.Index()] = c
		}
	}
	for i, c := range last[:fields.Len()] {
		if c == 0 {
			continue
		}
		if err := d.field(c, m, fields.Get(i)); err != nil {
			return err
		}
	}
	return nil
}

// name is the member name of node n.
func (d *document) name(n int32) protoreflect.Name {
	nd := &d.nodes[n]
	return protoreflect.Name(unquote(d.text[nd.keyStart:nd.keyEnd], nd.keyed))
}

func (d *document) field(n int32, m protoreflect.Message, fd protoreflect.FieldDescriptor) error {
	switch {
	case d.nodes[n].kind == kindNull:
		return nil
	case fd.IsMap():
		return d.entries(n, m.Mutable(fd).Map(), fd)
	case fd.IsList():
		return d.elements(n, m.Mutable(fd).List(), fd)
	case fd.Message() != nil:
		if d.nodes[n].kind != kindObject {
			return d.unexpected(n, fd)
		}
		return d.message(n, m.Mutable(fd).Message())
	}
	v, err := d.scalar(n, fd)
	if v.IsValid() {
		m.Set(fd, v)
	}
	return err
}

// elements fills a list from an array, from arrays within it, or from a single value.
func (d *document) elements(n int32, list protoreflect.List, fd protoreflect.FieldDescriptor) error {
	if d.nodes[n].kind != kindArray {
		return d.element(n, list, fd)
	}
	for c := d.nodes[n].child; c != 0; c = d.nodes[c].next {
		if err := d.elements(c, list, fd); err != nil {
			return err
		}
	}
	return nil
}

func (d *document) element(n int32, list protoreflect.List, fd protoreflect.FieldDescriptor) error {
	if d.nodes[n].kind == kindNull {
		return nil
	}
	if fd.Message() != nil {
		if d.nodes[n].kind != kindObject {
			return d.unexpected(n, fd)
		}
		return d.message(n, list.AppendMutable().Message())
	}
	v, err := d.scalar(n, fd)
	if v.IsValid() {
		list.Append(v)
	}
	return err
}

// entries fills a map from an object; like any repeated field it may also
// come as an array of them.
func (d *document) entries(n int32, out protoreflect.Map, fd protoreflect.FieldDescriptor) error {
	switch d.nodes[n].kind {
	case kindArray:
		for c := d.nodes[n].child; c != 0; c = d.nodes[c].next {
			if err := d.entries(c, out, fd); err != nil {
				return err
			}
		}
		return nil
	case kindNull:
		return nil
	case kindObject:
		for c := d.nodes[n].child; c != 0; c = d.nodes[c].next {
			if err := d.entry(c, out, fd); err != nil {
				return err
			}
		}
		return nil
	}
	return d.unexpected(n, fd)
}

// entry adds one member to a map. A null is an entry whose value was not given.
func (d *document) entry(n int32, out protoreflect.Map, fd protoreflect.FieldDescriptor) error {
	key, err := mapKey(string(d.name(n)), fd.MapKey())
	if err != nil {
		return err
	}
	value := out.NewValue()
	switch k := d.nodes[n].kind; {
	case k == kindNull:
	case fd.MapValue().Message() == nil:
		v, err := d.scalar(n, fd.MapValue())
		if err != nil {
			return err
		}
		if v.IsValid() {
			value = v
		}
	case k != kindObject:
		return d.unexpected(n, fd.MapValue())
	default:
		if err := d.message(n, value.Message()); err != nil {
			return err
		}
	}
	out.Set(key, value)
	return nil
}

// mapKey turns a member name into a key. Keys of all maps of the API are strings.
func mapKey(name string, fd protoreflect.FieldDescriptor) (protoreflect.MapKey, error) {
	if fd.Kind() != protoreflect.StringKind {
		return protoreflect.MapKey{}, fmt.Errorf("maps with keys of type %s are not supported", fd.Kind())
	}
	return protoreflect.ValueOfString(name).MapKey(), nil
}

// scalar converts a value that is neither message, list nor map. An invalid
// Value without an error means that the field stays unset.
func (d *document) scalar(n int32, fd protoreflect.FieldDescriptor) (protoreflect.Value, error) {
	switch d.nodes[n].kind {
	case kindString:
		return d.fromString(n, fd)
	case kindNumber:
		nd := &d.nodes[n]
		return fromNumber(string(d.text[nd.start:nd.end]), fd)
	case kindFalse, kindTrue:
		if fd.Kind() == protoreflect.BoolKind {
			return protoreflect.ValueOfBool(d.nodes[n].kind == kindTrue), nil
		}
	}
	return protoreflect.Value{}, d.unexpected(n, fd)
}

// unexpected is the refusal of a value of the wrong kind.
func (d *document) unexpected(n int32, fd protoreflect.FieldDescriptor) error {
	return unexpected(d.nodes[n].kind, fd)
}

func unexpected(k kind, fd protoreflect.FieldDescriptor) error {
	return fmt.Errorf("Not expecting a JSON %s for field '%s'", k.name(), fd.Name())
}

func (d *document) fromString(n int32, fd protoreflect.FieldDescriptor) (protoreflect.Value, error) {
	text := d.string(n)
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(text), nil
	case protoreflect.BytesKind:
		b, err := decodeBase64(text)
		if err != nil {
			return protoreflect.Value{}, fmt.Errorf("Failed to base64 decode bytes field '%s': %w", fd.Name(), err)
		}
		return protoreflect.ValueOfBytes(b), nil
	case protoreflect.EnumKind:
		return fromEnumName(text, fd)
	case protoreflect.BoolKind:
		return fromQuotedBool(text, fd)
	}
	return fromQuotedNumber(text, fd)
}

// fromEnumName leaves a field unset whose enum has no such name: the peer may
// be newer. Where a value is required that is an error.
func fromEnumName(text string, fd protoreflect.FieldDescriptor) (protoreflect.Value, error) {
	if v := fd.Enum().Values().ByName(protoreflect.Name(text)); v != nil {
		return protoreflect.ValueOfEnum(v.Number()), nil
	}
	if fd.Cardinality() == protoreflect.Required {
		return protoreflect.Value{}, fmt.Errorf("Failed to find enum for '%s'", text)
	}
	return protoreflect.Value{}, nil
}

func fromQuotedBool(text string, fd protoreflect.FieldDescriptor) (protoreflect.Value, error) {
	doc, err := parseJSON([]byte(text))
	if err == nil && doc.nodes[0].kind != kindTrue && doc.nodes[0].kind != kindFalse {
		err = errWrongType
	}
	if err != nil {
		return protoreflect.Value{}, fmt.Errorf("Failed to parse '%s' as a JSON boolean for field '%s': %w", text, fd.Name(), err)
	}
	return protoreflect.ValueOfBool(doc.nodes[0].kind == kindTrue), nil
}

func fromQuotedNumber(text string, fd protoreflect.FieldDescriptor) (protoreflect.Value, error) {
	if k := fd.Kind(); k == protoreflect.DoubleKind || k == protoreflect.FloatKind {
		switch text {
		case "Infinity":
			return floatValue(math.Inf(1), k), nil
		case "-Infinity":
			return floatValue(math.Inf(-1), k), nil
		}
	}
	doc, err := parseJSON([]byte(text))
	if err == nil && doc.nodes[0].kind != kindNumber {
		err = errWrongType
	}
	if err != nil {
		return protoreflect.Value{}, fmt.Errorf("Failed to parse '%s' as a JSON number for field '%s': %w", text, fd.Name(), err)
	}
	nd := doc.nodes[0]
	return fromNumber(text[nd.start:nd.end], fd)
}

// fromNumber converts the text of a number. Integers take fractions off and
// numbers that do not fit are cut, never refused, as in Mesos.
func fromNumber(text string, fd protoreflect.FieldDescriptor) (protoreflect.Value, error) {
	switch k := fd.Kind(); k {
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		f, _ := strconv.ParseFloat(text, 64)
		return floatValue(f, k), nil
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(integer(text))), nil
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(integer(text)), nil
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(integer(text))), nil
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(unsigned(text)), nil
	}
	return protoreflect.Value{}, unexpected(kindNumber, fd)
}

func floatValue(f float64, k protoreflect.Kind) protoreflect.Value {
	if k == protoreflect.FloatKind {
		return protoreflect.ValueOfFloat32(float32(f))
	}
	return protoreflect.ValueOfFloat64(f)
}

// integer is the number cut to 64 bits.
func integer(text string) int64 {
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return i
	}
	switch f, _ := strconv.ParseFloat(text, 64); {
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	default:
		return int64(f)
	}
}

// unsigned is the number cut to 64 bits; a negative one wraps around.
func unsigned(text string) uint64 {
	if u, err := strconv.ParseUint(text, 10, 64); err == nil {
		return u
	}
	switch f, _ := strconv.ParseFloat(text, 64); {
	case f >= math.MaxUint64:
		return math.MaxUint64
	case f >= 0:
		return uint64(f)
	default:
		return uint64(integer(text))
	}
}

// decodeBase64 reads the standard alphabet with or without padding.
func decodeBase64(text string) ([]byte, error) {
	text, _, _ = strings.Cut(text, "=")
	for i := range len(text) {
		if !base64Digit(text[i]) {
			return nil, fmt.Errorf("Invalid character '%c'", text[i])
		}
	}
	if len(text)%4 == 1 {
		text = text[:len(text)-1] // six bits that make no byte
	}
	return base64.RawStdEncoding.DecodeString(text)
}

func base64Digit(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '/'
}

// appendMissing lists the required fields that m and what it holds lack, as
// paths like `accept.operations[0].launch`.
func appendMissing(out []string, m protoreflect.Message, path string) []string {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		if fd := fields.Get(i); fd.Cardinality() == protoreflect.Required && !m.Has(fd) {
			out = append(out, path+string(fd.Name()))
		}
	}
	for i := range fields.Len() {
		fd := fields.Get(i)
		at := path + string(fd.Name())
		switch {
		case fd.Message() == nil || !m.Has(fd):
		case fd.IsMap():
			out = appendMissingEntries(out, m.Get(fd).Map(), fd, at)
		case fd.IsList():
			list := m.Get(fd).List()
			for j := range list.Len() {
				out = appendMissing(out, list.Get(j).Message(), fmt.Sprintf("%s[%d].", at, j))
			}
		default:
			out = appendMissing(out, m.Get(fd).Message(), at+".")
		}
	}
	return out
}

func appendMissingEntries(out []string, m protoreflect.Map, fd protoreflect.FieldDescriptor, at string) []string {
	if fd.MapValue().Message() == nil {
		return out
	}
	for _, k := range sortedKeys(m) {
		out = appendMissing(out, m.Get(k).Message(), fmt.Sprintf("%s[%s].", at, k.String()))
	}
	return out
}
