package core

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// Labels too long for a variable are left out (Marathon's limits).
const (
	maxLabelKey   = 493
	maxLabelValue = 512
)

// environment is what a task learns about itself. The definition's own
// variables win.
func (c *Core) environment(def *spec.App, in *Instance) *mesospb.Environment {
	env := taskContext(def, in)
	labelVariables(env, def.Labels)
	for k, v := range portVariables(def, in) {
		env[c.cfg.EnvVarsPrefix+k] = v
	}
	env[c.cfg.EnvVarsPrefix+"HOST"] = in.Host
	for k, v := range def.Env {
		env[k] = v.Value
	}
	out := &mesospb.Environment{}
	for _, k := range slices.Sorted(maps.Keys(env)) {
		out.Variables = append(out.Variables, &mesospb.Environment_Variable{Name: new(k), Value: new(env[k])})
	}
	return out
}

func taskContext(def *spec.App, in *Instance) map[string]string {
	env := map[string]string{
		"MESOS_TASK_ID":                   in.TaskID,
		"MARATHON_APP_ID":                 def.ID,
		"MARATHON_APP_VERSION":            def.Version.String(),
		"MARATHON_APP_RESOURCE_CPUS":      decimal(def.CPUs),
		"MARATHON_APP_RESOURCE_MEM":       decimal(def.Mem),
		"MARATHON_APP_RESOURCE_DISK":      decimal(def.Disk),
		"MARATHON_APP_RESOURCE_GPUS":      strconv.Itoa(def.GPUs),
		"MARATHON_APP_ENFORCE_GROUP_ROLE": "FALSE",
	}
	if image := def.Image(); image != "" {
		env["MARATHON_APP_DOCKER_IMAGE"] = image
	}
	return env
}

// decimal always shows a fraction: 128.0.
func decimal(f float64) string {
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// labelVariables adds MARATHON_APP_LABELS and one variable per label.
func labelVariables(env map[string]string, labels map[string]string) {
	var names []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if len(k) >= maxLabelKey || len(labels[k]) >= maxLabelValue {
			continue
		}
		name := variableName(k)
		names = append(names, name)
		env["MARATHON_APP_LABEL_"+name] = labels[k]
	}
	env["MARATHON_APP_LABELS"] = strings.Join(names, " ")
}

// variableName is upper case, with "_" for every run of other characters.
func variableName(label string) string {
	var b strings.Builder
	run := false
	for _, r := range label {
		ok := r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		switch {
		case ok:
			b.WriteRune(r)
		case !run:
			b.WriteByte('_')
		}
		run = !ok
	}
	return strings.ToUpper(b.String())
}

// portVariables is empty for an app without ports (marathon-api 11.1).
func portVariables(def *spec.App, in *Instance) map[string]string {
	env := map[string]string{}
	var hosts, generated []string
	for i, e := range endpoints(def, in.Ports) {
		port := strconv.Itoa(e.port())
		switch {
		case e.host != 0:
			hosts = append(hosts, port)
		case e.declared == 0:
			generated = append(generated, port)
		}
		env["PORT"+strconv.Itoa(i)] = port
		env["PORT_"+declared(e.declared, port)] = port
		if e.name != "" {
			env["PORT_"+strings.ToUpper(e.name)] = port
		}
	}
	if all := append(hosts, generated...); len(all) > 0 {
		env["PORT"], env["PORTS"] = all[0], strings.Join(all, ",")
	}
	return env
}

func declared(port int, assigned string) string {
	if port == 0 {
		return assigned
	}
	return strconv.Itoa(port)
}
