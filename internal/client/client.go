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

	"github.com/soukproject/souk/internal/auth"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/leader/zkleader"
	"github.com/soukproject/souk/internal/zookeeper"
)

// A Command is one that asks a cluster.
type Command struct {
	Name, Summary string
	Usage         func() string
	// Run may return daemon.ErrHelp: Usage is to be printed then.
	Run func(ctx context.Context, args, environ []string, t Terminal) error
}

// A Terminal is where a command reads and writes. What the cluster answers goes
// to Out, what the command says about itself to Err.
type Terminal struct {
	In       io.Reader
	Out, Err io.Writer
}

// An Exit is the status of a process in the cluster, to be the command's own.
// It says nothing more: the process has.
type Exit struct{ Status int }

func (e *Exit) Error() string { return fmt.Sprintf("exit status %d", e.Status) }

// Commands lists them in the order of the help.
func Commands() []Command {
	return []Command{
		agentsCommand(), frameworksCommand(), tasksCommand(), runCommand(), logsCommand(), execCommand(), explainCommand(),
	}
}

// Bounds of a conversation: a master that does not answer must not hang a
// terminal, nor fill its memory.
const (
	answerTimeout = 2 * time.Minute
	maxAnswer     = 256 << 20
	electTimeout  = 20 * time.Second
)

// A connection is how a command finds the master and prints what it says.
type connection struct {
	master     string // host:port, or zk://… until locate
	credential auth.Credential
	json       bool
}

// defaultMaster is where a cluster on this machine listens.
const defaultMaster = "127.0.0.1:5050"

// flags begins the flags of a command with those that all have.
func (c *connection) flags(command string) *daemon.FlagSet {
	f := c.masterFlag(command)
	f.Bool(&c.json, "json", "Print what the master answered, as JSON")
	return f
}

// masterFlag begins the flags of a command that has no answer to print.
func (c *connection) masterFlag(command string) *daemon.FlagSet {
	c.master = defaultMaster
	f := daemon.NewFlags("souk " + command)
	f.Func("master", c.master, "Address of a master, host:port; one that does not lead sends on to the one that does. Or zk://h1:p1,h2:p2/path, where masters elect", func(text string) (err error) {
		c.master, err = readMaster(text)
		return err
	})
	f.PathFunc("credential", "", "File with a principal and its secret, as JSON or on a line, for a cluster that asks for credentials", func(path string) (err error) {
		c.credential, err = auth.ReadCredential(path)
		return err
	})
	return f
}

func readMaster(text string) (string, error) {
	if zookeeper.IsURL(text) {
		_, err := zookeeper.ParseURL(text)
		return text, err
	}
	address := strings.TrimSuffix(strings.TrimPrefix(text, "http://"), "/")
	if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
		return "", fmt.Errorf("%q is not host:port, such as %s", text, defaultMaster)
	}
	return address, nil
}

// locate asks ZooKeeper who leads, if that is where to look.
func (c *connection) locate(ctx context.Context) error {
	if !zookeeper.IsURL(c.master) {
		return nil
	}
	u, err := zookeeper.ParseURL(c.master)
	if err != nil {
		return err
	}
	d := zkleader.NewDetector(zkleader.Config{URL: u, Format: zkleader.Masters()})
	defer d.Close()
	ctx, cancel := context.WithTimeout(ctx, electTimeout)
	defer cancel()
	l, err := d.Detect(ctx, leader.Leader{})
	if err != nil {
		return fmt.Errorf("find the leading master in ZooKeeper: %w", err)
	}
	c.master = l.Address
	return nil
}

// get asks the master and returns the body of the answer. A redirect to the
// leader is followed.
func (c *connection) get(ctx context.Context, path string, query url.Values) ([]byte, error) {
	if err := c.locate(ctx); err != nil {
		return nil, err
	}
	target := url.URL{Scheme: "http", Host: c.master, Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequest(http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, err
	}
	return exchange(ctx, c.credential.Client(), req, "the master at "+c.master, "is it running? name another with --master=host:port")
}

// exchange makes a request of a peer and returns the body of its answer; remedy
// is what to do when it cannot be reached.
func exchange(ctx context.Context, by *http.Client, req *http.Request, peer, remedy string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	resp, err := by.Do(req.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w: %s", peer, cause(err), remedy)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer of %s: %w", peer, err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("the answer of %s is longer than %d bytes: ask for less", peer, maxAnswer)
	case resp.StatusCode != http.StatusOK:
		return nil, refused(peer, resp.StatusCode, body)
	}
	return body, nil
}

// A refusal is an answer other than 200.
type refusal struct {
	peer   string
	status int
	text   string
}

func refused(peer string, status int, body []byte) *refusal {
	return &refusal{peer, status, printable(strings.TrimSpace(string(body)))}
}

func (r *refusal) Error() string {
	if r.status == http.StatusUnauthorized {
		return fmt.Sprintf("%s asks who you are: prove it with --credential=FILE", r.peer)
	}
	return strings.TrimSuffix(fmt.Sprintf("%s answers %d %s: %s", r.peer, r.status, http.StatusText(r.status), r.text), ": ")
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
