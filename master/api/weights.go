package api

import (
	"bytes"
	"errors"
	"net/http"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/master/core"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
)

// weights answers GET and PUT /weights.
func (a *api) weights(w http.ResponseWriter, r *http.Request) {
	if err := callevent.CheckMethod(w, r, http.MethodGet, http.MethodPut); err != nil {
		callevent.WriteError(w, err)
		return
	}
	if r.Method == http.MethodPut {
		if err := a.putWeights(w, r); err != nil {
			callevent.WriteError(w, err)
		}
		return
	}
	a.viewed(w, r, func(d *doc, v *core.Snapshot) {
		d.list(func() {
			for _, weight := range v.Weights {
				d.object(func() {
					d.textAt("role", weight.Role)
					d.doubleAt("weight", weight.Weight)
				})
			}
		})
	})
}

// putWeights sets the weights in the body, a list like the one that GET answers.
func (a *api) putWeights(w http.ResponseWriter, r *http.Request) error {
	body, err := callevent.ReadBody(w, r, callevent.ReadOptions{MaxBytes: maxForm})
	if err != nil {
		return err
	}
	call := &masterpb.Call_UpdateWeights{}
	err = callevent.UnmarshalList(body, func() proto.Message {
		call.WeightInfos = append(call.WeightInfos, &mesospb.WeightInfo{})
		return call.WeightInfos[len(call.WeightInfos)-1]
	})
	reason := errors.Unwrap(err) // of an element that is no weight
	switch {
	case err != nil && reason == nil:
		return callevent.Errorf(http.StatusBadRequest, "Failed to parse update weights request JSON '%s': %v", body, err)
	case !bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")):
		return callevent.Errorf(http.StatusBadRequest, "Failed to parse update weights request JSON '%s': Unexpected JSON type parsed", body)
	case err != nil:
		return callevent.Errorf(http.StatusBadRequest, "Failed to convert weights JSON array to protobuf '%s': %v", body, reason)
	}
	return a.act(w, r, &masterpb.Call{Type: masterpb.Call_UPDATE_WEIGHTS.Enum(), UpdateWeights: call})
}
