// Package zookeeper is the only door to the ZooKeeper client library. It owns
// addresses (zk://…), sessions with an end that is noticed in time, operations
// that end with their context, credentials and access lists, and the errors
// that callers branch on. It does not own what is stored, or elections.
//
// What the library lacks is made good here: it dials names resolved once, waits
// ten times as long as it should for a frozen server, replaces an expired
// session by another one without a word, never tells that a session may have
// expired while no server can be reached, forgets credentials that were given
// while the connection broke, and blocks callers for as long as nobody answers.
// All types may be used by several goroutines at once.
package zookeeper

import (
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
)

var (
	// ErrNotFound says that the node does not exist.
	ErrNotFound = errors.New("znode does not exist")
	// ErrExists says that the node to create exists.
	ErrExists = errors.New("znode exists already")
	// ErrVersion says that the node is not at the version named.
	ErrVersion = errors.New("znode was changed by another writer")
	// ErrNotEmpty says that the node to delete has children.
	ErrNotEmpty = errors.New("znode has children")
	// ErrDenied says that the access list of a node refuses.
	ErrDenied = errors.New("permission denied: give credentials as zk://user:password@…, or choose another path")
	// ErrInterrupted says that the connection broke: the operation may or may
	// not have happened.
	ErrInterrupted = errors.New("connection to ZooKeeper was interrupted")
	// ErrSessionLost says that the session has ended, or may have.
	ErrSessionLost = errors.New("ZooKeeper session was lost")
)

// translate makes the library's errors into those of this package.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, zk.ErrNoNode):
		return ErrNotFound
	case errors.Is(err, zk.ErrNodeExists):
		return ErrExists
	case errors.Is(err, zk.ErrBadVersion):
		return ErrVersion
	case errors.Is(err, zk.ErrNotEmpty):
		return ErrNotEmpty
	case errors.Is(err, zk.ErrNoAuth), errors.Is(err, zk.ErrAuthFailed):
		return ErrDenied
	case errors.Is(err, zk.ErrSessionExpired):
		return fmt.Errorf("%w: expired", ErrSessionLost)
	case errors.Is(err, zk.ErrConnectionClosed), errors.Is(err, zk.ErrNoServer), errors.Is(err, zk.ErrClosing),
		errors.Is(err, zk.ErrSessionMoved), errors.Is(err, zk.ErrUnknown):
		return fmt.Errorf("%w: %w", ErrInterrupted, err)
	}
	// Whatever else came from the socket leaves the outcome open as well.
	return fmt.Errorf("%w: %w", ErrInterrupted, err)
}
