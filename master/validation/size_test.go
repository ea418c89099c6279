package validation

import (
	"fmt"
	"strings"
	"testing"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

func TestFrameworksAreBounded(t *testing.T) {
	capable := []*mesospb.FrameworkInfo_Capability{{Type: mesospb.FrameworkInfo_Capability_MULTI_ROLE.Enum()}}
	roles := func(n int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprint("r", i))
		}
		return list
	}
	for _, tt := range []struct {
		name string
		info *mesospb.FrameworkInfo
		want string
	}{
		{"many roles", &mesospb.FrameworkInfo{User: new("u"), Name: new("n"), Roles: roles(maxFrameworkRoles), Capabilities: capable}, ""},
		{"too many roles", &mesospb.FrameworkInfo{User: new("u"), Name: new("n"), Roles: roles(maxFrameworkRoles + 1), Capabilities: capable},
			"'FrameworkInfo.roles' has 1001 roles: at most 1000 are allowed"},
		{"a long name", &mesospb.FrameworkInfo{User: new("u"), Name: new(strings.Repeat("n", maxFrameworkBytes))},
			"FrameworkInfo has 262154 bytes: at most 262144 are allowed; shorten its name, labels or other texts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.info.Role == nil && len(tt.info.Roles) == 0 {
				tt.info.Role = new("*")
			}
			got := ""
			if err := Framework(tt.info, FrameworkRules{RootSubmissions: true}); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("Framework() = %q, want %q", got, tt.want)
			}
		})
	}
}
