package spec

import (
	"encoding/json"
	"strings"
)

func checkContainer(rep *report, a *App, rules Rules) {
	if a.GPUs > 0 {
		feature(rep, "/gpus", rules, GPUResources)
	}
	c := a.Container
	if c == nil {
		return
	}
	if a.GPUs > 0 && c.Type == DockerContainer {
		rep.add("/gpus", "GPU resources only work with the Mesos containerizer")
	}
	switch {
	case c.Type == DockerContainer && c.Docker == nil:
		rep.add("/container/docker", "not defined: a DOCKER container needs an image; give \"type\": \"MESOS\" for one without")
	case c.Docker != nil && c.Docker.Image == "":
		rep.add("/container/docker/image", "error.minLength: must not be empty")
	}
	if c.Type == DockerContainer && a.Check != nil {
		rep.add("/check", "AppDefinition must not use check if using docker")
	}
	checkPullConfig(rep, a, rules)
	checkSeccomp(rep, c)
	for i, v := range c.Volumes {
		checkVolume(rep, element("/container/volumes", i), a, v, rules)
	}
}

func checkPullConfig(rep *report, a *App, rules Rules) {
	c := a.Container
	if c.Docker == nil || c.Docker.PullConfig == nil {
		return
	}
	if c.Type == DockerContainer {
		rep.add("/container/docker/pullConfig", "pullConfig is not supported with DOCKER containers")
	}
	feature(rep, "/container/docker/pullConfig", rules, Secrets)
	if _, defined := a.Secrets[c.Docker.PullConfig.Secret]; !defined {
		rep.add("/container/docker/pullConfig/secret", "references an undefined secret %q", c.Docker.PullConfig.Secret)
	}
}

func checkSeccomp(rep *report, c *Container) {
	if c.LinuxInfo == nil {
		return
	}
	if c.Type == DockerContainer {
		rep.add("/container/linuxInfo", "linuxInfo works only with MESOS containers")
	}
	seccomp, ok := c.LinuxInfo["seccomp"].(map[string]any)
	if !ok {
		return
	}
	profile, _ := seccomp["profileName"].(string)
	unconfined, _ := seccomp["unconfined"].(bool)
	if (profile != "") == unconfined {
		rep.add("/container/linuxInfo/seccomp", "exactly one of profileName and \"unconfined\": true must be given")
	}
}

// checkVolume judges a volume by its first mark; one without any is read as a host volume.
func checkVolume(rep *report, path string, a *App, v Object, rules Rules) {
	r := reader{rep, path, v}
	containerPath, _ := v["containerPath"].(string)
	if containerPath == "" {
		rep.add(path+"/containerPath", "must not be empty")
	}
	switch {
	case v["persistent"] != nil:
		checkPersistent(rep, r, containerPath)
	case v["external"] != nil:
		feature(rep, path, rules, ExternalVolumes)
		checkExternal(rep, r, a, containerPath)
	case v["secret"] != nil:
		feature(rep, path, rules, Secrets)
		if name, _ := v["secret"].(string); a.Secrets[name].Source == "" {
			rep.add(path+"/secret", "references an undefined secret %q", name)
		}
	default:
		if s, _ := v["hostPath"].(string); s == "" {
			rep.add(path+"/hostPath", "undefined")
		}
		checkMode(rep, r, "RO", "RW")
	}
}

func checkMode(rep *report, r reader, modes ...string) {
	mode, _ := r.obj["mode"].(string)
	for _, m := range modes {
		if m == mode {
			return
		}
	}
	rep.add(r.at("mode"), "must be %s, got %q", strings.Join(modes, " or "), mode)
}

func checkPersistent(rep *report, r reader, containerPath string) {
	if containerPath == "." || containerPath == ".." || strings.Contains(containerPath, "/") {
		rep.add(r.at("containerPath"), "must be a name without '/', other than '.' and '..'")
	}
	checkMode(rep, r, "RW")
	p, ok := r.obj["persistent"].(map[string]any)
	if !ok {
		rep.add(r.at("persistent"), "error.expected.jsobject")
		return
	}
	size, _ := p["size"].(json.Number)
	if f, err := size.Float64(); err != nil || f <= 0 {
		rep.add(r.at("persistent")+"/size", "must be greater than 0")
	}
}

func checkExternal(rep *report, r reader, a *App, containerPath string) {
	e := r.object("external")
	if e == nil {
		return
	}
	provider := e.required("provider")
	if e.str("name") == "" && provider != "csi" {
		rep.add(e.at("name"), "error.path.missing")
	}
	if provider != "dvdi" && provider != "csi" {
		rep.add(e.at("provider"), "%q is not a known provider of external volumes (dvdi, csi)", provider)
	}
	if containerPath == "." || containerPath == ".." {
		rep.add(r.at("containerPath"), "must be a path other than '.' and '..'")
	}
	if provider == "dvdi" {
		checkDVDI(rep, e, a)
	}
}

func checkDVDI(rep *report, e *reader, a *App) {
	options := e.stringMap("options")
	if options["dvdi/driver"] == "" {
		rep.add(member(e.at("options"), "dvdi/driver"), "undefined")
	}
	if iops, given := options["dvdi/iops"]; given && (strings.Trim(iops, "0123456789") != "" || strings.Trim(iops, "0") == "") {
		rep.add(member(e.at("options"), "dvdi/iops"), "must be a positive integer, got %q", iops)
	}
	if a.Container.Type == DockerContainer && e.has("size") {
		rep.add(e.at("size"), "must be undefined for Docker containers")
	}
	if a.Instances > 1 {
		rep.add("/instances", "an app with external volumes must not have more than one instance")
	}
}
