package agent

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/agent/image"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// addImage gives a container the image that its task names, if it names one.
func (a *agent) addImage(ctx context.Context, e core.Launch, c *containerizer.Config) error {
	ref, ok := imageRef(e.Container())
	if !ok {
		return nil
	}
	i, err := a.images.Get(ctx, c.ID, ref)
	if err != nil {
		return err
	}
	docker := e.Container().GetType() == mesospb.ContainerInfo_DOCKER
	if docker {
		i = withParameters(i, e.Container().GetDocker().GetParameters())
		c.Command.User = i.User // who else the task names is nobody to docker run
	}
	argv, err := imageArgs(i, e.Command(), docker)
	if err != nil {
		return err
	}
	if argv != nil {
		c.Command.Value, c.Command.Args = argv[0], argv
	}
	c.Rootfs = &containerizer.Rootfs{Layers: i.Layers}
	c.Command.WorkDir = i.WorkDir
	c.Command.Env = a.imageEnv(i, e, c.Command.Env)
	return nil
}

// imageRef is what image a container names.
func imageRef(c *mesospb.ContainerInfo) (ref image.Ref, ok bool) {
	if d := c.GetDocker(); d != nil && c.GetType() == mesospb.ContainerInfo_DOCKER {
		return image.Ref{Name: d.GetImage(), Fresh: d.GetForcePullImage()}, true
	}
	i := c.GetMesos().GetImage()
	if i == nil {
		return ref, false
	}
	return image.Ref{
		Name: i.GetDocker().GetName(), Fresh: !i.GetCached(), Auth: i.GetDocker().GetConfig().GetValue().GetData(),
	}, true
}

// withParameters applies the options of docker run that have a meaning here.
func withParameters(i image.Image, parameters []*mesospb.Parameter) image.Image {
	i.Env = slices.Clone(i.Env)
	for _, p := range parameters {
		switch p.GetKey() {
		case "entrypoint":
			i.Entrypoint, i.Cmd = []string{p.GetValue()}, nil
		case "env":
			i.Env = append(i.Env, p.GetValue())
		case "user":
			i.User = p.GetValue()
		case "workdir":
			i.WorkDir = p.GetValue()
		}
	}
	return i
}

var errNoExecutable = errors.New("No executable is found: neither the task nor its image says what to run")

// imageArgs joins what the image runs with what the task says (mesos-api 14.3,
// 17.4); nil leaves the task's command as it is.
func imageArgs(i image.Image, c *mesospb.CommandInfo, docker bool) ([]string, error) {
	args := c.GetArguments()
	switch {
	case c.GetShell():
		return nil, nil
	case c.Value != nil && !docker:
		return nil, nil
	case c.Value != nil:
		args = append([]string{c.GetValue()}, args...)
	}
	var argv []string
	switch {
	case len(i.Entrypoint) > 0 && len(args) > 0, docker && len(args) > 0:
		argv = slices.Concat(i.Entrypoint, args)
	case len(i.Entrypoint) > 0 || len(args) == 0:
		argv = slices.Concat(i.Entrypoint, i.Cmd)
	case len(i.Cmd) > 0:
		argv = slices.Concat(i.Cmd[:1], args)
	}
	if len(argv) == 0 || argv[0] == "" {
		return nil, errNoExecutable
	}
	return argv, nil
}

// imageEnv puts the image's environment below the task's. Our own PATH is only
// for those that bring none.
func (a *agent) imageEnv(i image.Image, e core.Launch, env []string) []string {
	brought := a.cfg.Environment["PATH"] != "" || slices.ContainsFunc(e.Command().GetEnvironment().GetVariables(),
		func(v *mesospb.Environment_Variable) bool { return v.GetName() == "PATH" })
	list := slices.DeleteFunc(slices.Clone(i.Env), func(kv string) bool { return strings.IndexByte(kv, '=') < 1 })
	inImage := slices.ContainsFunc(list, func(kv string) bool { return strings.HasPrefix(kv, "PATH=") })
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		switch {
		case name == "PATH" && inImage && !brought:
		case name == "MESOS_SANDBOX":
			list = append(list, "MESOS_SANDBOX="+containerizer.SandboxPath)
		default:
			list = append(list, kv)
		}
	}
	return list
}

// readDockerConfig reads --docker_config: JSON, or the path of a file with it.
func readDockerConfig(text string) ([]byte, error) {
	if text == "" || strings.HasPrefix(strings.TrimSpace(text), "{") {
		return []byte(text), nil
	}
	return os.ReadFile(strings.TrimPrefix(text, "file://"))
}
