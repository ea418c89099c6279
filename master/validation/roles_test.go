package validation_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/soukproject/souk/master/validation"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	maintenancepb "github.com/soukproject/souk/proto/mesos/v1/maintenance"
	quotapb "github.com/soukproject/souk/proto/mesos/v1/quota"
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

func amounts(list ...any) map[string]*mesospb.Value_Scalar {
	m := map[string]*mesospb.Value_Scalar{}
	for i := 0; i < len(list); i += 2 {
		m[list[i].(string)] = &mesospb.Value_Scalar{Value: new(list[i+1].(float64))}
	}
	return m
}

func TestQuotas(t *testing.T) {
	limits := func(role string, list ...any) *quotapb.QuotaConfig {
		return &quotapb.QuotaConfig{Role: &role, Limits: amounts(list...)}
	}
	guarantees := func(role string, list ...any) *quotapb.QuotaConfig {
		return &quotapb.QuotaConfig{Role: &role, Guarantees: amounts(list...)}
	}
	many := limits("a")
	for i := range 101 {
		many.Limits[strings.Repeat("x", i+1)] = &mesospb.Value_Scalar{Value: new(1.0)}
	}
	for _, test := range []struct {
		name      string
		config    *quotapb.QuotaConfig
		whitelist []string
		want      string
	}{
		{"nothing", limits("a"), nil, ""},
		{"any", limits("*", "cpus", 1.0), []string{"a"}, ""},
		{"not listed", limits("b", "cpus", 1.0), []string{"a"}, "Invalid QuotaConfig: 'b' is not on the roles whitelist"},
		{"nested", limits("a/b", "cpus", 1.0), nil, "Updating quota on nested role 'a/b' is not supported yet"},
		{"no role", limits("", "cpus", 1.0), nil, "Invalid QuotaConfig: Invalid 'QuotaConfig.role': Role names cannot be the empty string"},
		{"no name", limits("a", "", 1.0), nil, "Invalid QuotaConfig: Invalid limit configuration {'': 1}: The name of a resource must have 1 to 400 bytes"},
		{"no number", guarantees("a", "cpus", math.NaN()), nil, "Invalid QuotaConfig: Invalid guarantee configuration {'cpus': nan}: NaN not supported"},
		{"infinite", limits("a", "cpus", math.Inf(1)), nil, "Invalid QuotaConfig: Invalid limit configuration {'cpus': inf}: Infinite values not supported"},
		{"negative", limits("a", "cpus", -1.0), nil, "Invalid QuotaConfig: Invalid limit configuration {'cpus': -1}: Negative values not supported"},
		{"a trillion", limits("a", "cpus", 1e12), nil, ""},
		{"more", guarantees("a", "cpus", 1e12+1), nil, "Invalid QuotaConfig: Invalid 'QuotaConfig.guarantees': {'cpus': 1000000000001} is invalid: values greater than 1 trillion (1000000000000) are not supported"},
		{"an exabyte", limits("a", "disk", 1099511627776.0), nil, ""},
		{"guarantee without limit", &quotapb.QuotaConfig{Role: new("a"), Guarantees: amounts("cpus", 2.0, "mem", 1.0), Limits: amounts("mem", 1.0)}, nil, ""},
		{"guarantee above limit", &quotapb.QuotaConfig{Role: new("a"), Guarantees: amounts("cpus", 2.0, "mem", 1.0), Limits: amounts("cpus", 1.0)}, nil,
			"Invalid QuotaConfig: 'QuotaConfig.guarantees' { cpus: 2, mem: 1 } is not contained within the 'QuotaConfig.limits' { cpus: 1 }"},
		{"many names", many, nil, "Invalid QuotaConfig: Invalid 'QuotaConfig.limits': 101 resources, at most 100 are supported"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := validation.Quotas([]*quotapb.QuotaConfig{test.config}, test.whitelist)
			if got := textOf(err); got != test.want {
				t.Errorf("Quotas(%v) = %q, want %q", test.config, got, test.want)
			}
		})
	}
	if _, err := validation.Quotas(slices.Repeat([]*quotapb.QuotaConfig{limits("a")}, 1001), nil); err == nil {
		t.Error("1001 quotas can be updated at once, want an error")
	}
}

func TestQuotaRequest(t *testing.T) {
	const failed = "Failed to validate set quota request: "
	cpus := &mesospb.Resource{Name: new("cpus"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: new(1.0)}}
	for _, test := range []struct {
		name      string
		role      *string
		guarantee []*mesospb.Resource
		want      string
	}{
		{"one", new("a"), []*mesospb.Resource{cpus}, ""},
		{"no role", nil, []*mesospb.Resource{cpus}, failed + "QuotaInfo must specify a role"},
		{"bad role", new("a b"), []*mesospb.Resource{cpus}, failed + "QuotaInfo with invalid role: Role component 'a b' is invalid because it contains backspace or whitespace"},
		{"nothing", new("a"), nil, failed + "QuotaInfo with empty 'guarantee'"},
		{"twice", new("a"), []*mesospb.Resource{cpus, cpus}, failed + "QuotaInfo contains duplicate resource name 'cpus'"},
		{"nested", new("a/b/c"), []*mesospb.Resource{cpus}, failed + "Invalid quota configuration. Parent role 'a' with guarantees ({}) does not contain the sum of its children's guarantees (cpus:1)"},
		{"not listed", new("x"), []*mesospb.Resource{cpus}, failed + "Unknown role 'x'"},
		{"ranges", new("a"), []*mesospb.Resource{{Name: new("ports"), Type: mesospb.Value_RANGES.Enum()}}, failed + "QuotaInfo must not include non-scalar resources"},
		{"revocable", new("a"), []*mesospb.Resource{{Name: new("cpus"), Type: mesospb.Value_SCALAR.Enum(), Revocable: &mesospb.Resource_RevocableInfo{}}}, failed + "QuotaInfo must not contain RevocableInfo"},
		{"disk", new("a"), []*mesospb.Resource{{Name: new("disk"), Type: mesospb.Value_SCALAR.Enum(), Disk: &mesospb.Resource_DiskInfo{}}}, failed + "QuotaInfo must not contain DiskInfo"},
		{"reserved", new("a"), []*mesospb.Resource{{Name: new("cpus"), Type: mesospb.Value_SCALAR.Enum(), Role: new("a")}}, failed + "QuotaInfo must not contain any ReservationInfo"},
	} {
		t.Run(test.name, func(t *testing.T) {
			q, err := validation.QuotaRequest(&quotapb.QuotaRequest{Role: test.role, Guarantee: test.guarantee}, []string{"a", "a b", "a/b/c"})
			if got := textOf(err); got != test.want {
				t.Errorf("QuotaRequest = %q, want %q", got, test.want)
			}
			if most, _ := q.Limits.Get("cpus"); err == nil && (most != resources.Whole(1) || q.Guarantees.Get("cpus") != resources.Whole(1)) {
				t.Errorf("quota = %+v, want one cpu guaranteed and no more", q)
			}
		})
	}
}

// TestScheduleEnds: the end of a window must be a time.
func TestScheduleEnds(t *testing.T) {
	const century = int64(100 * 365 * 24 * time.Hour)
	for duration, want := range map[int64]string{
		-1:          "Unavailability 'duration' is negative",
		century:     "",
		century + 1: "Unavailability 'duration' is longer than a century: leave it out if there is no end",
	} {
		err := validation.Schedule(&maintenancepb.Schedule{Windows: []*maintenancepb.Window{{
			MachineIds: []*mesospb.MachineID{{Hostname: new("h")}},
			Unavailability: &mesospb.Unavailability{
				Start: &mesospb.TimeInfo{Nanoseconds: new(int64(1))}, Duration: &mesospb.DurationInfo{Nanoseconds: &duration},
			},
		}}})
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("a window of %d ns: %v, want %q", duration, err, want)
		}
	}
}
