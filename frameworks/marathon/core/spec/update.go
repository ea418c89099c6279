package spec

// Merge lays an update over a stored definition, member by member: what is
// given replaces, what is absent stays. There is no deeper merge.
func Merge(stored *App, update Object) Object {
	merged, err := Decode(stored.JSON())
	if err != nil {
		panic("decode stored app " + stored.ID + ": " + err.Error())
	}
	for _, name := range []string{"id", "version", "versionInfo", "executorResources", "resourceLimits"} {
		delete(merged, name)
	}
	dropReplaced(merged, update)
	for name, v := range update {
		if v != nil {
			merged[name] = v
		}
	}
	return merged
}

// dropReplaced removes what an update says in another form.
func dropReplaced(merged, update Object) {
	for given, dropped := range map[string]string{
		"cmd":       "args",
		"args":      "cmd",
		"ports":     "portDefinitions",
		"uris":      "fetch",
		"ipAddress": "networks",
	} {
		if list, isList := update[given].([]any); isList && len(list) == 0 && given == "args" {
			continue // no arguments are no command
		}
		if update[given] != nil {
			delete(merged, dropped)
		}
	}
	if dockerNetwork(update) {
		delete(merged, "networks")
	}
	if leavesHost(update) {
		delete(merged, "portDefinitions")
	}
}

func dockerNetwork(update Object) bool {
	container, _ := update["container"].(map[string]any)
	docker, _ := container["docker"].(map[string]any)
	return docker["network"] != nil
}

// leavesHost reports whether the update names a network other than the host's.
func leavesHost(update Object) bool {
	networks, _ := update["networks"].([]any)
	for _, n := range networks {
		if m, ok := n.(map[string]any); ok && m["mode"] != HostNetwork {
			return true
		}
	}
	return false
}

// Scaled is the definition with another number of instances, for actions that
// change nothing else. Version members are the caller's to set.
func (a *App) Scaled(instances int) *App {
	c := *a
	c.Instances = instances
	return &c
}

// At is the definition under another version.
func (a *App) At(version Timestamp, info VersionInfo) *App {
	c := *a
	c.Version, c.VersionInfo = version, info
	return &c
}
