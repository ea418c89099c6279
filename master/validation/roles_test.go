package validation_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/soukproject/souk/master/validation"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

func TestWeights(t *testing.T) {
	const failed = "Failed to validate update weights request JSON"
	weight := func(role string, w float64) []*mesospb.WeightInfo {
		return []*mesospb.WeightInfo{{Role: &role, Weight: &w}}
	}
	long := strings.Repeat("x", 401)
	for _, test := range []struct {
		name      string
		list      []*mesospb.WeightInfo
		whitelist []string
		want      string
	}{
		{"none", nil, nil, ""},
		{"any role", weight("a/b", 0.5), nil, ""},
		{"listed", weight("a", 2), []string{"a"}, ""},
		{"any", weight("*", 2), []string{"a"}, ""},
		{"not listed", weight("b", 2), []string{"a"}, failed + ": Unknown role 'b'"},
		{"bad role", weight("-x", 2), nil, failed + ": Invalid role '-x': Role component '-x' is invalid because it starts with a dash"},
		{"zero", weight("a", 0), nil, failed + " for role 'a': Invalid weight '0': Weights must be positive"},
		{"negative", weight("a", -2), nil, failed + " for role 'a': Invalid weight '-2': Weights must be positive"},
		{"no number", weight("a", math.NaN()), nil, failed + " for role 'a': Invalid weight 'nan': Weights must be positive"},
		{"infinite", weight("a", math.Inf(1)), nil, failed + " for role 'a': Invalid weight 'inf': Weights must be finite"},
		{"long role", weight(long, 1), nil, failed + ": Invalid role '" + long + "': Role 'xxxxxxxxxxxxxxxxxxxx…' is longer than 400 bytes"},
		{"no text", weight("a\xff", 1), nil, failed + ": Invalid role 'a\xff': Role \"a\\xff\" is not UTF-8 text"},
		{"a zero byte", weight("a\x00", 1), nil, failed + ": Invalid role 'a\x00': Role \"a\\x00\" is not UTF-8 text"},
		{"many", slices.Repeat(weight("a", 1), 1001), nil, failed + ": 1001 weights, at most 1000 can be set in one call"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := textOf(validation.Weights(test.list, test.whitelist)); got != test.want {
				t.Errorf("Weights = %q, want %q", got, test.want)
			}
		})
	}
}
