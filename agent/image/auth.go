package image

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// keychain holds credentials by the host of the registry.
type keychain map[string]authn.AuthConfig

// parseAuth reads a docker config file. Programs that keep credentials elsewhere
// are not run.
func parseAuth(data []byte) (keychain, error) {
	if len(data) == 0 {
		return nil, nil
	}
	var file struct {
		Auths map[string]authn.AuthConfig `json:"auths"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, errors.New("the docker config with credentials is no JSON object with auths") // without what is in it
	}
	k := keychain{}
	for address, auth := range file.Auths {
		k[host(address)] = auth
	}
	return k, nil
}

// host is the part of an address that names a registry.
func host(address string) string {
	_, rest, ok := strings.Cut(address, "://")
	if !ok {
		rest = address
	}
	rest, _, _ = strings.Cut(rest, "/")
	if rest == "docker.io" || rest == "registry-1.docker.io" {
		return name.DefaultRegistry
	}
	return rest
}

// Resolve implements authn.Keychain.
func (k keychain) Resolve(r authn.Resource) (authn.Authenticator, error) {
	if auth, ok := k[r.RegistryStr()]; ok {
		return authn.FromConfig(auth), nil
	}
	return authn.Anonymous, nil
}
