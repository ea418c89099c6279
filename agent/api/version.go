package api

import (
	"net/http"
	"strings"

	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/metrics"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// dateLayout is how Mesos writes the date of a build.
const dateLayout = "2006-01-02 15:04:05"

// versionDoc is /version, and the beginning of /state. Version is the release
// of Mesos whose API this is; our own is SoukVersion.
type versionDoc struct {
	Version     string `json:"version"`
	SoukVersion string `json:"souk_version"`
	Commit      string `json:"git_sha,omitempty"`
	Branch      string `json:"git_branch,omitempty"`
	Tag         string `json:"git_tag,omitempty"`
	Date        string `json:"build_date"`
	Time        double `json:"build_time"`
	User        string `json:"build_user"`
}

func (b Build) date() string {
	if b.Time.IsZero() {
		return ""
	}
	return b.Time.UTC().Format(dateLayout)
}

func (b Build) doc() versionDoc {
	return versionDoc{
		Version: MesosVersion, SoukVersion: b.Version, Commit: b.Commit, Branch: b.Branch, Tag: b.Tag,
		Date: b.date(), Time: seconds(b.Time),
	}
}

func (b Build) info() *mesospb.VersionInfo {
	given := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	return &mesospb.VersionInfo{
		Version: new(MesosVersion), BuildDate: new(b.date()), BuildTime: new(float64(seconds(b.Time))), BuildUser: new(""),
		GitSha: given(b.Commit), GitBranch: given(b.Branch), GitTag: given(b.Tag),
	}
}

// systemStats answers /system/stats.json from the metrics of the machine.
func systemStats(w http.ResponseWriter, r *http.Request) {
	stats := make(map[string]any)
	metrics.System(r.Context(), func(v metrics.Value) {
		name := strings.TrimPrefix(v.Name, "system/")
		if load, ok := strings.CutPrefix(name, "load_"); ok {
			stats["avg_load_"+load] = double(v.Value)
			return
		}
		stats[name] = int64(v.Value)
	})
	answer(w, r, stats)
}

func (a *api) version(w http.ResponseWriter, r *http.Request) { answer(w, r, a.Build.doc()) }

func (a *api) flags(w http.ResponseWriter, r *http.Request) {
	answer(w, r, map[string]any{"flags": flagTexts(a.Flags)})
}

func flagTexts(flags []daemon.Flag) map[string]string {
	texts := make(map[string]string, len(flags))
	for _, f := range flags {
		if f.Set {
			texts[f.Name] = f.Value
		}
	}
	return texts
}
