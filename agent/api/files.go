package api

import (
	"net/http"
	"path"

	"github.com/soukproject/souk/agent/core"
)

// debugFiles answers /files/debug: virtual path → real path.
func (a *api) debugFiles(w http.ResponseWriter, r *http.Request) {
	s, ok := a.snapshot(w, r)
	if !ok {
		return
	}
	paths := make(map[string]string)
	for name, file := range a.Files.Named() {
		paths[name] = file
	}
	for _, f := range s.Frameworks {
		for _, x := range f.Executors {
			for _, name := range a.virtual(x.Run) {
				paths[name] = a.directory(x.Run)
			}
		}
	}
	answer(w, r, paths)
}

// virtual lists the paths that a live sandbox can be asked for with.
func (a *api) virtual(r core.Run) []string {
	dir := a.directory(r)
	return []string{
		dir,
		path.Join(path.Dir(dir), "latest"),
		path.Join("/frameworks", string(r.Framework), "executors", string(r.Executor), "runs/latest"),
	}
}
