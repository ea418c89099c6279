package api

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/master/core"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
	quotapb "github.com/soukproject/souk/proto/mesos/v1/quota"
)

// quota answers GET, POST and DELETE /quota (mesos-api 21.2).
func (a *api) quota(w http.ResponseWriter, r *http.Request) {
	err := callevent.CheckMethod(w, r, http.MethodGet, http.MethodPost, http.MethodDelete)
	switch {
	case err != nil:
	case r.Method == http.MethodPost:
		err = a.postQuota(w, r)
	case r.Method == http.MethodDelete:
		err = a.deleteQuota(w, r)
	default:
		a.viewed(w, r, func(d *doc, v *core.Snapshot) { d.message(v.GetQuota()) })
	}
	if err != nil {
		callevent.WriteError(w, err)
	}
}

// postQuota sets the quota of a role that has none.
func (a *api) postQuota(w http.ResponseWriter, r *http.Request) error {
	body, err := callevent.ReadBody(w, r, callevent.ReadOptions{MaxBytes: maxForm})
	if err != nil {
		return err
	}
	request := &quotapb.QuotaRequest{}
	if err := callevent.Unmarshal(callevent.JSON, body, request); err != nil {
		return callevent.Errorf(http.StatusBadRequest, "Failed to parse set quota request JSON '%s': %v", body, err)
	}
	return a.act(w, r, &masterpb.Call{Type: masterpb.Call_SET_QUOTA.Enum(), SetQuota: &masterpb.Call_SetQuota{QuotaRequest: request}})
}

// deleteQuota removes the quota of the role that the path ends with. Routing has
// left only the beginning of the path; a role is not percent-decoded.
func (a *api) deleteQuota(w http.ResponseWriter, r *http.Request) error {
	asked, err := url.ParseRequestURI(r.RequestURI)
	if err != nil {
		return callevent.Errorf(http.StatusBadRequest, "Failed to parse remove quota request: %v", err)
	}
	_, rest, _ := strings.Cut(asked.EscapedPath(), "quota")
	role := strings.Trim(rest, "/")
	if n := 2 + len(strings.FieldsFunc(role, func(c rune) bool { return c == '/' })); n != 3 {
		return callevent.Errorf(http.StatusBadRequest,
			"Failed to parse remove quota request for path '%s': expected 3 tokens, found %d tokens", strings.TrimSuffix(r.URL.Path+"/"+role, "/"), n)
	}
	return a.act(w, r, &masterpb.Call{Type: masterpb.Call_REMOVE_QUOTA.Enum(), RemoveQuota: &masterpb.Call_RemoveQuota{Role: &role}})
}
