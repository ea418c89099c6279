package auth_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/soukproject/souk/internal/auth"
)

func gate() auth.Gate {
	return auth.Gate{Known: auth.NewCredentials(auth.Credential{Principal: "op", Secret: "s3cret"}), Realms: []string{"ask"}}
}

func whoami(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, "you are "+auth.Principal(r.Context()))
}

func TestGate(t *testing.T) {
	for _, tt := range []struct {
		name, realm, header string
		code                int
		body                string
	}{
		{"right", "ask", "Basic b3A6czNjcmV0", 200, "you are op"},
		{"none", "ask", "", 401, "401 Unauthorized."},
		{"wrong secret", "ask", "Basic b3A6eA==", 401, "401 Unauthorized."},
		{"unknown principal", "ask", "Basic eno6eA==", 401, "401 Unauthorized."},
		{"another scheme", "ask", "Bearer abc", 401, "401 Unauthorized."},
		{"no base64", "ask", "Basic !!!", 401, "401 Unauthorized."},
		{"no colon", "ask", "Basic b3A=", 401, "401 Unauthorized."},
		{"scheme in lower case", "ask", "basic b3A6czNjcmV0", 401, "401 Unauthorized."},
		{"a realm that does not ask", "open", "", 200, "you are "},
		{"one that does not ask does not look", "open", "Basic b3A6eA==", 200, "you are "},
		{"no realm", "", "", 200, "you are "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, w := httptest.NewRequest("GET", "/state", nil), httptest.NewRecorder()
			if tt.header != "" {
				r.Header.Set("Authorization", tt.header)
			}
			gate().Wrap(tt.realm, whoami)(w, r)
			if w.Code != tt.code || w.Body.String() != tt.body {
				t.Errorf("= %d %s, want %d %s", w.Code, w.Body, tt.code, tt.body)
			}
			if got, want := w.Header().Get("WWW-Authenticate"), `Basic realm="ask"`; tt.code == 401 && got != want {
				t.Errorf("challenge %s, want %s", got, want)
			}
		})
	}
}

// TestClientAfterARedirect: the leader must hear who asks, too.
func TestClientAfterARedirect(t *testing.T) {
	leader := httptest.NewServer(gate().Wrap("ask", whoami))
	defer leader.Close()
	other := httptest.NewServer(http.RedirectHandler(strings.Replace(leader.URL, "127.0.0.1", "localhost", 1), http.StatusTemporaryRedirect))
	defer other.Close()
	for _, tt := range []struct {
		credential auth.Credential
		code       int
	}{{auth.Credential{Principal: "op", Secret: "s3cret"}, 200}, {auth.Credential{}, 401}} {
		resp, err := tt.credential.Client().Get(other.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.code {
			t.Errorf("with %+v the answer is %d, want %d", tt.credential, resp.StatusCode, tt.code)
		}
	}
}

func TestReadCredentials(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		wrong      string // part of the error; "" if it can be read
	}{
		{"JSON", `{"credentials":[{"principal":"op","secret":"s3cret"},{"principal":"x","secret":"y"}]}`, ""},
		{"lines", "op s3cret\n\n  x   y  \n", ""},
		{"empty", "", "it holds no credentials"},
		{"no list", `{}`, "it holds no credentials"},
		{"broken", `{"credentials":[{"principal":"op","secret":hush}]}`, "it is neither JSON nor lines"},
		{"a line too long", "op s3cret hush", "it is neither JSON nor lines"},
		{"no secret", `{"credentials":[{"principal":"op"}]}`, "credential 1, of op, has no secret"},
		{"no principal", `{"credentials":[{"secret":"hush"}]}`, "credential 1: a principal has"},
		{"a colon", "o:p hush", "without colon"},
		{"twice", "op hush\nop hush", "credential 2: op has one already"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			known, err := auth.ReadCredentials(file(t, tt.text))
			if tt.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wrong) || strings.Contains(err.Error(), "hush") {
					t.Errorf("error %v, want one with %q and without the secret", err, tt.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
			r.Header = auth.Credential{Principal: "op", Secret: "s3cret"}.Header()
			auth.Gate{Known: known, Realms: []string{"ask"}}.Wrap("ask", whoami)(w, r)
			if w.Code != 200 {
				t.Errorf("op is not let through: %d", w.Code)
			}
		})
	}
}

func TestReadCredential(t *testing.T) {
	for text, wrong := range map[string]string{
		`{"principal":"op","secret":"s3cret"}`: "",
		"op s3cret\n":                          "",
		"op s3cret\nx y\n":                     "holds 2 credentials",
		`{"principal":"op"}`:                   "has no secret",
	} {
		c, err := auth.ReadCredential(file(t, text))
		switch {
		case wrong == "" && (err != nil || c != auth.Credential{Principal: "op", Secret: "s3cret"}):
			t.Errorf("%q is read as %v, %v", text, c, err)
		case wrong != "" && (err == nil || !strings.Contains(err.Error(), wrong)):
			t.Errorf("%q: error %v, want one with %q", text, err, wrong)
		}
	}
	if _, err := auth.ReadCredential(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there can be read")
	}
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
