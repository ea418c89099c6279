package client

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// terminalOf is the terminal that in reads.
func terminalOf(in io.Reader) (*os.File, error) {
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f, nil
	}
	return nil, errors.New("flag --tty needs a terminal, and the input is none: leave it out, --interactive does without")
}

// raw hands keys on as they are typed, Ctrl-C too, until restore is called.
func raw(screen *os.File) (restore func(), err error) {
	if screen == nil {
		return func() {}, nil
	}
	before, err := term.MakeRaw(int(screen.Fd()))
	if err != nil {
		return nil, fmt.Errorf("take over the terminal: %w", err)
	}
	return func() { _ = term.Restore(int(screen.Fd()), before) }, nil
}

func windowOf(screen *os.File) (*mesospb.TTYInfo, error) {
	columns, rows, err := term.GetSize(int(screen.Fd()))
	if err != nil {
		return nil, fmt.Errorf("ask the terminal for its size: %w", err)
	}
	return &mesospb.TTYInfo{WindowSize: &mesospb.TTYInfo_WindowSize{Rows: new(uint32(rows)), Columns: new(uint32(columns))}}, nil
}

// resizes tells when the window may have another size; never without a screen.
func resizes(screen *os.File) (<-chan os.Signal, func()) {
	c := make(chan os.Signal, 1)
	if screen == nil {
		return c, func() {}
	}
	signal.Notify(c, syscall.SIGWINCH)
	return c, func() { signal.Stop(c) }
}

// variable reads NAME=VALUE.
func variable(text string) (*mesospb.Environment_Variable, error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return nil, fmt.Errorf("%q is not NAME=VALUE", text)
	}
	return &mesospb.Environment_Variable{Name: &name, Value: &value, Type: mesospb.Environment_Variable_VALUE.Enum()}, nil
}
