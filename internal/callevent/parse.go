package callevent

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Texts of Mesos' JSON reader.
var (
	errOutOfRange = errors.New("Value out of range")
	errWrongType  = errors.New("Unexpected JSON type parsed")
)

// A kind is the type of a JSON value.
type kind uint8

const (
	kindNull kind = iota
	kindFalse
	kindTrue
	kindNumber
	kindString
	kindArray
	kindObject
)

// name is the word for the kind in Mesos' error texts.
func (k kind) name() string {
	switch k {
	case kindFalse, kindTrue:
		return "boolean"
	case kindNumber:
		return "number"
	case kindString:
		return "string"
	case kindArray:
		return "array"
	case kindObject:
		return "object"
	}
	return "null"
}

// A node is one value of a document. Nodes of a container follow it in the
// document's slice; next skips over what lies inside. 0 ends a list, as node 0
// is the root and nobody's sibling.
type node struct {
	kind    kind
	escaped bool // the text holds escapes
	keyed   bool // the member's name holds escapes
	// text is the number, or the inside of the string's quotes.
	start, end int32
	// key is the inside of the quotes of the member's name.
	keyStart, keyEnd int32
	child, next      int32 // first element or member; following sibling
}

// A document is a JSON text taken apart. It is syntactically sound, so that
// what reads it needs to think about meaning only.
type document struct {
	text  []byte
	nodes []node
}

// parseJSON takes text apart. It accepts what Mesos' reader accepts (leading
// zeros, `1.`, invalid UTF-8) and refuses the rest with Mesos' texts.
func parseJSON(text []byte) (*document, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("JSON text of %d bytes exceeds the limit of %d bytes", len(text), maxText)
	}
	p := parser{document: document{text: text, nodes: make([]node, 0, 16+len(text)/16)}}
	if !p.value(0) {
		return nil, p.failure()
	}
	rest := p.at
	p.space()
	if p.at < len(text) {
		return nil, fmt.Errorf("Parsed JSON included non-whitespace trailing characters: %s", text[rest:])
	}
	return &p.document, nil
}

// maxText keeps offsets within 32 bits.
const maxText = 1<<31 - 1

type parser struct {
	document
	at  int   // next byte
	err error // a reason better than "syntax error"
}

// failure describes what stands where reading stopped.
func (p *parser) failure() error {
	if p.err != nil {
		return p.err
	}
	line := 1
	for _, c := range p.text[:p.at] {
		if c == '\n' {
			line++
		}
	}
	var near []byte
	for _, c := range p.text[p.at:] {
		if c == '\n' {
			break
		}
		if c >= ' ' {
			near = append(near, c)
		}
	}
	return fmt.Errorf("syntax error at line %d near: %s", line, near)
}

func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// peek is the next byte, or 0 at the end; a 0 in the text fails like the end does.
func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// expect skips white space and takes c if it is next.
func (p *parser) expect(c byte) bool {
	p.space()
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

// value reads one value into a new node. Inside depth containers.
func (p *parser) value(depth int) bool {
	p.space()
	n := int32(len(p.nodes))
	p.nodes = append(p.nodes, node{})
	switch c := p.peek(); {
	case c == '{':
		return p.container(n, kindObject, '}', depth+1)
	case c == '[':
		return p.container(n, kindArray, ']', depth+1)
	case c == '"':
		p.at++
		start, end, escaped, ok := p.quoted()
		nd := &p.nodes[n]
		nd.kind, nd.start, nd.end, nd.escaped = kindString, start, end, escaped
		return ok
	case c == 'n':
		return p.literal(n, kindNull, "null")
	case c == 't':
		return p.literal(n, kindTrue, "true")
	case c == 'f':
		return p.literal(n, kindFalse, "false")
	case c == '-' || '0' <= c && c <= '9':
		return p.number(n)
	}
	return false
}

func (p *parser) literal(n int32, k kind, word string) bool {
	for i := range len(word) {
		if p.peek() != word[i] {
			return false
		}
		p.at++
	}
	p.nodes[n].kind = k
	return true
}

// number takes the characters of a number and checks that they make one.
func (p *parser) number(n int32) bool {
	start := p.at
	for p.at < len(p.text) && numeric(p.text[p.at]) {
		p.at++
	}
	_, err := strconv.ParseFloat(string(p.text[start:p.at]), 64)
	if errors.Is(err, strconv.ErrRange) {
		p.err = errOutOfRange
	}
	nd := &p.nodes[n]
	nd.kind, nd.start, nd.end = kindNumber, int32(start), int32(p.at)
	return err == nil
}

func numeric(c byte) bool {
	switch c {
	case '+', '-', '.', 'e', 'E':
		return true
	}
	return '0' <= c && c <= '9'
}

// container reads an object or array up to its closing byte.
func (p *parser) container(n int32, k kind, closing byte, depth int) bool {
	p.at++
	if depth > maxDepth {
		return false
	}
	p.nodes[n].kind = k
	if p.expect(closing) {
		return true
	}
	before := int32(0)
	for {
		var key member
		if k == kindObject && !p.name(&key) {
			return false
		}
		child := int32(len(p.nodes))
		if !p.value(depth) {
			return false
		}
		nd := &p.nodes[child]
		nd.keyStart, nd.keyEnd, nd.keyed = key.start, key.end, key.escaped
		if before == 0 {
			p.nodes[n].child = child
		} else {
			p.nodes[before].next = child
		}
		before = child
		if !p.expect(',') {
			return p.expect(closing)
		}
	}
}

type member struct {
	start, end int32
	escaped    bool
}

// name reads a member's name and the colon after it.
func (p *parser) name(m *member) (ok bool) {
	if !p.expect('"') {
		return false
	}
	if m.start, m.end, m.escaped, ok = p.quoted(); !ok {
		return false
	}
	return p.expect(':')
}

// quoted reads up to the closing quote; the opening one has been taken.
func (p *parser) quoted() (start, end int32, escaped, ok bool) {
	start = int32(p.at)
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return start, int32(p.at - 1), escaped, true
		case c < ' ':
			return 0, 0, false, false
		case c == '\\':
			escaped = true
			p.at++
			if !p.escape() {
				return 0, 0, false, false
			}
		default:
			p.at++
		}
	}
	return 0, 0, false, false
}

// escape reads what follows a backslash.
func (p *parser) escape() bool {
	switch p.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		p.at++
		return true
	case 'u':
		p.at++
		return p.unicode()
	}
	return false
}

// unicode reads four hex digits, and the second half if they are a surrogate's first.
func (p *parser) unicode() bool {
	r, ok := p.hex()
	if !ok || !utf16.IsSurrogate(r) {
		return ok
	}
	if p.peek() != '\\' {
		return false
	}
	p.at++
	if p.peek() != 'u' {
		return false
	}
	p.at++
	low, ok := p.hex()
	return ok && utf16.DecodeRune(r, low) != utf8.RuneError
}

func (p *parser) hex() (rune, bool) {
	if len(p.text)-p.at < 4 {
		return 0, false
	}
	v, err := strconv.ParseUint(string(p.text[p.at:p.at+4]), 16, 16)
	if err != nil {
		return 0, false
	}
	p.at += 4
	return rune(v), true
}

// string is the value of a string node.
func (d *document) string(n int32) string {
	nd := &d.nodes[n]
	return unquote(d.text[nd.start:nd.end], nd.escaped)
}

// unquote resolves the escapes of a string that the parser has accepted.
func unquote(s []byte, escaped bool) string {
	if !escaped {
		return string(s)
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, _ := strconv.ParseUint(string(s[i+1:i+5]), 16, 16)
			i += 4
			if utf16.IsSurrogate(rune(r)) {
				low, _ := strconv.ParseUint(string(s[i+3:i+7]), 16, 16)
				r = uint64(utf16.DecodeRune(rune(r), rune(low)))
				i += 6
			}
			out = utf8.AppendRune(out, rune(r))
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// flatten lists the elements of node n, and those of arrays among them, in
// order. A value that is no array is a list of itself.
func (d *document) flatten(n int32) []int32 {
	return d.appendFlat(nil, n)
}

func (d *document) appendFlat(out []int32, n int32) []int32 {
	if d.nodes[n].kind != kindArray {
		return append(out, n)
	}
	for c := d.nodes[n].child; c != 0; c = d.nodes[c].next {
		out = d.appendFlat(out, c)
	}
	return out
}
