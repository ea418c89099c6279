package spec

import "slices"

var healthProtocols = []string{"HTTP", "HTTPS", "TCP", "COMMAND", "MESOS_HTTP", "MESOS_HTTPS", "MESOS_TCP"}

// ByScheduler reports whether the scheduler itself runs the check; the others are the agent's.
func (h HealthCheck) ByScheduler() bool {
	return h.Protocol == "HTTP" || h.Protocol == "HTTPS" || h.Protocol == "TCP"
}

func checkHealth(rep *report, a *App) {
	byAgent := 0
	for i, h := range a.HealthChecks {
		if !h.ByScheduler() { // of several, agents would run one
			byAgent++
		}
		checkHealthCheck(rep, element("/healthChecks", i), a, h)
	}
	if byAgent > 1 {
		rep.add("/healthChecks", "AppDefinition can contain at most one Mesos health check")
	}
}

func checkHealthCheck(rep *report, path string, a *App, h HealthCheck) {
	notNegative(rep, path+"/gracePeriodSeconds", float64(h.GracePeriodSeconds))
	notNegative(rep, path+"/maxConsecutiveFailures", float64(h.MaxConsecutiveFailures))
	notNegative(rep, path+"/delaySeconds", float64(h.DelaySeconds))
	atLeast(rep, path+"/intervalSeconds", float64(h.IntervalSeconds), 1)
	atLeast(rep, path+"/timeoutSeconds", float64(h.TimeoutSeconds), 1)
	if (h.Protocol == "COMMAND") != (h.Command != nil) {
		rep.add(path+"/command", "a command is required with the protocol COMMAND and with no other")
	}
	if h.Port != nil {
		portNumber(rep, path+"/port", *h.Port)
	}
	if h.PortIndex != nil && h.Port == nil && h.Protocol != "COMMAND" && (*h.PortIndex < 0 || *h.PortIndex >= len(a.ServicePorts())) {
		rep.add(path+"/portIndex", "Health check port indices must address an element of the ports array or container port mappings.")
	}
	if h.IPProtocol == "IPv6" && (h.ByScheduler() || a.Container == nil || a.Container.Type != DockerContainer) {
		rep.add(path+"/ipProtocol", "IPv6 can only be used for container type DOCKER and Mesos http/https/tcp health checks")
	}
}

func checkReadiness(rep *report, a *App) {
	if len(a.ReadinessChecks) > 1 {
		rep.add("/readinessChecks", "error.maxItems: at most one readiness check is allowed")
	}
	for i, c := range a.ReadinessChecks {
		path := element("/readinessChecks", i)
		if !slices.Contains(a.PortNames(), c.PortName) {
			rep.add(path+"/portName", "%q is not the name of one of the app's ports", c.PortName)
		}
		atLeast(rep, path+"/timeoutSeconds", float64(c.TimeoutSeconds), 1)
		if c.TimeoutSeconds >= c.IntervalSeconds {
			rep.add(path+"/timeoutSeconds", "must be less than the interval of %d s", c.IntervalSeconds)
		}
		if len(c.HTTPStatusCodesForReady) == 0 {
			rep.add(path+"/httpStatusCodesForReady", "error.minItems: must not be empty")
		}
	}
}

// PortNames are the names of all ports, in port order; unnamed ones are "".
func (a *App) PortNames() []string {
	names := []string{}
	for _, p := range a.PortDefinitions {
		names = append(names, p.Name)
	}
	if a.Container != nil {
		for _, m := range a.Container.PortMappings {
			names = append(names, m.Name)
		}
	}
	return names
}
