// Package account finds the users that tasks run as on this machine. It owns
// what a task's user may be called, so that a sandbox and the command in it
// belong to the same one; it does not become anybody.
package account

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
)

// An Account is a user of this machine.
type Account struct {
	UID, GID int
	Groups   []int // beside GID
}

// An UnknownError names a user that this machine does not have, in Mesos' words.
type UnknownError string

// Error implements error.
func (e UnknownError) Error() string { return fmt.Sprintf("No such user '%s'", string(e)) }

// Lookup accepts a name or a number, also a number that has no entry: its group
// is the same number then. Of a name that is not known the error is an UnknownError.
func Lookup(name string) (Account, error) {
	u, err := user.Lookup(name)
	id, notNumber := strconv.ParseUint(name, 10, 31)
	if err != nil && notNumber == nil {
		if u, err = user.LookupId(name); err != nil {
			return Account{UID: int(id), GID: int(id)}, nil
		}
	}
	if errors.As(err, new(user.UnknownUserError)) {
		return Account{}, UnknownError(name)
	}
	if err != nil {
		return Account{}, fmt.Errorf("look up user '%s': %w", name, err)
	}
	return entry(u)
}

func entry(u *user.User) (Account, error) {
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return Account{}, fmt.Errorf("user '%s' has no numeric id: %w", u.Username, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return Account{}, fmt.Errorf("user '%s' has no numeric group: %w", u.Username, err)
	}
	return Account{UID: uid, GID: gid, Groups: groups(u)}, nil
}

// groups are none on a machine without a group database.
func groups(u *user.User) []int {
	texts, err := u.GroupIds()
	if err != nil {
		return nil
	}
	var ids []int
	for _, text := range texts {
		if id, err := strconv.Atoi(text); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}
