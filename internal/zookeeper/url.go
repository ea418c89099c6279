package zookeeper

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	scheme      = "zk://"
	defaultPort = "2181"

	maxURL     = 4096
	maxServers = 64
)

// A URL says where an ensemble is, who asks, and below which path.
type URL struct {
	Servers        []string // host:port
	Path           string   // absolute, without a slash at its end; never the root
	User, Password string   // of digest authentication; "": none
}

// IsURL reports whether text is meant to be a zk:// address.
func IsURL(text string) bool { return strings.HasPrefix(text, scheme) }

// ParseURL reads zk://[user:password@]host1:port1,host2:port2,…/path
// (mesos-api 7.1). The error does not repeat the password.
func ParseURL(text string) (URL, error) {
	rest, ok := strings.CutPrefix(text, scheme)
	switch {
	case !ok:
		return URL{}, errors.New("it does not begin with zk://: write zk://host1:2181,host2:2181,host3:2181/path")
	case len(text) > maxURL:
		return URL{}, fmt.Errorf("it is longer than %d bytes", maxURL)
	}
	authority, path, _ := strings.Cut(rest, "/")
	var u URL
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		var given bool
		u.User, u.Password, given = strings.Cut(authority[:at], ":")
		if !given || u.User == "" || u.Password == "" {
			return URL{}, errors.New("credentials before @ are not user:password")
		}
		authority = authority[at+1:]
	}
	var err error
	if u.Servers, err = parseServers(authority); err != nil {
		return URL{}, err
	}
	u.Path, err = cleanPath(path)
	return u, err
}

func parseServers(text string) ([]string, error) {
	var servers []string
	for one := range strings.SplitSeq(text, ",") {
		server, err := parseServer(strings.TrimSpace(one))
		if err != nil {
			return nil, err
		}
		servers = append(servers, server)
	}
	if len(servers) > maxServers {
		return nil, fmt.Errorf("it names %d servers, at most %d", len(servers), maxServers)
	}
	return servers, nil
}

// parseServer reads host or host:port; an IPv6 address stands in brackets.
func parseServer(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port, err = net.SplitHostPort(text + ":" + defaultPort)
	}
	n, bad := strconv.ParseUint(port, 10, 16)
	if err != nil || host == "" || bad != nil || n == 0 || strings.ContainsAny(host, " \t\r\n/@") {
		return "", fmt.Errorf("%q is not host:port", text)
	}
	return net.JoinHostPort(host, port), nil
}

// cleanPath makes a path absolute and refuses what ZooKeeper would.
func cleanPath(text string) (string, error) {
	text = strings.Trim(text, "/")
	if text == "" {
		return "", errors.New("it has no path: end it with one of this cluster's own, such as /mesos")
	}
	for name := range strings.SplitSeq(text, "/") {
		if name == "" || name == "." || name == ".." || name == "zookeeper" || !printable(name) {
			return "", fmt.Errorf("path element %q cannot be used", name)
		}
	}
	return "/" + text, nil
}

func printable(name string) bool {
	return utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= 0x1f || r >= 0x7f && r <= 0x9f || r >= 0xd800 && r <= 0xf8ff || r >= 0xfff0 && r <= 0xffff
	})
}

// String is the URL without its credentials, for logs.
func (u URL) String() string {
	return scheme + strings.Join(u.Servers, ",") + u.Path
}

// Below is u with a path further down.
func (u URL) Below(names ...string) URL {
	u.Servers = slices.Clone(u.Servers)
	u.Path += "/" + strings.Join(names, "/")
	return u
}
