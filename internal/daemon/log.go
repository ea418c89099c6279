package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Logging is where a daemon's log goes. The zero value logs INFO to stderr as text.
type Logging struct {
	Level string // DEBUG, INFO, WARNING or ERROR; "" is INFO
	Dir   string // a file <name>.log in this folder besides stderr; "" for none
	Quiet bool   // nothing on stderr
	JSON  bool   // one JSON object per line in place of text
}

// AddFlags adds --logging_level, --log_dir, --quiet and --log_json to f.
func (l *Logging) AddFlags(f *FlagSet) {
	l.Level = "INFO"
	f.Func("logging_level", l.Level, "Least severe messages to log: DEBUG, INFO, WARNING or ERROR", func(text string) error {
		if _, err := parseLevel(text); err != nil {
			return err
		}
		l.Level = text
		return nil
	})
	f.Path(&l.Dir, "log_dir", "Folder for a log file, besides stderr")
	f.Bool(&l.Quiet, "quiet", "Log nothing to stderr")
	f.Bool(&l.JSON, "log_json", "Log one JSON object per line")
}

func parseLevel(text string) (zapcore.Level, error) {
	switch strings.ToUpper(text) {
	case "DEBUG":
		return zap.DebugLevel, nil
	case "", "INFO":
		return zap.InfoLevel, nil
	case "WARN", "WARNING":
		return zap.WarnLevel, nil
	case "ERROR":
		return zap.ErrorLevel, nil
	}
	return 0, fmt.Errorf("%q is not a level: write DEBUG, INFO, WARNING or ERROR", text)
}

// NewLogger returns the logger of the daemon called name, its level, which may
// be changed while it runs, and a function that flushes and closes.
func NewLogger(name string, l Logging) (*zap.Logger, zap.AtomicLevel, func() error, error) {
	parsed, err := parseLevel(l.Level)
	if err != nil {
		return nil, zap.AtomicLevel{}, nil, err
	}
	level := zap.NewAtomicLevelAt(parsed)
	sinks, closeSinks, err := l.sinks(name)
	if err != nil {
		return nil, zap.AtomicLevel{}, nil, err
	}
	core := zapcore.NewCore(l.encoder(), zap.CombineWriteSyncers(sinks...), level)
	log := zap.New(core, zap.ErrorOutput(zapcore.Lock(os.Stderr))).Named(name)
	return log, level, closeSinks, nil
}

func (l Logging) encoder() zapcore.Encoder {
	config := zap.NewProductionEncoderConfig()
	config.EncodeTime = zapcore.ISO8601TimeEncoder
	config.EncodeDuration = zapcore.StringDurationEncoder
	config.EncodeLevel = zapcore.CapitalLevelEncoder
	if l.JSON {
		return zapcore.NewJSONEncoder(config)
	}
	config.ConsoleSeparator = " "
	return zapcore.NewConsoleEncoder(config)
}

func (l Logging) sinks(name string) ([]zapcore.WriteSyncer, func() error, error) {
	var sinks []zapcore.WriteSyncer
	if !l.Quiet {
		sinks = append(sinks, zapcore.Lock(os.Stderr))
	}
	if l.Dir == "" {
		return sinks, func() error { return nil }, nil
	}
	if err := os.MkdirAll(l.Dir, 0o755); err != nil {
		return nil, nil, fmt.Errorf("flag --log_dir: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(l.Dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, nil, fmt.Errorf("flag --log_dir: %w", err)
	}
	closeFile := func() error { return errors.Join(file.Sync(), file.Close()) }
	return append(sinks, zapcore.Lock(file)), closeFile, nil
}
