package spec

import (
	"slices"
	"strings"
)

// idPattern is Marathon's rule for ids, quoted to those who break it.
const idPattern = `^(\/?((\.\.)|(([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])\.)*([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9]))?($|\/))+$`

// MaxIDLength keeps task ids, which contain the app id, within the 255 bytes of a Mesos id.
const MaxIDLength = 192

// CanonicalID makes an id absolute below base ("/" for the root) and resolves
// "..", doubled and trailing slashes. It does not judge the segments.
func CanonicalID(base, id string) string {
	segments := []string{}
	if !strings.HasPrefix(id, "/") {
		segments = Segments(base)
	}
	for _, s := range Segments(id) {
		if s == ".." {
			segments = segments[:max(0, len(segments)-1)]
			continue
		}
		segments = append(segments, s)
	}
	return "/" + strings.Join(segments, "/")
}

// Segments are the non-empty parts of an id.
func Segments(id string) []string {
	return slices.DeleteFunc(strings.Split(id, "/"), func(s string) bool { return s == "" })
}

// SafeID is the id as it appears in task ids and record names: /dev/web is
// dev_web. Ids contain no underscore, hence FromSafeID.
func SafeID(id string) string { return strings.Join(Segments(id), "_") }

// FromSafeID reverses SafeID.
func FromSafeID(safe string) string { return "/" + strings.ReplaceAll(safe, "_", "/") }

// TaskName is the name for DNS: /product/db is db.product.
func TaskName(id string) string {
	s := Segments(id)
	slices.Reverse(s)
	return strings.Join(s, ".")
}

// Parent is the group an app lies in.
func Parent(id string) string {
	s := Segments(id)
	return "/" + strings.Join(s[:max(0, len(s)-1)], "/")
}

// Below reports whether id lies in the group, at any depth.
func Below(id, group string) bool {
	return group == "/" || strings.HasPrefix(id, group+"/")
}

// checkID judges an absolute id that names an app.
func checkID(rep *report, path, id string) {
	segments := Segments(id)
	switch {
	case len(segments) == 0:
		rep.add(path, "Path must not be the root: give the app a name, for example /web")
	case !slices.ContainsFunc(segments, badSegment):
		checkLastSegment(rep, path, segments[len(segments)-1])
	default:
		rep.add(path, "must fully match regular expression '%s'", idPattern)
	}
	if len(id) > MaxIDLength {
		rep.add(path, "must not be longer than %d characters", MaxIDLength)
	}
}

// checkLastSegment keeps the verbs of the API free.
func checkLastSegment(rep *report, path, last string) {
	if slices.Contains([]string{"restart", "tasks", "versions"}, last) {
		rep.add(path, "must not end with any of: restart, tasks, versions, ., ..")
	}
}

// badSegment: lower-case letters, digits and inner dashes, joined by single dots.
func badSegment(s string) bool {
	return s != ".." && slices.ContainsFunc(strings.Split(s, "."), func(label string) bool { return !lowerName(label, "") })
}

// lowerName: a-z and 0-9 at both ends, and dashes or extra characters between.
func lowerName(s, extra string) bool {
	if s == "" || !alphanumeric(s[0]) || !alphanumeric(s[len(s)-1]) {
		return false
	}
	for i := range len(s) {
		if !alphanumeric(s[i]) && s[i] != '-' && !strings.Contains(extra, s[i:i+1]) {
			return false
		}
	}
	return true
}

func alphanumeric(b byte) bool { return 'a' <= b && b <= 'z' || '0' <= b && b <= '9' }
