// Package spec owns what a service is: the app definition as people write it
// in JSON, its defaults, the translation of deprecated members, the rules a
// definition must obey and the form in which it is answered and stored.
// Definitions are values: nothing here changes one that was handed out.
//
// It does not know what runs, what other apps exist or where definitions are
// kept; rules that need the whole tree of apps live in package core.
package spec

import "slices"

// Rules are the settings of a scheduler that decide what a definition means.
type Rules struct {
	// Role is the role of the scheduler (--mesos_role).
	Role string
	// NetworkName is given to container networks that name none (--default_network_name).
	NetworkName string
	// BridgeName is the deprecated network name that means container/bridge (--mesos_bridge_name).
	BridgeName string
	// Features are the names given to --enable_features.
	Features []string
}

// Names of optional features (--enable_features).
const (
	Secrets         = "secrets"
	ExternalVolumes = "external_volumes"
	GPUResources    = "gpu_resources"
	VIPs            = "vips"
	TaskKilling     = "task_killing"
)

// Features lists every name that --enable_features accepts.
func Features() []string {
	return []string{VIPs, TaskKilling, ExternalVolumes, Secrets, GPUResources}
}

func (r Rules) enabled(feature string) bool { return slices.Contains(r.Features, feature) }
