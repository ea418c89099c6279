package callevent

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	agentpb "github.com/soukproject/souk/proto/mesos/v1/agent"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

func zipped(text string) string {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return buf.String()
}

func TestReadCallRefusals(t *testing.T) {
	health := `{"type":"GET_HEALTH"}`
	tests := []struct {
		name, method, encoding, body string
		limit                        int64
		want                         *Error
	}{
		{"fine", "POST", "", health, 0, nil},
		{"fine, exactly at the limit", "POST", "", health, int64(len(health)), nil},
		{"gzip", "POST", "gzip", zipped(health), 0, nil},
		{"wrong method", "PUT", "", health, 0, &Error{405, "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'PUT'."}},
		{"too large", "POST", "", health, 20, &Error{413, "Request body exceeds the limit of 20 bytes; send less in one call"}},
		{"too large once decompressed", "POST", "gzip", zipped(strings.Repeat(" ", 5000) + health), 1000,
			&Error{413, "Request body exceeds the limit of 1000 bytes; send less in one call"}},
		{"broken gzip", "POST", "gzip", health, 0, &Error{400, "Failed to read request body: gzip: gzip: invalid header"}},
		{"cut gzip", "POST", "gzip", zipped(health)[:20], 0, &Error{400, "Failed to read request body: unexpected EOF"}},
		{"other encoding", "POST", "br", health, 0, &Error{415, "Expecting 'Content-Encoding' of gzip or none: unknown Content-Encoding 'br'"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, "/api/v1", strings.NewReader(tt.body))
			r.Header.Set("Content-Type", "application/json")
			if tt.encoding != "" {
				r.Header.Set("Content-Encoding", tt.encoding)
			}
			w := httptest.NewRecorder()
			err := ReadCall(w, r, &masterpb.Call{}, ReadOptions{MaxBytes: tt.limit})
			if tt.want == nil {
				if err != nil {
					t.Errorf("ReadCall() = %v, want none", err)
				}
				return
			}
			if got, ok := err.(*Error); !ok || *got != *tt.want {
				t.Errorf("ReadCall() = %#v, want %#v", err, tt.want)
			}
			if got := w.Header().Get("Allow"); tt.want.Code == 405 && got != "POST" {
				t.Errorf("Allow = %q, want POST", got)
			}
		})
	}
}

func TestSlowBodyIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			WriteError(w, ReadCall(w, r, &masterpb.Call{}, ReadOptions{Timeout: 10 * time.Second}))
		}))
		never, write := io.Pipe()
		defer write.Close()
		r, _ := http.NewRequestWithContext(t.Context(), "POST", "http://master/api/v1", never)
		r.Header.Set("Content-Type", "application/json")
		start := time.Now()
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusRequestTimeout || string(text) != "Request body did not arrive within 10s" {
			t.Errorf("answer = %d %s, want 408", resp.StatusCode, text)
		}
		if got := time.Since(start); got != 10*time.Second {
			t.Errorf("answered after %v, want 10s", got)
		}
	})
}

func TestStreamingRequests(t *testing.T) {
	frame := func(s string) string { return fmt.Sprintf("%d\n%s", len(s), s) }
	tests := []struct {
		name, messageType, body string
		want                    []string // errors in order; "" for a call
	}{
		{"two calls", "application/json", frame(`{"type":"ATTACH_CONTAINER_INPUT"}`) + frame(`{}`), []string{"", "", "EOF"}},
		{"protobuf", "application/x-protobuf", "2\n\x08\x01", []string{"", "EOF"}},
		{"no type", "", "", []string{"400 Expecting 'Message-Content-Type' to be set for streaming requests"}},
		{"other type", "text/plain", "", []string{"415 Expecting 'Message-Content-Type' of application/json or application/x-protobuf"}},
		{"broken framing", "application/json", "abc\n{}", []string{"500 Decoder failure: Failed to decode length 'abc': Failed to convert 'abc' to number"}},
		{"broken call", "application/json", "3\n{x}", []string{"400 Failed to parse body into JSON: syntax error at line 1 near: x}"}},
		{"cut", "application/json", `{"type":"GET_HEALTH"}`, []string{"400 Received EOF while reading request body"}},
		{"too large", "application/json", "1000\n", []string{"413 record of 1000 bytes exceeds the limit of 100 bytes; send the data in smaller pieces"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/api/v1", strings.NewReader(tt.body))
			r.Header.Set("Content-Type", "application/recordio")
			if tt.messageType != "" {
				r.Header.Set("Message-Content-Type", tt.messageType)
			}
			if !StreamingRequest(r) {
				t.Fatal("StreamingRequest() = false, want true")
			}
			s, err := ReadStream(r, 100)
			for i, want := range tt.want {
				if err == nil {
					err = s.Next(&agentpb.Call{})
				}
				if got := outcome(err); got != want {
					t.Errorf("call %d = %s, want %s", i, got, want)
				}
			}
		})
	}
}

func outcome(err error) string {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return fmt.Sprint(e.Code, " ", e.Text)
	}
	return err.Error()
}

func TestWriteMessageCompressesLargeAnswers(t *testing.T) {
	large := &masterpb.Response{GetRoles: &masterpb.Response_GetRoles{}}
	for range 100 {
		large.GetRoles.Roles = append(large.GetRoles.Roles, &mesospb.Role{Name: proto.String("role"), Weight: proto.Float64(1)})
	}
	small := &masterpb.Response{Type: masterpb.Response_GET_HEALTH.Enum()}
	tests := []struct {
		name, accept string
		m            proto.Message
		want         string
	}{
		{"small", "gzip", small, ""},
		{"large", "gzip", large, "gzip"},
		{"anything", "*", large, "gzip"},
		{"not asked for", "", large, ""},
		{"forbidden", "gzip;q=0", large, ""},
		{"another", "deflate, br", large, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/api/v1", nil)
			if tt.accept != "" {
				r.Header.Set("Accept-Encoding", tt.accept)
			}
			w := httptest.NewRecorder()
			WriteMessage(w, r, JSON, tt.m)
			resp := w.Result()
			if got := resp.Header.Get("Content-Encoding"); got != tt.want {
				t.Errorf("Content-Encoding = %q, want %q", got, tt.want)
			}
			if got := resp.Header.Get("Content-Length"); got != fmt.Sprint(w.Body.Len()) {
				t.Errorf("Content-Length = %s, want %d", got, w.Body.Len())
			}
			body := w.Body.Bytes()
			if tt.want == "gzip" {
				z, err := gzip.NewReader(w.Body)
				if err != nil {
					t.Fatal(err)
				}
				body, _ = io.ReadAll(z)
			}
			if want, _ := Marshal(JSON, tt.m); !bytes.Equal(body, want) {
				t.Errorf("body = %s, want %s", body, want)
			}
		})
	}
}

func TestWriteError(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"with a text", Errorf(400, "Framework %s", "x"), "400 Framework x"},
		{"fixed body", &Error{Code: 501}, "501 501 Not Implemented."},
		{"wrapped", fmt.Errorf("op: %w", &Error{403, "no"}), "403 no"},
		{"any other", errors.New("disk full"), "500 disk full"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			WriteError(w, tt.err)
			if got := fmt.Sprint(w.Code, " ", w.Body); got != tt.want {
				t.Errorf("answer = %s, want %s", got, tt.want)
			}
			if got := w.Header().Get("Content-Type"); got != "text/plain; charset=utf-8" {
				t.Errorf("Content-Type = %s", got)
			}
		})
	}
}

func FuzzReadCall(f *testing.F) {
	f.Add("application/json", "", []byte(`{"type":"KILL"}`))
	f.Add("application/x-protobuf", "gzip", []byte(zipped("\b\x08")))
	f.Add("", "identity", []byte{})
	f.Fuzz(func(t *testing.T, contentType, encoding string, body []byte) {
		r := httptest.NewRequest("POST", "/api/v1/scheduler", bytes.NewReader(body))
		r.Header["Content-Type"] = []string{contentType}
		r.Header["Content-Encoding"] = []string{encoding}
		err := ReadCall(httptest.NewRecorder(), r, &schedulerpb.Call{}, ReadOptions{MaxBytes: 1 << 16})
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Code < 400 || e.Code >= 500) {
			t.Fatalf("ReadCall() = %v, want the client to be told", err)
		}
	})
}
