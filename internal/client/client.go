// Package client is the operator's side of souk: the subcommands that ask a
// cluster rather than being part of it. It owns how a master is found and asked,
// how answers are read and printed, and one file per command. It does not own
// the daemons, and it knows only what the HTTP API says.
//
// A command reads its flags, asks, and prints: a table for people, or with --json
// what the cluster answered. Everything is done when it returns.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/soukproject/souk/internal/daemon"
)

// A Command is one that asks a cluster.
type Command struct {
	Name, Summary string
	Usage         func() string
	// Run may return daemon.ErrHelp: Usage is to be printed then.
	Run func(ctx context.Context, args, environ []string, out io.Writer) error
}

// Commands lists them in the order of the help.
func Commands() []Command {
	return []Command{explainCommand()}
}

// Bounds of a conversation: a master that does not answer must not hang a
// terminal, nor fill its memory.
const (
	answerTimeout = 2 * time.Minute
	maxAnswer     = 256 << 20
)

// A connection is how a command finds the master and prints what it says.
type connection struct {
	master string // host:port
	json   bool
}

// defaultMaster is where a cluster on this machine listens.
const defaultMaster = "127.0.0.1:5050"

// flags begins the flags of a command with those that all have.
func (c *connection) flags(command string) *daemon.FlagSet {
	c.master = defaultMaster
	f := daemon.NewFlags("souk " + command)
	f.Func("master", c.master, "Address of a master, host:port; one that does not lead sends on to the one that does", func(text string) (err error) {
		c.master, err = readMaster(text)
		return err
	})
	f.Bool(&c.json, "json", "Print what the master answered, as JSON")
	return f
}

func readMaster(text string) (string, error) {
	if strings.HasPrefix(text, "zk://") {
		return "", errors.New("commands do not ask ZooKeeper: give host:port of any master, which sends on to the leader")
	}
	address := strings.TrimSuffix(strings.TrimPrefix(text, "http://"), "/")
	if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
		return "", fmt.Errorf("%q is not host:port, such as %s", text, defaultMaster)
	}
	return address, nil
}

// get asks the master and returns the body of the answer. A redirect to the
// leader is followed.
func (c *connection) get(ctx context.Context, path string, query url.Values) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	target := url.URL{Scheme: "http", Host: c.master, Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the master at %s: %w: is it running? name another with --master=host:port", c.master, cause(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer of the master at %s: %w", c.master, err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("the answer of the master at %s is longer than %d bytes: ask for less", c.master, maxAnswer)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the master at %s answers %s: %s", c.master, resp.Status, strings.TrimSpace(string(body)))
	}
	return body, nil
}

// cause is what went wrong, without the request: that is told already.
func cause(err error) error {
	if e := (*url.Error)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// getInto is get for an answer that is read.
func (c *connection) getInto(ctx context.Context, path string, query url.Values, into any) error {
	body, err := c.get(ctx, path, query)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("read the answer of the master at %s: %w: is it of the same version as this program?", c.master, err)
	}
	return nil
}
