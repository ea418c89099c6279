package api

import (
	"fmt"
	"slices"
	"strings"
)

// A selector is a list of conditions on labels, all of which must hold. Each
// requires its label to exist.
type selector []condition

type condition struct {
	key    string
	values []string // nil: any value will do
	not    bool
}

func (s selector) matches(labels map[string]string) bool {
	for _, c := range s {
		v, exists := labels[c.key]
		if !exists || c.values != nil && slices.Contains(c.values, v) == c.not {
			return false
		}
	}
	return true
}

// maxSelector bounds the conditions of one selector.
const maxSelector = 100

// parseSelector reads key, key==v, key!=v, key in (a, b) and key notin (a, b),
// separated by commas. Keys and values consist of letters, digits, '.', '_' and
// '-'; a backslash takes in any other character.
func parseSelector(text string) (selector, error) {
	p := &selectorParser{rest: text}
	var out selector
	for p.space(); p.rest != ""; p.space() {
		if len(out) == maxSelector {
			return nil, fmt.Errorf("more than %d conditions", maxSelector)
		}
		if len(out) > 0 && !p.take(",") {
			return nil, fmt.Errorf("',' expected at %q", p.rest)
		}
		c, err := p.condition()
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

type selectorParser struct{ rest string }

func (p *selectorParser) space() { p.rest = strings.TrimLeft(p.rest, " \t") }

// take consumes token after spaces if it comes next.
func (p *selectorParser) take(token string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *selectorParser) condition() (condition, error) {
	key, err := p.word()
	if err != nil {
		return condition{}, err
	}
	switch {
	case p.take("=="):
		return p.single(key, false)
	case p.take("!="):
		return p.single(key, true)
	case p.take("notin"):
		return p.set(key, true)
	case p.take("in"):
		return p.set(key, false)
	}
	return condition{key: key}, nil
}

func (p *selectorParser) single(key string, not bool) (condition, error) {
	v, err := p.word()
	return condition{key, []string{v}, not}, err
}

func (p *selectorParser) set(key string, not bool) (condition, error) {
	c := condition{key: key, not: not, values: []string{}}
	if !p.take("(") {
		return c, fmt.Errorf("'(' expected at %q", p.rest)
	}
	for {
		v, err := p.word()
		if err != nil {
			return c, err
		}
		c.values = append(c.values, v)
		if p.take(")") {
			return c, nil
		}
		if !p.take(",") {
			return c, fmt.Errorf("',' or ')' expected at %q", p.rest)
		}
	}
}

// word reads a key or value.
func (p *selectorParser) word() (string, error) {
	p.space()
	var b strings.Builder
	i := 0
	for i < len(p.rest) {
		ch := p.rest[i]
		if ch == '\\' && i+1 < len(p.rest) {
			b.WriteByte(p.rest[i+1])
			i += 2
			continue
		}
		if !plain(ch) {
			break
		}
		b.WriteByte(ch)
		i++
	}
	if b.Len() == 0 {
		return "", fmt.Errorf("a name expected at %q", p.rest)
	}
	p.rest = p.rest[i:]
	return b.String(), nil
}

func plain(ch byte) bool {
	return 'a' <= ch && ch <= 'z' || 'A' <= ch && ch <= 'Z' || '0' <= ch && ch <= '9' || ch == '.' || ch == '_' || ch == '-'
}
