package shim

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/soukproject/souk/agent/account"
	"github.com/soukproject/souk/agent/containerizer"
)

// Program is a command made ready for this machine: names looked up, defaults
// filled in.
type Program struct {
	Path   string   `json:"path"` // may be relative to Dir
	Argv   []string `json:"argv"`
	Env    []string `json:"env,omitempty"`
	Dir    string   `json:"dir"`
	UID    int      `json:"uid"`
	GID    int      `json:"gid"`
	Groups []int    `json:"groups,omitempty"`
}

// defaultPath is searched when the environment has no PATH, as execvp does.
const defaultPath = "/usr/local/bin:/usr/bin:/bin"

// idle is what runs in an idle container where nothing smaller is at hand.
const idle = "while :; do sleep 86400; done"

// Resolve prepares the command of c. Its errors are for the user who wrote it.
func Resolve(c containerizer.Config) (Program, error) {
	p := Program{Env: lastOfEach(c.Command.Env)}
	if err := checkDir("sandbox", c.Sandbox); err != nil {
		return Program{}, err
	}
	if c.Rootfs != nil {
		return p.inImage(c), nil
	}
	p.Dir = c.Command.WorkDir
	if !filepath.IsAbs(p.Dir) {
		p.Dir = filepath.Join(c.Sandbox, p.Dir)
	}
	if err := checkDir("work directory", p.Dir); err != nil {
		return Program{}, err
	}
	if err := p.become(c.Command.User); err != nil {
		return Program{}, err
	}
	switch {
	case c.Idle:
		p.Path, p.Argv = "/bin/sh", []string{"sh", "-c", idle}
		return p, nil
	case c.Command.Shell:
		p.Path, p.Argv = "/bin/sh", []string{"sh", "-c", c.Command.Value}
		return p, nil
	}
	p.Argv = c.Command.Args
	if len(p.Argv) == 0 {
		p.Argv = []string{c.Command.Value}
	}
	var err error
	p.Path, err = lookup(c.Command.Value, p.Dir, p.Env)
	return p, err
}

// inImage prepares what can be known of a command without looking into its image.
func (p Program) inImage(c containerizer.Config) Program {
	p.Dir = c.Command.WorkDir
	if !filepath.IsAbs(p.Dir) {
		p.Dir = filepath.Join(containerizer.SandboxPath, p.Dir)
	}
	p.Path, p.Argv = c.Command.Value, c.Command.Args
	if c.Command.Shell {
		p.Path, p.Argv = "/bin/sh", []string{"sh", "-c", c.Command.Value}
	}
	if len(p.Argv) == 0 {
		p.Argv = []string{c.Command.Value}
	}
	return p
}

// lastOfEach drops all but the last setting of a variable and keeps the order:
// programs disagree on which of two counts.
func lastOfEach(env []string) []string {
	seen := map[string]bool{}
	var kept []string
	for _, kv := range slices.Backward(env) {
		name, _, _ := strings.Cut(kv, "=")
		if !seen[name] {
			seen[name] = true
			kept = append(kept, kv)
		}
	}
	slices.Reverse(kept)
	return kept
}

// Override adds settings to an environment.
func Override(env, settings []string) []string {
	return lastOfEach(slices.Concat(env, settings))
}

func checkDir(what, path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s %s does not exist", what, path)
	case err != nil:
		return fmt.Errorf("%s %s cannot be used: %w", what, path, Reason(err))
	case !info.IsDir():
		return fmt.Errorf("%s %s is not a directory", what, path)
	}
	return nil
}

// become fills in whom the program runs as.
func (p *Program) become(name string) error {
	p.UID, p.GID = os.Getuid(), os.Getgid()
	if name == "" {
		return nil
	}
	u, err := account.Lookup(name)
	if err != nil {
		return err
	}
	if u.UID == p.UID {
		return nil
	}
	if p.UID != 0 {
		return fmt.Errorf("user %q: the agent runs without root rights and can only run commands as its own user; leave the user out or run the agent as root", name)
	}
	p.UID, p.GID, p.Groups = u.UID, u.GID, u.Groups
	return nil
}

// lookup finds a program as a shell in dir would. What it finds may still turn
// out not to be executable when it is tried.
func lookup(value, dir string, env []string) (string, error) {
	if strings.Contains(value, "/") {
		return value, executable(value, dir)
	}
	path := Program{Env: env}.SearchPath()
	for _, d := range filepath.SplitList(path) {
		if d == "" {
			d = "."
		}
		if found := filepath.Join(d, value); executable(found, dir) == nil {
			if !filepath.IsAbs(found) {
				found = "./" + found
			}
			return found, nil
		}
	}
	return "", fmt.Errorf("command %q: no such program in PATH %s", value, path)
}

// SearchPath is where programs named without a slash are looked for.
func (p Program) SearchPath() string {
	for _, kv := range p.Env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			return v
		}
	}
	return defaultPath
}

func executable(path, dir string) error {
	full := path
	if !filepath.IsAbs(full) {
		full = filepath.Join(dir, path)
	}
	info, err := os.Stat(full)
	switch {
	case err != nil:
		return fmt.Errorf("command %q cannot be run: %w", path, Reason(err))
	case info.IsDir():
		return fmt.Errorf("command %q is a directory", path)
	case info.Mode()&0o111 == 0:
		return fmt.Errorf("command %q cannot be run: permission denied, it is not executable; try chmod +x", path)
	}
	return nil
}

// Reason is the last cause in err, without the operations and paths around it.
func Reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// Environ is Env, but never nil: that would mean the environment of the caller.
func (p Program) Environ() []string { return append([]string{}, p.Env...) }

// ExecError says why the kernel refused to run p.
func ExecError(p Program, err error) error {
	hint := ""
	switch {
	case errors.Is(err, syscall.ENOENT):
		hint = "; is the interpreter in its first line installed, and the work directory there?"
	case errors.Is(err, syscall.EACCES):
		hint = fmt.Sprintf("; may user %d execute it and enter %s?", p.UID, p.Dir)
	case errors.Is(err, syscall.ENOEXEC):
		hint = "; a script needs a first line such as #!/bin/sh, a program must be built for this machine"
	case errors.Is(err, syscall.E2BIG):
		hint = "; shorten the arguments or the environment"
	}
	return fmt.Errorf("command %q cannot be run: %w%s", p.Path, err, hint)
}
