// Package doctest keeps the documentation true: it reads the command blocks of
// the README, the tutorial and the how-to pages, runs them in order as a reader
// would, and compares what they print with what the page shows. It owns the
// conventions of those blocks and the comparison. It does not own the clusters
// the pages start: those are the programs in bin/.
//
// Conventions, per page:
//
//   - A block fenced as sh runs, in the one shell of the page. It fails when a
//     command fails.
//   - The block fenced as text right after it is what it prints, white space aside.
//     An … stands for anything. Without such a block, a curl that is answered
//     with 400 or more is a failure too.
//   - "sh retry" is run again and again until it prints what is shown.
//   - A block that begins with "# terminal NAME" runs in a terminal of its own,
//     until a block "# terminal NAME: Ctrl-C", or the end of the page.
//   - A block that begins with "# by hand" is not run. The reader sees why.
//
// A page uses the ports of Ports; a test puts free ones in their place.
package doctest

import (
	"fmt"
	"strings"
)

// A Block is a fenced block of commands on a page, with what it prints.
type Block struct {
	Line     int    // of the fence, from 1
	Text     string // the commands
	Expected string // what the page shows as the output
	Shown    bool   // whether the page shows an output
	Retry    bool   // run until Expected is printed
	Terminal string // name of the terminal it runs in, "" for the page's shell
	Stop     bool   // it ends that terminal, rather than beginning it
	ByHand   bool   // it is for readers only
}

// A fence is one fenced block of any kind.
type fence struct {
	info  string
	line  int
	text  string
	after bool // nothing but empty lines between it and the fence before
}

// Parse finds the blocks of a page. The error names the line.
func Parse(page string) ([]Block, error) {
	all, err := fences(page)
	if err != nil {
		return nil, err
	}
	var blocks []Block
	last := -1 // of the fence that the last block came from
	for i, f := range all {
		words := strings.Fields(f.info)
		switch {
		case len(words) == 0:
		case words[0] == "text" && last >= 0 && last == i-1 && f.after:
			b := &blocks[len(blocks)-1]
			b.Expected, b.Shown = f.text, true
		case words[0] == "sh":
			b, err := newBlock(f, words[1:])
			if err != nil {
				return nil, err
			}
			blocks, last = append(blocks, b), i
		}
	}
	for _, b := range blocks {
		if b.Retry && !b.Shown {
			return nil, fmt.Errorf("line %d: a block to retry shows no output to wait for", b.Line)
		}
	}
	return blocks, nil
}

func fences(page string) ([]fence, error) {
	var all []fence
	var open *fence
	after := false
	number := 0
	for line := range strings.Lines(page) {
		number++
		text := strings.TrimRight(line, "\r\n")
		info, isFence := strings.CutPrefix(text, "```")
		switch {
		case open != nil && isFence:
			all, open, after = append(all, *open), nil, true
		case open != nil:
			open.text += text + "\n"
		case isFence:
			open = &fence{info: info, line: number, after: after}
		case strings.TrimSpace(text) != "":
			after = false
		}
	}
	if open != nil {
		return nil, fmt.Errorf("line %d: the block has no end", open.line)
	}
	return all, nil
}

func newBlock(f fence, marks []string) (Block, error) {
	b := Block{Line: f.line, Text: f.text}
	for _, m := range marks {
		if m != "retry" {
			return b, fmt.Errorf("line %d: %q says nothing about a block", f.line, m)
		}
		b.Retry = true
	}
	first, _, _ := strings.Cut(f.text, "\n")
	if strings.HasPrefix(first, "# by hand") {
		b.ByHand = true
	}
	if name, ok := strings.CutPrefix(first, "# terminal "); ok {
		name, key, stop := strings.Cut(name, ":")
		b.Terminal, b.Stop = strings.TrimSpace(name), stop
		if stop && strings.TrimSpace(key) != "Ctrl-C" {
			return b, fmt.Errorf("line %d: a terminal is ended with Ctrl-C, not with %q", f.line, key)
		}
	}
	return b, nil
}
