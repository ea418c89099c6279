package api

import (
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/daemon"
)

// A doc is a JSON text being written, in the order that its parts come: the
// older endpoints have a fixed order that tools print. Objects and lists are
// written by functions, so that they always end.
type doc struct {
	b     []byte
	comma bool // the next part needs one before it
}

// object writes {…}.
func (d *doc) object(fill func()) { d.nested('{', '}', fill) }

// list writes […].
func (d *doc) list(fill func()) { d.nested('[', ']', fill) }

func (d *doc) nested(open, end byte, fill func()) {
	d.separate()
	d.b = append(d.b, open)
	d.comma = false
	fill()
	d.b = append(d.b, end)
	d.comma = true
}

func (d *doc) separate() {
	if d.comma {
		d.b = append(d.b, ',')
	}
	d.comma = true
}

// key begins a member of an object.
func (d *doc) key(name string) {
	d.separate()
	d.b = appendString(d.b, name)
	d.b = append(d.b, ':')
	d.comma = false
}

func (d *doc) text(s string) {
	d.separate()
	d.b = appendString(d.b, s)
}

// double writes a number with a decimal point or an exponent, as Mesos does.
func (d *doc) double(v float64) {
	d.separate()
	d.b = daemon.AppendDouble(d.b, v)
}

func (d *doc) integer(v int) {
	d.separate()
	d.b = strconv.AppendInt(d.b, int64(v), 10)
}

func (d *doc) bool(v bool) {
	d.separate()
	d.b = strconv.AppendBool(d.b, v)
}

// message writes a message of the v1 API. Only messages without an agent's id
// may be written so: the older endpoints call that slave_id.
func (d *doc) message(m proto.Message) {
	d.separate()
	// The mapping covers every message; there is nothing that could fail.
	d.b, _ = callevent.AppendJSON(d.b, m)
}

// Members of an object, by kind.

func (d *doc) textAt(name, s string)             { d.key(name); d.text(s) }
func (d *doc) doubleAt(name string, v float64)   { d.key(name); d.double(v) }
func (d *doc) integerAt(name string, v int)      { d.key(name); d.integer(v) }
func (d *doc) boolAt(name string, v bool)        { d.key(name); d.bool(v) }
func (d *doc) objectAt(name string, fill func()) { d.key(name); d.object(fill) }
func (d *doc) listAt(name string, fill func())   { d.key(name); d.list(fill) }

func (d *doc) textsAt(name string, all []string) {
	d.listAt(name, func() {
		for _, s := range all {
			d.text(s)
		}
	})
}

// messagesAt writes a list of messages.
func messagesAt[M proto.Message](d *doc, name string, all []M) {
	d.listAt(name, func() {
		for _, m := range all {
			d.message(m)
		}
	})
}

const hex = "0123456789abcdef"

// appendString quotes s; what is no UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r)
			i += n
			continue
		}
		b = appendASCII(b, c)
		i++
	}
	return append(b, '"')
}

func appendASCII(b []byte, c byte) []byte {
	switch {
	case c == '"' || c == '\\':
		return append(b, '\\', c)
	case c == '\n':
		return append(b, '\\', 'n')
	case c == '\t':
		return append(b, '\\', 't')
	case c == '\r':
		return append(b, '\\', 'r')
	case c < 0x20 || c == 0x7f:
		return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
	}
	return append(b, c)
}
