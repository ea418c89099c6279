package chaos

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// A trace tells what happens, a line each, with the time since the start.
type trace struct {
	mu    sync.Mutex
	to    io.Writer
	start time.Time
}

func (tr *trace) say(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	now := time.Now()
	fmt.Fprintf(tr.to, "%s %8.3fs  %s\n", now.UTC().Format("15:04:05.000"), now.Sub(tr.start).Seconds(), fmt.Sprintf(format, args...))
}
