package core

import (
	"fmt"
	"slices"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// beyondImage says what images and DOCKER containers of this agent cannot be.
func (a *Agent) beyondImage(t *mesospb.TaskInfo) string {
	c := t.GetContainer()
	image, docker := c.GetMesos().GetImage(), c.GetDocker()
	switch {
	case c.GetType() == mesospb.ContainerInfo_DOCKER && c != nil && docker == nil:
		return "'container.docker' is missing"
	case c.GetType() != mesospb.ContainerInfo_DOCKER && docker != nil:
		return "'container.docker' needs 'container.type' DOCKER"
	case image == nil && docker == nil:
		return ""
	case !a.cfg.Images:
		return "an image needs an agent that isolates containers (--containerizer=runc)"
	case t.GetCommand().GetShell() && t.GetCommand().GetValue() == "":
		return "Shell specified but no command value provided"
	case image != nil && image.GetType() == mesospb.Image_APPC:
		return "'container.mesos.image' of type APPC is not supported by this agent: use a Docker or OCI image"
	case image != nil && image.GetDocker().GetName() == "":
		return "'container.mesos.image.docker.name' is empty"
	case image.GetDocker().GetConfig().GetType() == mesospb.Secret_REFERENCE:
		return "the image's credentials refer to a secret, and this agent has no secret resolver"
	}
	return beyondDocker(docker)
}

// DockerParameters are the options of docker run that have a meaning here.
func DockerParameters() []string { return []string{"entrypoint", "env", "label", "user", "workdir"} }

func beyondDocker(d *mesospb.ContainerInfo_DockerInfo) string {
	switch {
	case d.GetPrivileged():
		return "'container.docker.privileged' is not supported by this agent: containers have no rights over the machine"
	case d.GetVolumeDriver() != "":
		return "'container.docker.volume_driver' is not supported by this agent, which has no volume drivers"
	case d != nil && d.GetImage() == "":
		return "'container.docker.image' is empty"
	}
	for _, p := range d.GetParameters() {
		if !slices.Contains(DockerParameters(), p.GetKey()) {
			return fmt.Sprintf("'container.docker.parameters' with key '%s' is not supported by this agent, which knows %v", p.GetKey(), DockerParameters())
		}
	}
	return ""
}
