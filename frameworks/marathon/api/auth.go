package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strconv"
)

// authenticate asks for the one user and password, if there is one.
func (s *server) authenticate(next http.Handler) http.Handler {
	if s.Credentials == "" {
		return next
	}
	want := sha256.Sum256([]byte(s.Credentials))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, ok := r.BasicAuth()
		got := sha256.Sum256([]byte(user + ":" + password))
		if !ok || subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Basic realm="+strconv.Quote(s.Realm))
			writeMessage(w, http.StatusUnauthorized, "Invalid username or password.")
			return
		}
		next.ServeHTTP(w, r)
	})
}
