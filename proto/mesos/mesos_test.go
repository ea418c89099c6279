package mesos

import (
	"slices"
	"strings"
	"testing"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

func TestIDs(t *testing.T) {
	for _, tt := range []struct{ id, want string }{
		{"web.1", ""},
		{"ct:1:0:job:", ""},
		{"", "ID must not be empty"},
		{"..", "'..' is disallowed"},
		{"a/b", "'a/b' contains invalid characters"},
		{"a\nb", "'a\nb' contains invalid characters"},
		{strings.Repeat("x", 255), ""},
		{strings.Repeat("x", 256), "ID must not be greater than 255 characters"},
	} {
		if got := text(CheckID(tt.id)); got != tt.want {
			t.Errorf("CheckID(%q) = %q, want %q", tt.id, got, tt.want)
		}
	}
}

func TestRoles(t *testing.T) {
	for _, tt := range []struct{ role, want string }{
		{"*", ""},
		{"eng/dev/ci", ""},
		{"", "Role names cannot be the empty string"},
		{"/a", "Role '/a' cannot start with a slash"},
		{"a/", "Role 'a/' cannot end with a slash"},
		{"a//b", "Role 'a//b' cannot contain two adjacent slashes"},
		{"a/../b", "Role 'a/../b' cannot include '..' as a component"},
		{"a/*", "Role 'a/*' cannot include '*' as a component"},
		{"a/-b", "Role component '-b' is invalid because it starts with a dash"},
		{"a b", "Role component 'a b' is invalid because it contains backspace or whitespace"},
	} {
		if got := text(CheckRole(tt.role)); got != tt.want {
			t.Errorf("CheckRole(%q) = %q, want %q", tt.role, got, tt.want)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestAncestors(t *testing.T) {
	if got := slices.Collect(Ancestors("a/b/c")); !slices.Equal(got, []string{"a/b", "a"}) {
		t.Errorf("Ancestors(a/b/c) = %v", got)
	}
	if got := slices.Collect(Ancestors("a")); len(got) != 0 {
		t.Errorf("Ancestors(a) = %v, want none", got)
	}
	for _, tt := range []struct {
		role, ancestor string
		want           bool
	}{{"a/b", "a", true}, {"a", "a", true}, {"ab", "a", false}, {"a", "a/b", false}} {
		if got := Within(tt.role, tt.ancestor); got != tt.want {
			t.Errorf("Within(%q, %q) = %v, want %v", tt.role, tt.ancestor, got, tt.want)
		}
	}
}

// TestStatesDoNotGoBack: the only way back is an agent's return from being unreachable.
func TestStatesDoNotGoBack(t *testing.T) {
	order := []mesospb.TaskState{
		mesospb.TaskState_TASK_STAGING, mesospb.TaskState_TASK_STARTING,
		mesospb.TaskState_TASK_RUNNING, mesospb.TaskState_TASK_KILLING,
	}
	for i, from := range order {
		for j, to := range order {
			if got, want := MayFollow(from, to), j >= i; got != want {
				t.Errorf("MayFollow(%v, %v) = %v, want %v", from, to, got, want)
			}
		}
	}
	for n := range mesospb.TaskState_name {
		s := mesospb.TaskState(n)
		if Terminal(s) && (next(s) != nil || MayFollow(s, s)) {
			t.Errorf("%v is terminal and yet something follows", s)
		}
	}
}
