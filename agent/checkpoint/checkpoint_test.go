package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

func framework(id, name string) *checkpointpb.Record {
	return &checkpointpb.Record{Framework: &checkpointpb.Framework{
		Id:   &mesospb.FrameworkID{Value: &id},
		Info: &mesospb.FrameworkInfo{User: new("u"), Name: &name},
	}}
}

func gone(id string) *checkpointpb.Record {
	return &checkpointpb.Record{Framework: &checkpointpb.Framework{Id: &mesospb.FrameworkID{Value: &id}}, Gone: new(true)}
}

// reporter is what *testing.T and *rapid.T have in common.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

func open(t reporter, dir string) *Log {
	t.Helper()
	l, err := Open(dir)
	if err != nil {
		t.Fatalf("Open = %v, want nil", err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func check(t reporter, l *Log, want ...*checkpointpb.Record) {
	t.Helper()
	if diff := cmp.Diff(want, l.Records(), protocmp.Transform(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("Records (-want +got):\n%s", diff)
	}
}

func appendAll(t reporter, l *Log, batches ...[]*checkpointpb.Record) {
	t.Helper()
	if err := l.Append(batches...); err != nil {
		t.Fatalf("Append = %v, want nil", err)
	}
}

type batch = []*checkpointpb.Record

func TestTheLastRecordCounts(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	check(t, l)
	appendAll(t, l, batch{framework("a", "1"), framework("b", "1")}, batch{framework("a", "2")})
	appendAll(t, l, batch{gone("b"), framework("c", "1")})
	l.Close()

	check(t, open(t, dir), framework("a", "2"), framework("c", "1"))
}

func TestOneAgentAtATime(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	if _, err := Open(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("second Open = %v, want ErrLocked", err)
	}
	l.Close()
	open(t, dir)
}

func TestForeignWorkDirectories(t *testing.T) {
	tests := []struct{ name, file, content, want string }{
		{"of another version", "meta/log", "souk checkpoint log, version 7\nxyz", "version 7"},
		{"of something else", "meta/log", "hello", "no checkpoint log"},
		{"of Mesos", "meta/slaves/latest", "", "Mesos"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, tt.file)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(tt.content), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Open(dir)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Open = %v, want one line about %s", err, tt.want)
			}
			if got, _ := os.ReadFile(path); string(got) != tt.content {
				t.Errorf("Open changed %s to %q", tt.file, got)
			}
		})
	}
}

// A log that ends anywhere, or in garbage, opens with the batches before that.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	appendAll(t, l, batch{framework("a", "1")})
	first := l.size
	appendAll(t, l, batch{framework("b", "1"), framework("c", "1")})
	l.Close()
	whole, err := os.ReadFile(filepath.Join(dir, "meta/log"))
	if err != nil {
		t.Fatal(err)
	}
	for end := range whole {
		torn := map[string][]byte{
			"cut":     whole[:end],
			"zeroed":  append(bytes.Clone(whole[:end]), make([]byte, len(whole)-end)...),
			"flipped": append(append(bytes.Clone(whole[:end]), whole[end]^0x40), whole[end+1:]...),
		}
		for how, data := range torn {
			if how != "cut" && end < len(header) || how == "zeroed" && bytes.Equal(data, whole) {
				continue // a damaged header is no torn tail, and a zero more no damage
			}
			name := fmt.Sprintf("%s at %d", how, end)
			at := t.TempDir()
			if err := os.MkdirAll(filepath.Join(at, "meta"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(at, "meta/log"), data, 0o644); err != nil {
				t.Fatal(err)
			}
			l, err := Open(at)
			if how == "flipped" && int64(end) < first {
				checkRefusal(t, name, at, data, err)
				continue
			}
			if err != nil {
				t.Fatalf("%s: Open = %v, want nil", name, err)
			}
			var want batch
			if int64(end) >= first {
				want = batch{framework("a", "1")}
			}
			if diff := cmp.Diff(want, l.Records(), protocmp.Transform(), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", name, diff)
			}
			if end%5 != 0 {
				l.Close() // reopening them all takes too many syncs
				continue
			}
			appendAll(t, l, batch{framework("d", "1")})
			l.Close()
			check(t, open(t, at), append(want, framework("d", "1"))...)
		}
	}
}

// A failed write ends all writing: nobody knows what is on disk.
func TestNoWriteAfterAFailure(t *testing.T) {
	l := open(t, t.TempDir())
	l.file.Close()
	if err := l.Append(batch{framework("a", "1")}); err == nil {
		t.Fatal("Append to a closed file = nil, want an error")
	}
	first := l.failed
	if err := l.Append(batch{framework("b", "1")}); err != first {
		t.Errorf("Append after a failure = %v, want %v", err, first)
	}
}

// checkRefusal wants one line that says where the log in workDir is damaged, and the log as it was.
func checkRefusal(t *testing.T, name, workDir string, data []byte, err error) {
	t.Helper()
	want := fmt.Sprintf("damaged at byte %d of %d", len(header), len(data))
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "meta/log") || strings.Contains(err.Error(), "\n") {
		t.Fatalf("%s: Open = %v, want one line with %q", name, err, want)
	}
	if got, _ := os.ReadFile(filepath.Join(workDir, "meta/log")); !bytes.Equal(got, data) {
		t.Fatalf("%s: Open changed the log", name)
	}
}

// A page that was lost amid the log is damage, too, even where zeros fill it.
func TestLostPage(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	begin := l.size
	for i := range 400 {
		appendAll(t, l, batch{framework(fmt.Sprint(i), "1")})
	}
	l.Close()
	path := filepath.Join(dir, "meta/log")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(data[4096:8192])
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "damaged at byte") {
		t.Errorf("Open of a log from %d to %d without a page = %v, want a refusal", begin, len(data), err)
	}
}

// Whatever is appended, compacted and reopened in between, the table is the same.
func TestLogIsItsTable(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "log")
		if err != nil {
			t.Fatal(err)
		}
		l := open(rt, dir)
		var want checkpointpb.Table
		for range rapid.IntRange(1, 15).Draw(rt, "steps") {
			switch rapid.IntRange(0, 5).Draw(rt, "step") {
			case 0:
				l.Close()
				l = open(rt, dir)
			case 1:
				l.compact = 0
			default:
				id := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "id")
				r := framework(id, rapid.StringN(0, 20, 40).Draw(rt, "name"))
				if rapid.Bool().Draw(rt, "gone") {
					r = gone(id)
				}
				appendAll(rt, l, batch{r})
				want.Put(r)
			}
		}
		l.Close()
		check(rt, open(rt, dir), want.Records()...)
	})
}

func TestCompactionBoundsTheLog(t *testing.T) {
	l := open(t, t.TempDir())
	big := strings.Repeat("x", 64<<10)
	for range 300 {
		appendAll(t, l, batch{framework("a", big)})
	}
	if l.size > 2*compactSlack {
		t.Errorf("the log of one record has grown to %d bytes", l.size)
	}
	check(t, l, framework("a", big))
}

func TestBoot(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	if id, err := l.Boot(); id != "" || err != nil {
		t.Errorf("Boot = %q, %v, want none", id, err)
	}
	if err := l.SetBoot("b1"); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if id, err := open(t, dir).Boot(); id != "b1" || err != nil {
		t.Errorf("Boot = %q, %v, want b1", id, err)
	}
}

func FuzzDecode(f *testing.F) {
	frame, err := encode(nil, batch{framework("a", "1")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(frame)
	f.Add(frame[:5])
	f.Fuzz(func(t *testing.T, data []byte) {
		batch, n := decode(data)
		if n == 0 {
			return
		}
		again, err := encode(nil, batch.GetRecords())
		if err != nil || n > len(data) {
			t.Fatalf("decode read %d of %d bytes; encode: %v", n, len(data), err)
		}
		if same, m := decode(again); m == 0 || len(same.GetRecords()) != len(batch.GetRecords()) {
			t.Errorf("decode(encode(x)) is not x")
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 16} {
		b.Run(fmt.Sprintf("batches=%d", n), func(b *testing.B) {
			l := open(b, b.TempDir())
			batches := make([][]*checkpointpb.Record, n)
			for i := range batches {
				batches[i] = batch{framework(fmt.Sprint(i), strings.Repeat("x", 1000))}
			}
			for b.Loop() {
				if err := l.Append(batches...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen reads what an agent wrote that launched 2,000 tasks one by one.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	l := open(b, dir)
	for i := range 6000 {
		if err := l.Append(batch{framework(fmt.Sprint(i%2000), strings.Repeat("x", 500))}); err != nil {
			b.Fatal(err)
		}
	}
	l.Close()
	for b.Loop() {
		l, err := Open(dir)
		if err != nil {
			b.Fatal(err)
		}
		l.Close()
	}
}
