package validation

import (
	"bytes"
	"errors"
	"fmt"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// command is the rules for a CommandInfo, which may be nil: its environment.
func command(c *mesospb.CommandInfo) error {
	for _, v := range c.GetEnvironment().GetVariables() {
		if err := variable(v); err != nil {
			return err
		}
	}
	return nil
}

func variable(v *mesospb.Environment_Variable) error {
	switch v.GetType() {
	case mesospb.Environment_Variable_VALUE:
		switch {
		case v.Value == nil:
			return fmt.Errorf("Environment variable '%s' of type 'VALUE' must have a value set", v.GetName())
		case v.Secret != nil:
			return fmt.Errorf("Environment variable '%s' of type 'VALUE' must not have a secret set", v.GetName())
		}
		return nil
	case mesospb.Environment_Variable_SECRET:
		return secretVariable(v)
	}
	return errors.New("Environment variable of type 'UNKNOWN' is not allowed")
}

func secretVariable(v *mesospb.Environment_Variable) error {
	switch {
	case v.Secret == nil:
		return fmt.Errorf("Environment variable '%s' of type 'SECRET' must have a secret set", v.GetName())
	case v.Value != nil:
		return fmt.Errorf("Environment variable '%s' of type 'SECRET' must not have a value set", v.GetName())
	}
	if err := secret(v.GetSecret()); err != nil {
		return fmt.Errorf("Environment variable '%s' specifies an invalid secret: %w", v.GetName(), err)
	}
	if bytes.IndexByte(v.GetSecret().GetValue().GetData(), 0) >= 0 {
		return fmt.Errorf("Environment variable '%s' specifies a secret containing null bytes, which is not allowed in the environment", v.GetName())
	}
	return nil
}

func secret(s *mesospb.Secret) error {
	switch s.GetType() {
	case mesospb.Secret_REFERENCE:
		switch {
		case s.Reference == nil:
			return errors.New("Secret of type REFERENCE must have the 'reference' field set")
		case s.Value != nil:
			return fmt.Errorf("Secret '%s' of type REFERENCE must not have the 'value' field set", s.GetReference().GetName())
		}
		return nil
	case mesospb.Secret_VALUE:
		switch {
		case s.Value == nil:
			return errors.New("Secret of type VALUE must have the 'value' field set")
		case s.Reference != nil:
			return errors.New("Secret of type VALUE must not have the 'reference' field set")
		}
		return nil
	}
	return errors.New("Secret of type UNKNOWN is not allowed")
}

// container is the rules for a ContainerInfo, which may be nil.
func container(c *mesospb.ContainerInfo) error {
	if c == nil {
		return nil
	}
	for _, v := range c.GetVolumes() {
		if err := volume(v); err != nil {
			return fmt.Errorf("Invalid volume: %w", err)
		}
	}
	if c.GetType() != mesospb.ContainerInfo_DOCKER {
		return nil
	}
	if c.Docker == nil {
		return errors.New("DockerInfo 'docker' is not set for DOCKER typed ContainerInfo")
	}
	for _, p := range c.GetDocker().GetParameters() {
		if p.GetKey() == "name" {
			return errors.New("Parameter in DockerInfo must not be 'name'")
		}
	}
	return nil
}

func volume(v *mesospb.Volume) error {
	n := 0
	for _, set := range []bool{v.HostPath != nil, v.GetImage() != nil, v.GetSource() != nil} {
		if set {
			n++
		}
	}
	if n != 1 {
		return errors.New("Only one of them should be set: 'host_path', 'image' and 'source'")
	}
	if v.GetSource() != nil {
		return volumeSource(v.GetSource())
	}
	return nil
}

func volumeSource(s *mesospb.Volume_Source) error {
	unset := func(field string) error {
		return fmt.Errorf("'source.%s' is not set for %s volume", field, s.GetType())
	}
	switch s.GetType() {
	case mesospb.Volume_Source_DOCKER_VOLUME:
		if s.DockerVolume == nil {
			return unset("docker_volume")
		}
	case mesospb.Volume_Source_HOST_PATH:
		if s.HostPath == nil {
			return unset("host_path")
		}
	case mesospb.Volume_Source_SANDBOX_PATH:
		if s.SandboxPath == nil {
			return unset("sandbox_path")
		}
	case mesospb.Volume_Source_SECRET:
		if s.Secret == nil {
			return unset("secret")
		}
	case mesospb.Volume_Source_CSI_VOLUME:
		if s.CsiVolume == nil {
			return unset("csi_volume")
		}
		if s.GetCsiVolume().StaticProvisioning == nil {
			return errors.New("'source.csi_volume.static_provisioning' is not set for CSI volume")
		}
	default:
		return errors.New("'source.type' is unknown")
	}
	return nil
}
