package spec

// refuseUnsupported names every member that is valid but that this version
// cannot honour. Nothing is accepted and then ignored.
func refuseUnsupported(rep *report, a *App) {
	refuse := func(path string, given bool, why string) {
		if given {
			rep.add(path, "%s", notSupportedBy+why)
		}
	}
	refuse("/check", a.Check != nil, "checks are not passed on to agents; use a health check, of protocol COMMAND for example")
	refuse("/env", usesSecrets(a), "there is no secret store; pass the value itself")
	refuse("/secrets", len(a.Secrets) > 0, "there is no secret store")
	refuse("/executor", a.Executor != "" && a.Executor != "//cmd", `apps run under the built-in executor only; leave "executor" empty`)
	refuse("/executorResources", a.ExecutorResources != nil, "the built-in executor needs no resources of its own")
	refuse("/readinessChecks", len(a.ReadinessChecks) > 0, "deployments wait for health checks only")
	refuse("/tty", a.TTY != nil && *a.TTY, "tasks get no terminal")
	refuseContainer(refuse, a.Container)
}

func refuseContainer(refuse func(string, bool, string), c *Container) {
	if c == nil {
		return
	}
	if d := c.Docker; d != nil {
		refuse("/container/docker/privileged", d.Privileged, "containers have no rights over the machine")
		refuse("/container/docker/pullConfig", d.PullConfig != nil, "there is no secret store")
	}
	for i, v := range c.Volumes {
		refuse(element("/container/volumes", i), v["hostPath"] == nil, "volumes are folders of the agent's machine; give hostPath")
	}
	refuse("/container/linuxInfo", c.LinuxInfo != nil, "seccomp and IPC settings are not passed on")
}

func usesSecrets(a *App) bool {
	for _, v := range a.Env {
		if v.Secret != "" {
			return true
		}
	}
	return false
}
