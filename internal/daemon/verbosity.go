package daemon

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/soukproject/souk/internal/callevent"
)

// A Verbosity lets a daemon's log tell more for a while. Its levels count as
// those of Mesos do: 0 is the normal one, and any above lets everything
// through. Safe for concurrent use.
type Verbosity struct {
	log    *zap.Logger
	level  zap.AtomicLevel
	normal zapcore.Level

	mu    sync.Mutex
	now   uint32
	timer *time.Timer // of the change in force; nil before the first
}

// NewVerbosity returns one that raises level from what it is now. log is told
// of changes. A daemon that was given neither logs nothing at any level.
func NewVerbosity(level zap.AtomicLevel, log *zap.Logger) *Verbosity {
	if level == (zap.AtomicLevel{}) {
		level = zap.NewAtomicLevel()
	}
	if log == nil {
		log = zap.NewNop()
	}
	return &Verbosity{log: log, level: level, normal: level.Level()}
}

// Level is the one in force. A daemon that logs everything anyway is at 1.
func (v *Verbosity) Level() uint32 {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.now == 0 && v.level.Enabled(zap.DebugLevel) {
		return 1
	}
	return v.now
}

// Raise makes level the one in force for a duration; an earlier change is over.
func (v *Verbosity) Raise(level uint32, duration time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.timer != nil {
		v.timer.Stop()
	}
	v.set(level)
	var timer *time.Timer
	timer = time.AfterFunc(duration, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.timer == timer { // no later change came between
			v.set(0)
		}
	})
	v.timer = timer
	v.log.Info("log level changed", zap.Uint32("level", level), zap.Stringer("least", v.level.Level()), zap.Duration("duration", duration))
}

func (v *Verbosity) set(level uint32) {
	v.now = level
	if level > 0 {
		v.level.SetLevel(zap.DebugLevel)
		return
	}
	v.level.SetLevel(v.normal)
}

// Toggle answers /logging/toggle: the level as text, or a change of it.
func (v *Verbosity) Toggle(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	level, duration := query.Get("level"), query.Get("duration")
	switch {
	case level == "" && duration == "":
		WriteText(w, http.StatusOK, fmt.Sprintf("%d\n", v.Level()))
		return
	case level == "":
		WriteText(w, http.StatusBadRequest, "Expecting 'level=value' in query.\n")
		return
	case duration == "":
		WriteText(w, http.StatusBadRequest, "Expecting 'duration=value' in query.\n")
		return
	}
	n, err := strconv.ParseUint(level, 10, 32)
	if err != nil {
		WriteText(w, http.StatusBadRequest, fmt.Sprintf("Invalid level '%s'.\n", level))
		return
	}
	d, err := ParseDuration(duration)
	if err != nil {
		WriteText(w, http.StatusBadRequest, fmt.Sprintf("Invalid duration %v.\n", err))
		return
	}
	v.Raise(uint32(n), d)
	callevent.WriteEmpty(w, http.StatusOK)
}
