package api

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/master/core"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
)

// maxLoggingLevel is the most verbose level there is; Mesos counts up to 3.
const maxLoggingLevel = 3

// loggingLevel is 0 for the normal level and more while debugging is on.
func (a *api) loggingLevel() uint32 {
	if a.Level.Enabled(zap.DebugLevel) {
		return 1
	}
	return 0
}

// A raiser changes the level for a while and remembers the one to return to.
type raiser struct {
	level  zap.AtomicLevel
	normal zapcore.Level

	mu    sync.Mutex
	timer *time.Timer // of the change in force; nil before the first
}

func newRaiser(level zap.AtomicLevel) *raiser {
	return &raiser{level: level, normal: level.Level()}
}

// raise makes level the one in force for a duration; an earlier change is over.
func (r *raiser) raise(level uint32, duration time.Duration) zapcore.Level {
	now := r.normal
	if level > 0 {
		now = zap.DebugLevel
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer != nil {
		r.timer.Stop()
	}
	r.level.SetLevel(now)
	r.timer = time.AfterFunc(duration, func() { r.level.SetLevel(r.normal) })
	return now
}

func (a *api) raise(level uint32, duration time.Duration) {
	now := a.raiser.raise(level, duration)
	a.Log.Info("log level changed", zap.Stringer("level", now), zap.Duration("duration", duration))
}

func (a *api) setLoggingLevel(w http.ResponseWriter, call *masterpb.Call_SetLoggingLevel) error {
	a.raise(call.GetLevel(), time.Duration(call.GetDuration().GetNanoseconds()))
	return writeReply(w, core.Reply{Code: http.StatusOK})
}

// loggingToggle answers /logging/toggle: the level as text, or a change of it.
func (a *api) loggingToggle(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	level, duration := query.Get("level"), query.Get("duration")
	switch {
	case level == "" && duration == "":
		callevent.WriteError(w, &callevent.Error{Code: http.StatusOK, Text: fmt.Sprintf("%d\n", a.loggingLevel())})
		return
	case level == "":
		callevent.WriteError(w, callevent.Errorf(http.StatusBadRequest, "Expecting 'level=value' in query.\n"))
		return
	case duration == "":
		callevent.WriteError(w, callevent.Errorf(http.StatusBadRequest, "Expecting 'duration=value' in query.\n"))
		return
	}
	n, err := strconv.ParseUint(level, 10, 32)
	if err != nil || n > maxLoggingLevel {
		callevent.WriteError(w, callevent.Errorf(http.StatusBadRequest, "Invalid level '%s': write a number from 0 to %d.\n", level, maxLoggingLevel))
		return
	}
	d, err := daemon.ParseDuration(duration)
	if err != nil {
		callevent.WriteError(w, callevent.Errorf(http.StatusBadRequest, "Invalid duration %v.\n", err))
		return
	}
	a.raise(uint32(n), d)
	_ = writeReply(w, core.Reply{Code: http.StatusOK})
}
