package doctest

import (
	"regexp"
	"strings"
)

// Wildcard stands for any text in what a page shows.
const Wildcard = "…"

// Matches reports whether output is what a page shows. White space does not
// count, so that pages may wrap long lines.
func Matches(expected, output string) bool {
	var pattern strings.Builder
	for i, part := range strings.Split(squeeze(expected), Wildcard) {
		if i > 0 {
			pattern.WriteString("(?s:.*)")
		}
		pattern.WriteString(regexp.QuoteMeta(part))
	}
	return regexp.MustCompile(`\A` + pattern.String() + `\z`).MatchString(squeeze(output))
}

// squeeze removes all white space.
func squeeze(text string) string { return strings.Join(strings.Fields(text), "") }
