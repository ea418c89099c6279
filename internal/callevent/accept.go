package callevent

import (
	"net/http"
	"strconv"
	"strings"
)

// Negotiate chooses the codec of the answer from r's Accept header: JSON
// whenever that is acceptable, protobuf otherwise. Preferences among them are
// not looked at, as in Mesos. The error is an *Error with code 406.
func Negotiate(r *http.Request) (Codec, error) {
	values, present := r.Header["Accept"]
	switch {
	case !present || accepts(values, mediaJSON):
		return JSON, nil
	case accepts(values, mediaProtobuf):
		return Protobuf, nil
	}
	return 0, Errorf(http.StatusNotAcceptable, "Expecting 'Accept' to allow '%s' or '%s'", mediaProtobuf, mediaJSON)
}

// NegotiateAgent does the same for the agent's operator API, where the answer
// may also be a stream in RecordIO whose messages Message-Accept chooses.
func NegotiateAgent(r *http.Request) (c Codec, recordIO bool, err error) {
	values, present := r.Header["Accept"]
	switch {
	case !present || accepts(values, mediaJSON):
		return JSON, false, nil
	case accepts(values, mediaProtobuf):
		return Protobuf, false, nil
	case !accepts(values, mediaRecordIO):
		return 0, false, Errorf(http.StatusNotAcceptable,
			"Expecting 'Accept' to allow %s or %s or %s", mediaJSON, mediaProtobuf, mediaRecordIO)
	}
	values, present = r.Header[headerMessageAccept]
	switch {
	case !present || accepts(values, mediaJSON):
		return JSON, true, nil
	case accepts(values, mediaProtobuf):
		return Protobuf, true, nil
	}
	return 0, false, Errorf(http.StatusNotAcceptable,
		"Expecting 'Message-Accept' to allow %s or %s", mediaJSON, mediaProtobuf)
}

// accepts tells whether the header allows the media type. The entry that names
// it most exactly decides; a quality of 0, or one that is no number, forbids.
func accepts(values []string, media string) bool {
	best, allowed := 0, false
	for _, v := range values {
		for entry := range strings.SplitSeq(v, ",") {
			name, params, _ := strings.Cut(entry, ";")
			if exact := exactness(strings.TrimSpace(name), media); exact > best {
				best, allowed = exact, quality(params) > 0
			} else if exact == best && exact > 0 {
				allowed = allowed || quality(params) > 0
			}
		}
	}
	return allowed
}

// exactness is 3 for the type itself, 2 for all of its kind, 1 for anything, 0 for another.
func exactness(pattern, media string) int {
	kind, _, _ := strings.Cut(media, "/")
	switch {
	case strings.EqualFold(pattern, media):
		return 3
	case strings.EqualFold(pattern, kind+"/*"):
		return 2
	case pattern == "*/*" || pattern == "*":
		return 1
	}
	return 0
}

// quality is the q among the parameters of an entry, 1 if there is none.
func quality(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				return 0
			}
			return q
		}
	}
	return 1
}
