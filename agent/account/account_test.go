package account

import (
	"errors"
	"os/user"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLookup(t *testing.T) {
	if _, err := user.Lookup("root"); err != nil {
		t.Skipf("this machine has no root: %v", err)
	}
	byName, err := Lookup("root")
	if err != nil || byName.UID != 0 || byName.GID != 0 {
		t.Errorf("Lookup(root) = %+v, %v, want 0", byName, err)
	}
	byNumber, err := Lookup("0")
	if diff := cmp.Diff(byName, byNumber); err != nil || diff != "" {
		t.Errorf("Lookup(0): %v, and unlike root (-root +0):\n%s", err, diff)
	}
	const free = "1999999999"
	if got, err := Lookup(free); err != nil || got.UID != 1999999999 || got.GID != 1999999999 || got.Groups != nil {
		t.Errorf("Lookup(%s) = %+v, %v, want the number", free, got, err)
	}
	for _, name := range []string{"no-such-user", "-1", "99999999999", "1x"} {
		_, err := Lookup(name)
		if got := (UnknownError("")); !errors.As(err, &got) || err.Error() != "No such user '"+name+"'" {
			t.Errorf("Lookup(%q) = %v, want that there is none", name, err)
		}
	}
}
