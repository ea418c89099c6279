package api

import (
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/frameworks/marathon/core/spec"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

func (s *server) deploymentRoutes(r *mux.Router) {
	r.HandleFunc("/v2/deployments", s.listDeployments).Methods("GET")
	r.HandleFunc("/v2/deployments/{id}", s.cancelDeployment).Methods("DELETE")
	r.HandleFunc("/v2/queue", s.listQueue).Methods("GET")
	r.HandleFunc("/v2/queue/{id:.+}/delay", s.resetDelay).Methods("DELETE")
}

func (s *server) listDeployments(w http.ResponseWriter, r *http.Request) {
	var out []core.DeploymentInfo
	if err := s.Scheduler.View(r.Context(), func(c *core.Core) { out = c.Deployments() }); err != nil {
		s.fail(w, r, err)
		return
	}
	s.write(w, r, http.StatusOK, out)
}

// cancelDeployment rolls back, or with force just stops.
func (s *server) cancelDeployment(w http.ResponseWriter, r *http.Request) {
	force, err := flag(r, "force", false)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	result, err := s.Scheduler.Do(r.Context(), core.CancelDeployment{ID: mux.Vars(r)["id"], Force: force})
	switch {
	case err != nil:
		s.fail(w, r, err)
	case force:
		w.WriteHeader(http.StatusAccepted)
	default:
		s.deployed(w, r, http.StatusOK, result)
	}
}

// queueItem is an app that waits, as it is answered.
type queueItem struct {
	App                    *spec.App         `json:"app"`
	Count                  int               `json:"count"`
	Role                   string            `json:"role"`
	Delay                  delayJSON         `json:"delay"`
	Since                  spec.Timestamp    `json:"since"`
	ProcessedOffersSummary core.OfferSummary `json:"processedOffersSummary"`
	LastUnusedOffers       *[]unusedOffer    `json:"lastUnusedOffers,omitempty"`
}

type delayJSON struct {
	TimeLeftSeconds int  `json:"timeLeftSeconds"`
	Overdue         bool `json:"overdue"`
}

func (s *server) listQueue(w http.ResponseWriter, r *http.Request) {
	var items []core.QueueItem
	if err := s.Scheduler.View(r.Context(), func(c *core.Core) { items = c.Queue(time.Now()) }); err != nil {
		s.fail(w, r, err)
		return
	}
	withOffers := slices.Contains(r.URL.Query()["embed"], "lastUnusedOffers")
	out := []queueItem{}
	for _, i := range items {
		item := queueItem{
			App: i.App, Count: i.Count, Role: i.Role, Since: i.Since, ProcessedOffersSummary: i.Summary,
			Delay: delayJSON{int((i.Delay + time.Second - 1) / time.Second), i.Delay == 0},
		}
		if withOffers {
			item.LastUnusedOffers = new(unusedOffers(i.Unused))
		}
		out = append(out, item)
	}
	s.write(w, r, http.StatusOK, map[string]any{"queue": out})
}

func (s *server) resetDelay(w http.ResponseWriter, r *http.Request) {
	if _, err := s.Scheduler.Do(r.Context(), core.ResetDelay{ID: appID(r)}); err != nil {
		s.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// unusedOffer is an offer and why it was of no use.
type unusedOffer struct {
	Offer     offerJSON      `json:"offer"`
	Reason    []core.Reason  `json:"reason"`
	Timestamp spec.Timestamp `json:"timestamp"`
}

type offerJSON struct {
	ID         string      `json:"id"`
	Hostname   string      `json:"hostname"`
	AgentID    string      `json:"agentId"`
	Resources  []valueJSON `json:"resources"`
	Attributes []valueJSON `json:"attributes"`
}

// valueJSON is a resource or an attribute.
type valueJSON struct {
	Name   string      `json:"name"`
	Role   string      `json:"role,omitempty"`
	Text   string      `json:"text,omitempty"`
	Scalar *float64    `json:"scalar,omitempty"`
	Ranges []rangeJSON `json:"ranges,omitempty"`
	Set    []string    `json:"set,omitempty"`
}

type rangeJSON struct {
	Begin uint64 `json:"begin"`
	End   uint64 `json:"end"`
}

func unusedOffers(list []core.UnusedOffer) []unusedOffer {
	out := make([]unusedOffer, len(list))
	for i, u := range list {
		out[i] = unusedOffer{offerOf(u.Offer), []core.Reason{u.Reason}, u.Timestamp}
	}
	return out
}

func offerOf(o *mesospb.Offer) offerJSON {
	out := offerJSON{
		ID: o.GetId().GetValue(), Hostname: o.GetHostname(), AgentID: o.GetAgentId().GetValue(),
		Resources: []valueJSON{}, Attributes: []valueJSON{},
	}
	all, err := resources.FromProto(o.GetResources())
	if err != nil {
		all = nil
	}
	for _, r := range all {
		v := valueJSON{Name: r.Name, Role: r.Role(), Set: r.Set}
		if r.Kind == resources.KindScalar {
			v.Scalar = new(r.Scalar.Float())
		}
		for _, p := range r.Ranges {
			v.Ranges = append(v.Ranges, rangeJSON(p))
		}
		out.Resources = append(out.Resources, v)
	}
	for _, a := range o.GetAttributes() {
		out.Attributes = append(out.Attributes, attributeOf(a))
	}
	return out
}

func attributeOf(a *mesospb.Attribute) valueJSON {
	v := valueJSON{Name: a.GetName(), Text: a.GetText().GetValue(), Set: a.GetSet().GetItem()}
	if a.GetScalar() != nil {
		v.Scalar = new(a.GetScalar().GetValue())
	}
	for _, r := range a.GetRanges().GetRange() {
		v.Ranges = append(v.Ranges, rangeJSON{r.GetBegin(), r.GetEnd()})
	}
	return v
}
