package executor

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Defaults of what an agent leaves out of the environment (Mesos).
const (
	defaultRecovery = 15 * time.Minute
	defaultBackoff  = 2 * time.Second
	defaultGrace    = 5 * time.Second
)

// FromEnvironment reads what an agent tells an executor; lookup is os.LookupEnv
// in programs.
func FromEnvironment(lookup func(name string) (string, bool)) (Config, error) {
	cfg := Config{Recovery: defaultRecovery, Backoff: defaultBackoff, Grace: defaultGrace}
	for name, field := range map[string]*string{
		"MESOS_AGENT_ENDPOINT": &cfg.Agent, "MESOS_FRAMEWORK_ID": &cfg.Framework, "MESOS_EXECUTOR_ID": &cfg.Executor,
	} {
		text, _ := lookup(name)
		if text == "" {
			return cfg, fmt.Errorf("executor: %s is not set: agents set it for the executors that they start", name)
		}
		*field = text
	}
	for name, field := range map[string]*time.Duration{
		"MESOS_RECOVERY_TIMEOUT": &cfg.Recovery, "MESOS_SUBSCRIPTION_BACKOFF_MAX": &cfg.Backoff,
		"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": &cfg.Grace,
	} {
		text, ok := lookup(name)
		if !ok {
			continue
		}
		d, err := duration(text)
		if err != nil {
			return cfg, fmt.Errorf("executor: %s: %w", name, err)
		}
		*field = d
	}
	checkpoint, _ := lookup("MESOS_CHECKPOINT")
	cfg.Checkpoint = checkpoint == "1"
	cfg.Token, _ = lookup("MESOS_EXECUTOR_AUTHENTICATION_TOKEN")
	return cfg, nil
}

// duration reads Mesos' form, such as 15mins or 2.5secs.
func duration(text string) (time.Duration, error) {
	end := strings.LastIndexAny(text, "0123456789.") + 1
	unit, ok := map[string]time.Duration{
		"ns": 1, "us": time.Microsecond, "ms": time.Millisecond, "secs": time.Second,
		"mins": time.Minute, "hrs": time.Hour, "days": 24 * time.Hour, "weeks": 7 * 24 * time.Hour,
	}[text[end:]]
	n, err := strconv.ParseFloat(text[:end], 64)
	if !ok || err != nil || n < 0 {
		return 0, fmt.Errorf("%q is no duration such as 15mins", text)
	}
	return time.Duration(n * float64(unit)), nil
}
