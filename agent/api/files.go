package api

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/agent/sandbox"
	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/daemon"
)

// maxRead is the most that one read returns (Mesos: 16 pages).
const maxRead = 16 * 4096

// fileDoc is an element of /files/browse.
type fileDoc struct {
	Group    string `json:"gid"`
	Mode     string `json:"mode"`
	Modified double `json:"mtime"`
	Links    uint64 `json:"nlink"`
	Path     string `json:"path"`
	Size     int64  `json:"size"`
	User     string `json:"uid"`
}

func newFileDoc(e sandbox.Entry) fileDoc {
	return fileDoc{
		Group: e.Group, Mode: modeText(e.Info.Mode()), Modified: double(e.Modified.Unix()), Links: e.Links,
		Path: e.Path, Size: e.Info.Size(), User: e.User,
	}
}

// modeText is a mode as ls shows it.
func modeText(m fs.FileMode) string {
	kind := byte('-')
	switch {
	case m.IsDir():
		kind = 'd'
	case m&fs.ModeSymlink != 0:
		kind = 'l'
	case m&fs.ModeNamedPipe != 0:
		kind = 'p'
	case m&fs.ModeSocket != 0:
		kind = 's'
	case m&fs.ModeCharDevice != 0:
		kind = 'c'
	case m&fs.ModeDevice != 0:
		kind = 'b'
	}
	return string(kind) + m.Perm().String()[1:]
}

// pathOf reads the query that all of /files has.
func pathOf(q url.Values) (string, error) {
	if p := q.Get("path"); p != "" {
		return p, nil
	}
	return "", callevent.Errorf(http.StatusBadRequest, "Expecting 'path=value' in query.\n")
}

// fileError is the answer to a path that cannot be served.
func fileError(w http.ResponseWriter, name string, err error, directory, missing string) {
	var refused *callevent.Error
	switch {
	case errors.As(err, &refused):
		callevent.WriteError(w, err)
	case errors.Is(err, sandbox.ErrInaccessible):
		daemon.WriteText(w, http.StatusBadRequest, fmt.Sprintf("'%s' is inaccessible.\n", name))
	case errors.Is(err, sandbox.ErrDirectory):
		daemon.WriteText(w, http.StatusBadRequest, directory)
	case missing == "":
		notFound(w)
	default:
		daemon.WriteText(w, http.StatusNotFound, missing)
	}
}

// notFound answers 404 without a body, as Mesos does for files.
func notFound(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusNotFound)
}

// browse answers /files/browse: a directory's content, or [] for a file.
func (a *api) browse(w http.ResponseWriter, r *http.Request) {
	name, err := pathOf(r.URL.Query())
	if err != nil {
		callevent.WriteError(w, err)
		return
	}
	entries, err := a.Files.List(name)
	if err != nil {
		fileError(w, name, err, "", "")
		return
	}
	answer(w, r, docs(entries, newFileDoc))
}

// read answers /files/read: a piece of a file, or its size without an offset.
func (a *api) read(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	name, err := pathOf(q)
	offset, length := int64(-1), int64(-1)
	if err == nil {
		offset, err = number(q, "offset")
	}
	if err == nil {
		length, err = number(q, "length")
	}
	if err != nil {
		callevent.WriteError(w, err)
		return
	}
	data, size, err := a.piece(name, offset, length)
	if err != nil {
		fileError(w, name, err, "Cannot read a directory.\n", "")
		return
	}
	if offset < 0 {
		offset = size
	}
	body := appendRaw([]byte(`{"data":`), data)
	body = append(body, `,"offset":`...)
	body = strconv.AppendInt(body, offset, 10)
	daemon.WriteJSON(w, r, append(body, '}'))
}

// number reads an optional number of a query; -1 is none.
func number(q url.Values, name string) (int64, error) {
	text := q.Get(name)
	if text == "" {
		return -1, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return 0, callevent.Errorf(http.StatusBadRequest, "Failed to parse %s: Failed to convert '%s' to number.\n", name, text)
	case n < -1:
		return 0, callevent.Errorf(http.StatusBadRequest, "Negative %s provided: %d.\n", name, n)
	}
	return n, nil
}

// piece reads at most maxRead bytes of a file; an offset below 0 reads nothing.
func (a *api) piece(name string, offset, length int64) (data []byte, size int64, err error) {
	file, info, err := a.Files.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	if offset < 0 || offset >= info.Size() {
		return nil, info.Size(), nil
	}
	if length < 0 || length > maxRead {
		length = maxRead
	}
	data, err = io.ReadAll(io.NewSectionReader(file, offset, length))
	return data, info.Size(), err
}

// appendRaw quotes text for JSON and leaves bytes that are no UTF-8 as they are:
// who reads a log in pieces must get each byte once.
func appendRaw(b, text []byte) []byte {
	b = append(b, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < 0x20 || c == 0x7f:
			b = fmt.Appendf(b, "\\u%04x", c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// download answers /files/download with a whole file.
func (a *api) download(w http.ResponseWriter, r *http.Request) {
	name, err := pathOf(r.URL.Query())
	if err != nil {
		callevent.WriteError(w, err)
		return
	}
	file, info, err := a.Files.Open(name)
	if err != nil {
		fileError(w, name, err, "Cannot download a directory.\n", "404 Not Found.")
		return
	}
	defer file.Close()
	if err := daemon.Unbounded(w); err != nil && !errors.Is(err, http.ErrNotSupported) {
		callevent.WriteError(w, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", contentType(name))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(name)}))
	h.Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	if r.Method == http.MethodHead {
		return
	}
	send(w, io.LimitReader(file, info.Size()))
}

// stall is how long a reader of a download may take nothing.
const stall = time.Minute

// send copies with a deadline per piece. A reader that went away needs no answer.
func send(w http.ResponseWriter, r io.Reader) {
	control := http.NewResponseController(w)
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		_ = control.SetWriteDeadline(time.Now().Add(stall)) // not every writer has one
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// contentType goes by the extension, among the few that Mesos knows and that a
// browser shows without running anything but HTML.
func contentType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".html", ".htm":
		return "text/html"
	case ".css":
		return "text/css"
	case ".gif":
		return "image/gif"
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	}
	return "application/octet-stream"
}

// debugFiles answers /files/debug: virtual path → real path.
func (a *api) debugFiles(w http.ResponseWriter, r *http.Request) {
	s, ok := a.snapshot(w, r)
	if !ok {
		return
	}
	paths := make(map[string]string)
	for name, file := range a.Files.Named() {
		paths[name] = file
	}
	for _, f := range s.Frameworks {
		for _, x := range f.Executors {
			for _, name := range a.virtual(x.Run) {
				paths[name] = a.directory(x.Run)
			}
		}
	}
	answer(w, r, paths)
}

// virtual lists the paths that a live sandbox can be asked for with.
func (a *api) virtual(r core.Run) []string {
	dir := a.directory(r)
	return []string{
		dir,
		path.Join(path.Dir(dir), "latest"),
		path.Join("/frameworks", string(r.Framework), "executors", string(r.Executor), "runs/latest"),
	}
}

// unixMode is type and permissions as stat has them.
func unixMode(e sandbox.Entry) uint32 {
	if st, ok := e.Info.Sys().(*syscall.Stat_t); ok {
		return uint32(st.Mode)
	}
	return uint32(e.Info.Mode().Perm())
}
