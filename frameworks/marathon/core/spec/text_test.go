package spec_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestTextsAnAgentCannotStart: what execve would refuse is refused here.
func TestTextsAnAgentCannotStart(t *testing.T) {
	for _, tt := range []struct {
		name string
		app  map[string]any
		want string // path of the violation; "": none
	}{
		{"cmd with NUL", map[string]any{"cmd": "a\x00b"}, "/cmd"},
		{"args with NUL", map[string]any{"args": []string{"a", "b\x00"}}, "/args(1)"},
		{"user with NUL", map[string]any{"cmd": "x", "user": "me\x00"}, "/user"},
		{"env with NUL", map[string]any{"cmd": "x", "env": map[string]string{"A": "\x00"}}, "/env/A"},
		{"label with NUL", map[string]any{"cmd": "x", "labels": map[string]string{"l": "\x00"}}, "/labels/l"},
		{"longest cmd", map[string]any{"cmd": strings.Repeat("x", 131071)}, ""},
		{"long cmd", map[string]any{"cmd": strings.Repeat("x", 131072)}, "/cmd"},
		{"long arg", map[string]any{"args": []string{strings.Repeat("x", 131072)}}, "/args(0)"},
		{"longest env", map[string]any{"cmd": "x", "env": map[string]string{"A": strings.Repeat("x", 131069)}}, ""},
		{"long env", map[string]any{"cmd": "x", "env": map[string]string{"A": strings.Repeat("x", 131070)}}, "/env/A"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, err := json.Marshal(tt.app)
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == "" {
				build(t, string(text))
				return
			}
			got := violations(t, string(text))
			if !slices.ContainsFunc(got, func(v string) bool { return strings.HasPrefix(v, tt.want+" ") }) {
				t.Errorf("violations = %.300q, want one at %s", got, tt.want)
			}
		})
	}
}
