package validation

import (
	"errors"
	"fmt"
	"strings"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// check is the rules for a CheckInfo (mesos-api 10.3).
func check(c *mesospb.CheckInfo) error {
	if c.Type == nil {
		return errors.New("CheckInfo must specify 'type'")
	}
	var err error
	switch c.GetType() {
	case mesospb.CheckInfo_COMMAND:
		err = checkCommand(c.GetCommand() != nil, c.GetCommand().GetCommand(), "check", "Check")
	case mesospb.CheckInfo_HTTP:
		err = checkHTTP(c.Http != nil, c.GetHttp().GetPath(), c.GetHttp() != nil && c.GetHttp().Path != nil, "check")
	case mesospb.CheckInfo_TCP:
		err = checkPresent(c.Tcp != nil, "tcp", "TCP", "check")
	default:
		err = fmt.Errorf("'%s' is not a valid check type", c.GetType())
	}
	if err != nil {
		return err
	}
	return notNegative(
		span{"delay_seconds", c.GetDelaySeconds()}, span{"interval_seconds", c.GetIntervalSeconds()}, span{"timeout_seconds", c.GetTimeoutSeconds()},
	)
}

// healthCheck is the rules for a HealthCheck (mesos-api 10.3).
func healthCheck(c *mesospb.HealthCheck) error {
	if c.Type == nil {
		return errors.New("HealthCheck must specify 'type'")
	}
	var err error
	switch c.GetType() {
	case mesospb.HealthCheck_COMMAND:
		err = checkCommand(c.Command != nil, c.GetCommand(), "health check", "Health check")
	case mesospb.HealthCheck_HTTP:
		if err = httpScheme(c.GetHttp()); err == nil {
			err = checkHTTP(c.Http != nil, c.GetHttp().GetPath(), c.GetHttp() != nil && c.GetHttp().Path != nil, "health check")
		}
	case mesospb.HealthCheck_TCP:
		err = checkPresent(c.Tcp != nil, "tcp", "TCP", "health check")
	default:
		err = fmt.Errorf("'%s' is not a valid health check type", c.GetType())
	}
	if err != nil {
		return err
	}
	return notNegative(
		span{"delay_seconds", c.GetDelaySeconds()}, span{"grace_period_seconds", c.GetGracePeriodSeconds()},
		span{"interval_seconds", c.GetIntervalSeconds()}, span{"timeout_seconds", c.GetTimeoutSeconds()},
	)
}

// InferHealthCheck is c with the type that old frameworks do not set: that of
// the command or the HTTP check it has (mesos-api 10.3).
func InferHealthCheck(c *mesospb.HealthCheck) *mesospb.HealthCheck {
	if c == nil || c.Type != nil || c.Command == nil && c.Http == nil {
		return c
	}
	kind := mesospb.HealthCheck_HTTP
	if c.Command != nil {
		kind = mesospb.HealthCheck_COMMAND
	}
	return &mesospb.HealthCheck{
		Type: kind.Enum(), Command: c.Command, Http: c.Http, Tcp: c.Tcp,
		DelaySeconds: c.DelaySeconds, IntervalSeconds: c.IntervalSeconds, TimeoutSeconds: c.TimeoutSeconds,
		ConsecutiveFailures: c.ConsecutiveFailures, GracePeriodSeconds: c.GracePeriodSeconds,
	}
}

func checkPresent(present bool, field, kind, what string) error {
	if !present {
		return fmt.Errorf("Expecting '%s' to be set for %s %s", field, kind, what)
	}
	return nil
}

func checkCommand(present bool, c *mesospb.CommandInfo, what, title string) error {
	if err := checkPresent(present, "command", "COMMAND", what); err != nil {
		return err
	}
	if c.GetValue() == "" {
		part := "shell command"
		if !c.GetShell() {
			part = "executable path"
		}
		return fmt.Errorf("Command %s must contain '%s'", what, part)
	}
	return prefixed(title+"'s `CommandInfo` is invalid: ", command(c))
}

func checkHTTP(present bool, path string, hasPath bool, what string) error {
	if err := checkPresent(present, "http", "HTTP", what); err != nil {
		return err
	}
	if hasPath && !strings.HasPrefix(path, "/") {
		return fmt.Errorf("The path '%s' of HTTP %s must start with '/'", path, what)
	}
	return nil
}

func httpScheme(c *mesospb.HealthCheck_HTTPCheckInfo) error {
	if c != nil && c.Scheme != nil && c.GetScheme() != "http" && c.GetScheme() != "https" {
		return fmt.Errorf("Unsupported HTTP health check scheme: '%s'", c.GetScheme())
	}
	return nil
}

type span struct {
	field   string
	seconds float64
}

func notNegative(spans ...span) error {
	for _, s := range spans {
		if !(s.seconds >= 0) {
			return fmt.Errorf("Expecting '%s' to be non-negative", s.field)
		}
	}
	return nil
}
