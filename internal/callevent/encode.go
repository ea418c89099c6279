package callevent

import (
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// AppendJSON adds m to b in Mesos' JSON mapping, on one line, and returns the
// extended slice. The error, so far always nil, makes it look like protobuf's.
func AppendJSON(b []byte, m proto.Message) ([]byte, error) {
	return appendMessage(b, m.ProtoReflect()), nil
}

func appendMessage(b []byte, m protoreflect.Message) []byte {
	fields := m.Descriptor().Fields()
	open := len(b)
	b = append(b, '{')
	for i := range fields.Len() {
		fd := fields.Get(i)
		if !m.Has(fd) && !printedUnset(fd) {
			continue
		}
		if len(b) > open+1 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, fd.Name()...)
		b = append(b, '"', ':')
		b = appendField(b, m.Get(fd), fd)
	}
	return append(b, '}')
}

// printedUnset tells fields that are printed without having been set: those
// with a default of their own that are not deprecated, and the lists of some
// answers that Mesos writes by hand.
func printedUnset(fd protoreflect.FieldDescriptor) bool {
	if fd.HasDefault() {
		o, ok := fd.Options().(*descriptorpb.FieldOptions)
		return !ok || !o.GetDeprecated()
	}
	return fd.IsList() && alwaysListed(fd)
}

// alwaysListed tells lists that are printed when empty: clients of those
// answers index them without asking.
func alwaysListed(fd protoreflect.FieldDescriptor) bool {
	switch fd.Parent().FullName() {
	case "mesos.v1.master.Response.GetTasks":
		return fd.Name() == "tasks" || fd.Name() == "unreachable_tasks" || fd.Name() == "completed_tasks"
	case "mesos.v1.master.Response.GetExecutors":
		return fd.Name() == "executors"
	case "mesos.v1.master.Response.GetFrameworks":
		return fd.Name() == "frameworks" || fd.Name() == "completed_frameworks"
	case "mesos.v1.master.Response.GetAgents",
		"mesos.v1.agent.Response.GetTasks",
		"mesos.v1.agent.Response.GetFrameworks",
		"mesos.v1.agent.Response.GetExecutors":
		return true
	}
	return false
}

func appendField(b []byte, v protoreflect.Value, fd protoreflect.FieldDescriptor) []byte {
	switch {
	case fd.IsList():
		b = append(b, '[')
		list := v.List()
		for i := range list.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, list.Get(i), fd)
		}
		return append(b, ']')
	case fd.IsMap():
		b = append(b, '{')
		entries := v.Map()
		for i, k := range sortedKeys(entries) {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, k.String())
			b = append(b, ':')
			b = appendValue(b, entries.Get(k), fd.MapValue())
		}
		return append(b, '}')
	}
	return appendValue(b, v, fd)
}

// sortedKeys lists a map's keys in one order, so that output does not vary.
func sortedKeys(m protoreflect.Map) []protoreflect.MapKey {
	keys := make([]protoreflect.MapKey, 0, m.Len())
	for k := range m.Range {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return strings.Compare(a.String(), b.String()) })
	return keys
}

func appendValue(b []byte, v protoreflect.Value, fd protoreflect.FieldDescriptor) []byte {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return strconv.AppendBool(b, v.Bool())
	case protoreflect.EnumKind:
		return appendEnum(b, v.Enum(), fd.Enum())
	case protoreflect.StringKind:
		return appendString(b, v.String())
	case protoreflect.BytesKind:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
		return append(b, '"')
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		return appendFloat(b, v.Float(), fd.Kind())
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return appendMessage(b, v.Message())
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.Fixed32Kind, protoreflect.Fixed64Kind:
		return strconv.AppendUint(b, v.Uint(), 10)
	default:
		return strconv.AppendInt(b, v.Int(), 10)
	}
}

// appendEnum writes the name. A number without one can only have been set by
// a program; it is written as it is, so that the mistake shows.
func appendEnum(b []byte, n protoreflect.EnumNumber, ed protoreflect.EnumDescriptor) []byte {
	v := ed.Values().ByNumber(n)
	if v == nil {
		return strconv.AppendInt(b, int64(n), 10)
	}
	b = append(b, '"')
	b = append(b, v.Name()...)
	return append(b, '"')
}

// appendFloat writes the shortest text that reads back as f, with at least one
// decimal. Like Mesos it goes over to exponents from 1e21 up and below 1e-6.
// Infinity is a string; NaN, which only protobuf can carry in, stays bare.
func appendFloat(b []byte, f float64, k protoreflect.Kind) []byte {
	bits := 64
	if k == protoreflect.FloatKind {
		bits = 32
	}
	switch abs := math.Abs(f); {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(b, `"-Infinity"`...)
	case abs != 0 && abs < 1e-6 || abs >= 1e21:
		return appendExponent(b, f, bits)
	}
	start := len(b)
	b = strconv.AppendFloat(b, f, 'f', -1, bits)
	if !slices.Contains(b[start:], '.') {
		b = append(b, ".0"...)
	}
	return b
}

// appendExponent writes 1e21 and 1e-7 where Go would write 1e+21 and 1e-07.
func appendExponent(b []byte, f float64, bits int) []byte {
	var buf [32]byte
	text := strconv.AppendFloat(buf[:0], f, 'e', -1, bits)
	e := slices.Index(text, 'e')
	b = append(b, text[:e+1]...)
	if text[e+1] == '-' {
		b = append(b, '-')
	}
	digits := text[e+2:]
	if digits[0] == '0' {
		digits = digits[1:]
	}
	return append(b, digits...)
}

const hexDigits = "0123456789ABCDEF"

// appendString writes s in quotes. Bytes that are no UTF-8 become U+FFFD:
// output must be readable JSON whatever a task put into its name.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(b, s[from:i]...)
				b = utf8.AppendRune(b, utf8.RuneError)
				from = i + 1
			}
			i += size
			continue
		}
		if c < ' ' || c == '"' || c == '\\' {
			b = append(b, s[from:i]...)
			b = appendEscape(b, c)
			from = i + 1
		}
		i++
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
