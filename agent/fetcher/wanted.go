package fetcher

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strings"

	"github.com/soukproject/souk/agent/archive"
)

// wanted is a URI that was understood.
type wanted struct {
	URI
	url  *url.URL // of a file on the web
	path string   // of one on this machine
	name string   // in the sandbox, with slashes
}

func (w wanted) unpacks() bool { return w.Extract && !w.Executable && archive.Known(w.name) }

// shown is the address without what might be a password.
func (w wanted) shown() string {
	if w.url != nil {
		return w.url.Redacted()
	}
	return w.Value
}

const maxURIs = 1000

// wanted reads all URIs before anything is fetched.
func (f *Fetcher) wanted(uris []URI) ([]wanted, error) {
	if len(uris) > maxURIs {
		return nil, fmt.Errorf("the task names %d URIs, the limit is %d", len(uris), maxURIs)
	}
	var all []wanted
	for _, u := range uris {
		w, err := f.read(u)
		if err != nil {
			return nil, fmt.Errorf("URI '%s': %w", w.shown(), err)
		}
		all = append(all, w)
	}
	return all, nil
}

func (f *Fetcher) read(u URI) (w wanted, err error) {
	w = wanted{URI: u}
	if strings.ContainsAny(u.Value, "\x00\n\r'\\") {
		return w, errors.New("it holds a quote, backslash, line break or NUL")
	}
	from := u.Value
	scheme, rest, ok := strings.Cut(u.Value, "://")
	switch {
	case !ok:
		w.path, err = f.local(u.Value)
	case scheme == "file":
		_, rest, _ = strings.Cut(rest, "/") // a host, which is this one
		w.path, err = f.local("/" + rest)
	case scheme == "http" || scheme == "https":
		if w.url, err = url.Parse(u.Value); err == nil && w.url.Host == "" {
			err = errors.New("it names no host")
		}
		if err == nil {
			from = w.url.Path
		}
	case scheme == "ftp" || scheme == "ftps":
		err = fmt.Errorf("%s is not supported by this agent: offer the file by https", scheme)
	default:
		err = fmt.Errorf("%s needs Hadoop's client in Mesos and is not supported by this agent: offer the file by https", scheme)
	}
	if err != nil {
		return w, err
	}
	w.name, err = outputName(u.Output, from)
	return w, err
}

func (f *Fetcher) local(name string) (string, error) {
	switch {
	case name == "":
		return "", errors.New("it is empty")
	case filepath.IsAbs(name):
		return filepath.Clean(name), nil
	case f.cfg.FrameworksHome == "":
		return "", errors.New("a relative path needs an agent with --frameworks_home")
	}
	return filepath.Join(f.cfg.FrameworksHome, name), nil
}

// outputName is where a file goes in the sandbox. Mesos lets output_file lead
// anywhere; this does not.
func outputName(output, from string) (string, error) {
	if output == "" {
		name := path.Base(from)
		if name == "." || name == "/" || name == ".." {
			return "", errors.New("it does not end with a file's name: set output_file")
		}
		return name, checkOutput(name)
	}
	clean := path.Clean(output)
	if path.IsAbs(output) || !filepath.IsLocal(clean) || clean == "." {
		return "", fmt.Errorf("output_file '%s' does not lie in the sandbox: use a relative path without ..", output)
	}
	return clean, checkOutput(clean)
}

// checkOutput keeps fetched files from the names of the task's own output.
func checkOutput(name string) error {
	if name == "stdout" || name == "stderr" {
		return fmt.Errorf("'%s' is where the task's output goes: set another output_file", name)
	}
	return nil
}
