package spec

import (
	"fmt"
	"strconv"
	"strings"
)

// A Violation is one rule broken, at a path such as /container/volumes(0)/mode.
type Violation struct {
	Path   string   `json:"path"`
	Errors []string `json:"errors"`
}

// Problems is the error for a definition its author can correct. Details name
// every member that is wrong.
type Problems struct {
	Message string
	Details []Violation
}

// The messages Marathon gives with details: a member of the wrong type, and a rule broken.
const (
	InvalidJSON    = "Invalid JSON"
	NotValid       = "Object is not valid"
	emptyBody      = "Please specify data in JSON format"
	notSupportedBy = "is not supported by this version of Souk: "
)

// Error lists the details on one line.
func (p *Problems) Error() string {
	parts := make([]string, len(p.Details))
	for i, d := range p.Details {
		parts[i] = d.Path + ": " + strings.Join(d.Errors, ", ")
	}
	return p.Message + ": " + strings.Join(parts, "; ")
}

// Refuse is the error for one broken rule.
func Refuse(path, format string, args ...any) *Problems {
	return &Problems{Message: NotValid, Details: []Violation{{path, []string{fmt.Sprintf(format, args...)}}}}
}

// A Malformed body is no JSON at all; it is answered with 400.
type Malformed struct{ Message, Details string }

func (m *Malformed) Error() string { return m.Message + ": " + m.Details }

// report collects violations in the order they are found, one per path.
type report struct {
	message string
	details []Violation
}

func (r *report) add(path, format string, args ...any) {
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	for i := range r.details {
		if r.details[i].Path == path {
			r.details[i].Errors = append(r.details[i].Errors, text)
			return
		}
	}
	r.details = append(r.details, Violation{path, []string{text}})
}

// err is nil, or *Problems.
func (r *report) err() error {
	if len(r.details) == 0 {
		return nil
	}
	return &Problems{Message: r.message, Details: r.details}
}

// member appends the name of an object's member to a path.
func member(path, name string) string {
	if strings.Contains(name, "/") {
		name = strconv.Quote(name)
	}
	return strings.TrimSuffix(path, "/") + "/" + name
}

// element appends a list index to a path.
func element(path string, i int) string { return path + "(" + strconv.Itoa(i) + ")" }
