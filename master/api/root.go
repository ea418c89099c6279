package api

import (
	"bytes"
	"html/template"
	"net/http"
	"time"

	"github.com/soukproject/souk/internal/callevent"
)

// A front is what the page at / shows. The numbers are those of the leader.
type front struct {
	Version, Cluster, ID, Address string
	Started                       time.Time
	Leading                       bool
	Leader                        string // host:port; "" if nobody leads
	Agents, Frameworks, Tasks     int
}

// root answers /: a page for who comes with a browser, which says what this is
// and where everything is.
func (a *api) root(w http.ResponseWriter, r *http.Request) {
	s := a.Master.Status()
	f := front{
		Version: a.Build.Version, Cluster: a.Cluster, ID: a.Info.GetId(), Address: a.Info.GetPid(),
		Started: a.Started.UTC().Truncate(time.Second), Leading: s.Leading && s.Recovered,
	}
	if !s.Leader.None() {
		f.Leader = host(s.Leader)
	}
	if f.Leading {
		view, err := a.Master.View(r.Context())
		if err != nil {
			callevent.WriteError(w, unavailable(err))
			return
		}
		f.Agents, f.Frameworks = len(view.Agents), len(view.Frameworks)
		for i := range view.Frameworks {
			for range view.ActiveTasks(&view.Frameworks[i]) {
				f.Tasks++
			}
		}
	}
	var b bytes.Buffer
	if err := template.Must(template.New("root").Parse(rootPage)).Execute(&b, f); err != nil {
		callevent.WriteError(w, err)
		return
	}
	callevent.WriteBody(w, r, "text/html", b.Bytes())
}

const rootPage = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Souk{{with .Cluster}}: {{.}}{{end}}</title></head><body>
<h1>Souk master{{with .Cluster}} of {{.}}{{end}}</h1>
<p>Version {{.Version}}, <code>{{.Address}}</code>, id <code>{{.ID}}</code>, since {{.Started}}.</p>
{{if .Leading}}<p>This master leads: {{.Agents}} agents, {{.Frameworks}} frameworks, {{.Tasks}} tasks.</p>
{{else if .Leader}}<p>Another master leads: <a href="//{{.Leader}}/">{{.Leader}}</a>.</p>
{{else}}<p>No master leads now.</p>
{{end}}<ul>
<li><a href="/state-summary">Agents and frameworks</a>, <a href="/tasks">tasks</a>, <a href="/roles">roles</a>, <a href="/allocator/explain">who is offered what, and why</a></li>
<li><a href="/metrics/snapshot">Metrics</a>, also <a href="/metrics">for Prometheus</a></li>
<li><a href="/flags">Flags</a>, <a href="/version">version</a></li>
<li><a href="/help">All endpoints</a></li>
</ul>
</body></html>
`
