package routing

import (
	"bytes"
	"cmp"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/soukproject/souk/internal/callevent"
)

// A component as /help shows it. The names of the members are those of Mesos.
type component struct {
	ID        string     `json:"id"`
	Endpoints []endpoint `json:"endpoints"`
}

type endpoint struct {
	Name  string `json:"name"` // of the path, below the component
	Text  string `json:"text"`
	Path  string `json:"-"`
	Short string `json:"-"` // the path without the component, if that does, too
	Realm string `json:"-"`
}

// help makes the pages of /help: one with everything, one for each component,
// and one for each endpoint. own is the component that paths need not name.
func help(own string, routes []Route) []Route {
	all := components(own, routes)
	pages := []Route{{Path: "/help", Exact: true, Handler: index(all)}}
	for _, c := range all {
		pages = append(pages, spelled(c.ID, "", page(helpList, []component{c}))...)
		for _, e := range c.Endpoints {
			if e.Name != "/" {
				pages = append(pages, spelled(c.ID, e.Name, page(helpEndpoint, e))...)
			}
		}
	}
	return pages
}

// spelled are the routes of a page: only the first segment of a path is decoded,
// and in these the component comes second.
func spelled(id, name string, h http.HandlerFunc) []Route {
	routes := []Route{{Path: "/help/" + id + name, Exact: true, Handler: h}}
	if escaped := url.PathEscape(id); escaped != id {
		routes = append(routes, Route{Path: "/help/" + escaped + name, Exact: true, Handler: h})
	}
	return routes
}

// components sorts what has a help text.
func components(own string, routes []Route) []component {
	var all []component
	for _, r := range routes {
		id, name, _ := strings.Cut(r.Path[1:], "/")
		if r.Help == "" {
			continue
		}
		i := slices.IndexFunc(all, func(c component) bool { return c.ID == id })
		if i < 0 {
			i, all = len(all), append(all, component{ID: id})
		}
		e := endpoint{Name: "/" + name, Text: r.Help, Path: r.Path, Realm: r.Realm}
		if id == own {
			e.Short = "/" + name
		}
		all[i].Endpoints = append(all[i].Endpoints, e)
	}
	slices.SortFunc(all, func(a, b component) int { return cmp.Compare(a.ID, b.ID) })
	for _, c := range all {
		slices.SortFunc(c.Endpoints, func(a, b endpoint) int { return cmp.Compare(a.Name, b.Name) })
	}
	return all
}

// index answers /help, for people or, with ?format=json, for programs.
func index(all []component) http.HandlerFunc {
	html := page(helpList, all)
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("format") != "json" {
			html(w, r)
			return
		}
		body, err := json.Marshal(map[string][]component{"processes": all})
		if err != nil {
			callevent.WriteError(w, err)
			return
		}
		callevent.WriteBody(w, r, "application/json", body)
	}
}

// page answers with a template filled in.
func page(text string, data any) http.HandlerFunc {
	var b bytes.Buffer
	err := template.Must(template.New("help").Parse(text)).Execute(&b, data)
	return func(w http.ResponseWriter, r *http.Request) {
		if err != nil {
			callevent.WriteError(w, err)
			return
		}
		callevent.WriteBody(w, r, "text/html", b.Bytes())
	}
}

const helpList = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Help</title></head><body>
{{range $c := .}}<h2><a href="/help/{{.ID}}">/{{.ID}}</a></h2>
<dl>
{{range .Endpoints}}<dt><a href="/help{{.Path}}"><code>{{.Path}}</code></a></dt><dd>{{.Text}}</dd>
{{end}}</dl>
{{end}}</body></html>
`

const helpEndpoint = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Path}}</title></head><body>
<h2><code>{{.Path}}</code></h2>
<p>{{.Text}}</p>
{{with .Short}}<p>Also as <code>{{.}}</code>.</p>
{{end}}{{with .Realm}}<p>Asks for credentials if the daemon was told to for the realm <code>{{.}}</code>.</p>
{{end}}<p><a href="/help">All endpoints</a></p>
</body></html>
`
