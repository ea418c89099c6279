package api

import (
	"net/http"
	"time"

	"github.com/soukproject/souk/internal/callevent"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	agentpb "github.com/soukproject/souk/proto/mesos/v1/agent"
)

// control answers the calls that change something about the agent itself; ok
// is false for others.
func (a *api) control(w http.ResponseWriter, call *agentpb.Call) (ok bool, err error) {
	switch call.GetType() {
	case agentpb.Call_SET_LOGGING_LEVEL:
		set := call.GetSetLoggingLevel()
		a.verbosity.Raise(set.GetLevel(), time.Duration(set.GetDuration().GetNanoseconds()))
	case agentpb.Call_PRUNE_IMAGES:
		err = a.Prune(imageNames(call.GetPruneImages().GetExcludedImages()))
	case agentpb.Call_ADD_RESOURCE_PROVIDER_CONFIG:
		err = addProvider(call.GetAddResourceProviderConfig().GetInfo())
	case agentpb.Call_UPDATE_RESOURCE_PROVIDER_CONFIG:
		err = addProvider(call.GetUpdateResourceProviderConfig().GetInfo())
	case agentpb.Call_REMOVE_RESOURCE_PROVIDER_CONFIG:
		err = errNoProviders()
	case agentpb.Call_MARK_RESOURCE_PROVIDER_GONE: // one that never was is gone
	default:
		return false, nil
	}
	if err == nil {
		callevent.WriteEmpty(w, http.StatusOK)
	}
	return true, err
}

// imageNames are the names that tasks give images; those of Appc are none that
// this agent could have.
func imageNames(images []*mesospb.Image) []string {
	var names []string
	for _, i := range images {
		if d := i.GetDocker(); d != nil {
			names = append(names, d.GetName())
		}
	}
	return names
}

// storageProvider is the one type of local resource providers that Mesos has.
const storageProvider = "org.apache.mesos.rp.local.storage"

// addProvider answers as an agent does that has no folder for the configuration
// of resource providers: what is wrong with one is said first (mesos-api 6.2).
func addProvider(info *mesospb.ResourceProviderInfo) error {
	why := ""
	switch {
	case info.GetType() != storageProvider:
		why = "Unknown local resource provider type '" + info.GetType() + "'"
	case info.GetStorage() == nil:
		why = "'ResourceProviderInfo.storage' must be set"
	}
	if why != "" {
		return callevent.Errorf(http.StatusBadRequest, "Failed to validate resource provider config with type '%s' and name '%s': %s",
			info.GetType(), info.GetName(), why)
	}
	return errNoProviders()
}

func errNoProviders() error {
	return callevent.Errorf(http.StatusInternalServerError, "Missing required flag --resource_provider_config_dir")
}

// An Operation of the containerizer that is not done yet.
type Operation struct {
	Name      string // launch or destroy
	Container string
	Since     time.Time
}

// debugContainers answers /containerizer/debug: what the containerizer is busy with.
func (a *api) debugContainers(w http.ResponseWriter, r *http.Request) {
	type operation struct {
		Operation string            `json:"operation"`
		Args      map[string]string `json:"args"`
		Since     double            `json:"since"`
	}
	pending := []operation{}
	for _, o := range a.Agent.Pending() {
		pending = append(pending, operation{o.Name, map[string]string{"containerId": o.Container}, seconds(o.Since)})
	}
	answer(w, r, map[string]any{"pending": pending})
}
