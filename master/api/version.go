package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/metrics"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// dateLayout is how Mesos writes the date of a build.
const dateLayout = "2006-01-02 15:04:05"

// version answers /version. "version" is the release of Mesos whose API this
// is; clients take it apart at the dots. Our own is in "souk_version".
func (a *api) version(w http.ResponseWriter, r *http.Request) {
	d := &doc{}
	d.object(func() { d.versionMembers(a.Build) })
	daemon.WriteJSON(w, r, d.b)
}

func (d *doc) versionMembers(b Build) {
	d.textAt("version", MesosVersion)
	d.textAt("souk_version", b.Version)
	for _, member := range []struct{ name, value string }{
		{"git_sha", b.Commit}, {"git_branch", b.Branch}, {"git_tag", b.Tag},
	} {
		if member.value != "" {
			d.textAt(member.name, member.value)
		}
	}
	d.textAt("build_date", b.date())
	d.doubleAt("build_time", seconds(b.Time))
	d.textAt("build_user", "")
}

func (b Build) date() string {
	if b.Time.IsZero() {
		return ""
	}
	return b.Time.UTC().Format(dateLayout)
}

func (a *api) versionInfo() *mesospb.VersionInfo {
	info := &mesospb.VersionInfo{
		Version:   proto.String(MesosVersion),
		BuildDate: proto.String(a.Build.date()),
		BuildTime: proto.Float64(seconds(a.Build.Time)),
		BuildUser: proto.String(""),
	}
	if a.Build.Commit != "" {
		info.GitSha = proto.String(a.Build.Commit)
	}
	if a.Build.Branch != "" {
		info.GitBranch = proto.String(a.Build.Branch)
	}
	if a.Build.Tag != "" {
		info.GitTag = proto.String(a.Build.Tag)
	}
	return info
}

// systemStats answers /system/stats.json from the metrics of the machine.
func (a *api) systemStats(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), time.Second)
	defer cancel()
	d := &doc{}
	d.object(func() {
		metrics.System(ctx, func(v metrics.Value) {
			name := strings.TrimPrefix(v.Name, "system/")
			if load, ok := strings.CutPrefix(name, "load_"); ok {
				d.doubleAt("avg_load_"+load, v.Value)
				return
			}
			d.integerAt(name, int(v.Value))
		})
	})
	daemon.WriteJSON(w, r, d.b)
}
