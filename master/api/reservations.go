package api

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/callevent"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
)

// onResources answers POST of a form that reserves resources, creates volumes or
// undoes that: slaveId, and in another key a list of resources (mesos-api 2.3).
// It becomes the call of the operator API that does the same.
func (a *api) onResources(key string, call func(id *mesospb.AgentID, list, source []*mesospb.Resource) *masterpb.Call) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := a.actOnResources(w, r, key, call); err != nil {
			callevent.WriteError(w, err)
		}
	}
}

func (a *api) actOnResources(w http.ResponseWriter, r *http.Request, key string,
	call func(id *mesospb.AgentID, list, source []*mesospb.Resource) *masterpb.Call) error {
	form, err := readForm(w, r)
	if err != nil {
		return err
	}
	for _, name := range []string{"slaveId", key} {
		if !form.Has(name) {
			return callevent.Errorf(http.StatusBadRequest, "Missing '%s' query parameter in the request body", name)
		}
	}
	list, err := resourceList(form, key)
	if err != nil {
		return err
	}
	var source []*mesospb.Resource
	if form.Has("source") && key == "resources" {
		if source, err = resourceList(form, "source"); err != nil {
			return err
		}
	}
	return a.act(w, r, call(&mesospb.AgentID{Value: proto.String(form.Get("slaveId"))}, list, source))
}

// readForm reads the form in the body of a POST.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if err := callevent.CheckMethod(w, r, http.MethodPost); err != nil {
		return nil, err
	}
	body, err := callevent.ReadBody(w, r, callevent.ReadOptions{MaxBytes: maxForm})
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, callevent.Errorf(http.StatusBadRequest, "Unable to decode query string: %v", err)
	}
	return form, nil
}

// resourceList reads a key whose value is a JSON array of resources.
func resourceList(form url.Values, key string) (list []*mesospb.Resource, err error) {
	text := []byte(form.Get(key))
	err = callevent.UnmarshalList(text, func() proto.Message {
		list = append(list, &mesospb.Resource{})
		return list[len(list)-1]
	})
	if err == nil && !bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		err = errors.New("Unexpected JSON type parsed")
	}
	if err != nil {
		if reason := errors.Unwrap(err); reason != nil {
			err = reason // of an element
		}
		return nil, callevent.Errorf(http.StatusBadRequest, "Error parsing '%s' query parameter in the request body: %v", key, err)
	}
	return list, nil
}

func reserveCall(id *mesospb.AgentID, list, source []*mesospb.Resource) *masterpb.Call {
	return &masterpb.Call{Type: masterpb.Call_RESERVE_RESOURCES.Enum(),
		ReserveResources: &masterpb.Call_ReserveResources{AgentId: id, Resources: list, Source: source}}
}

func unreserveCall(id *mesospb.AgentID, list, _ []*mesospb.Resource) *masterpb.Call {
	return &masterpb.Call{Type: masterpb.Call_UNRESERVE_RESOURCES.Enum(),
		UnreserveResources: &masterpb.Call_UnreserveResources{AgentId: id, Resources: list}}
}

func createVolumesCall(id *mesospb.AgentID, list, _ []*mesospb.Resource) *masterpb.Call {
	return &masterpb.Call{Type: masterpb.Call_CREATE_VOLUMES.Enum(),
		CreateVolumes: &masterpb.Call_CreateVolumes{AgentId: id, Volumes: list}}
}

func destroyVolumesCall(id *mesospb.AgentID, list, _ []*mesospb.Resource) *masterpb.Call {
	return &masterpb.Call{Type: masterpb.Call_DESTROY_VOLUMES.Enum(),
		DestroyVolumes: &masterpb.Call_DestroyVolumes{AgentId: id, Volumes: list}}
}
