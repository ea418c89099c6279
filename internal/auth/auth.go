// Package auth is HTTP Basic authentication as Mesos uses it (mesos-api 23.1):
// files of credentials, the gate before handlers that ask for them, and the
// header that carries one. It says who a request is from; what they may do is
// not its business. All of it is safe for concurrent use.
package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/soukproject/souk/internal/callevent"
)

// A Credential is a name and what proves it. The zero one proves nothing.
type Credential struct {
	Principal string `json:"principal"`
	Secret    string `json:"secret"`
}

// Header is what a client adds to its requests: the credential, if it is one.
func (c Credential) Header() http.Header {
	h := http.Header{}
	if c.Principal != "" {
		h.Set("Authorization", scheme+base64.StdEncoding.EncodeToString([]byte(c.Principal+":"+c.Secret)))
	}
	return h
}

// Client makes requests with the credential, also those after a redirect: a
// master that does not lead sends on to one of the same cluster.
func (c Credential) Client() *http.Client {
	return &http.Client{Transport: transport{c.Header()}}
}

type transport struct{ header http.Header }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if len(t.header) > 0 {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", t.header.Get("Authorization"))
	}
	return http.DefaultTransport.RoundTrip(r)
}

// scheme is compared as it is written, as in Mesos.
const scheme = "Basic "

// Credentials are those that a server knows.
type Credentials struct {
	secrets map[string][sha256.Size]byte // by principal
}

// NewCredentials returns the ones listed.
func NewCredentials(all ...Credential) *Credentials {
	c := &Credentials{secrets: make(map[string][sha256.Size]byte, len(all))}
	for _, one := range all {
		c.secrets[one.Principal] = sha256.Sum256([]byte(one.Secret))
	}
	return c
}

// identify is who an Authorization header proves to be from; "" if nobody.
func (c *Credentials) identify(header string) string {
	encoded, ok := strings.CutPrefix(header, scheme)
	if !ok {
		return ""
	}
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return ""
	}
	principal, secret, ok := strings.Cut(string(text), ":")
	want, known := c.secrets[principal]
	got := sha256.Sum256([]byte(secret)) // of one length, so that the time says nothing
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 || !ok || !known {
		return ""
	}
	return principal
}

// A Gate lets through who proves to be somebody, where that is asked for.
type Gate struct {
	Known  *Credentials
	Realms []string // that ask; what is in another realm, or in none, is open
}

// Ask makes the gate ask in a realm, if it is to.
func (g *Gate) Ask(wanted bool, realm string) {
	if wanted {
		g.Realms = append(g.Realms, realm)
	}
}

// Wrap puts the gate before a handler of a realm.
func (g Gate) Wrap(realm string, next http.HandlerFunc) http.HandlerFunc {
	if !g.asks(realm) {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) {
		principal := g.Known.identify(r.Header.Get("Authorization"))
		if principal == "" {
			w.Header().Set("WWW-Authenticate", `Basic realm="`+realm+`"`)
			callevent.WriteError(w, callevent.Errorf(http.StatusUnauthorized, ""))
			return
		}
		next(w, r.WithContext(context.WithValue(r.Context(), principalKey{}, principal)))
	}
}

func (g Gate) asks(realm string) bool {
	for _, r := range g.Realms {
		if r == realm {
			return true
		}
	}
	return false
}

type principalKey struct{}

// Principal is who a request is from that came through a gate; "" if none asked.
func Principal(ctx context.Context) string {
	principal, _ := ctx.Value(principalKey{}).(string)
	return principal
}
