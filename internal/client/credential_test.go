package client

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/soukproject/souk/internal/auth"
)

// TestCredential: a cluster that asks gets it, and one that gets none says what to do.
func TestCredential(t *testing.T) {
	gate := auth.Gate{Known: auth.NewCredentials(auth.Credential{Principal: "op", Secret: "s3cret"}), Realms: []string{"r"}}
	master := httptest.NewServer(gate.Wrap("r", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"type":"GET_TASKS","get_tasks":{}}`))
	}))
	defer master.Close()
	at := "--master=" + strings.TrimPrefix(master.URL, "http://")
	path := filepath.Join(t.TempDir(), "credential")
	if err := os.WriteFile(path, []byte("op s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := do(t, "tasks", at, "--credential="+path); err != nil {
		t.Errorf("tasks with a credential: %v", err)
	}
	if _, err := do(t, "tasks", at); err == nil || !strings.Contains(err.Error(), "asks who you are: prove it with --credential=FILE") {
		t.Errorf("tasks without a credential: %v, want what to do", err)
	}
}
