package api

import (
	"encoding/json"
	"net/http"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/files"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
)

// debugFiles answers /files/debug: virtual path → real path.
func (a *api) debugFiles(w http.ResponseWriter, r *http.Request) {
	paths := map[string]string{}
	for name, file := range a.Files {
		paths[name] = file
	}
	body, err := json.Marshal(paths)
	if err != nil {
		callevent.WriteError(w, err)
		return
	}
	daemon.WriteJSON(w, r, body)
}

// listFiles answers LIST_FILES. There is no answer if it has been written.
func (a *api) listFiles(w http.ResponseWriter, call *masterpb.Call_ListFiles) (*masterpb.Response, error) {
	list, err := files.Messages(a.Files, call.GetPath())
	if err != nil {
		return nil, files.CallError(w, call.GetPath(), err)
	}
	return &masterpb.Response{Type: masterpb.Response_LIST_FILES.Enum(), ListFiles: &masterpb.Response_ListFiles{FileInfos: list}}, nil
}

// readFile answers READ_FILE. There is no answer if it has been written.
func (a *api) readFile(w http.ResponseWriter, call *masterpb.Call_ReadFile) (*masterpb.Response, error) {
	data, size, err := files.ReadCall(a.Files, call)
	if err != nil {
		return nil, files.CallError(w, call.GetPath(), err)
	}
	return &masterpb.Response{Type: masterpb.Response_READ_FILE.Enum(), ReadFile: &masterpb.Response_ReadFile{Size: &size, Data: data}}, nil
}
