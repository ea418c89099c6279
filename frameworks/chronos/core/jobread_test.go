package core

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestAmountsAndExecutors(t *testing.T) {
	cfg := config()
	for _, tt := range []struct{ members, field string }{
		{`"cpus":0,"mem":"0","disk":0`, ""},
		{`"cpus":"0.5","mem":64`, ""},
		{`"executor":""`, ""},
		{`"executor":"fooexec"`, "executor"},
		{`"cpus":-1`, "cpus"},
		{`"cpus":"-0.1"`, "cpus"},
		{`"mem":"NaN"`, "mem"},
		{`"mem":"1e400"`, "mem"},
		{`"disk":"Infinity"`, "disk"},
		{`"disk":"much"`, "disk"},
	} {
		t.Run(tt.members, func(t *testing.T) {
			body := fmt.Sprintf(`{"name":"j","command":"true","schedule":"R1//P1D",%s}`, tt.members)
			job, err := ReadJob([]byte(body), cfg.Defaults, cfg.Zones, firstStart.Add(time.Hour))
			var refused *Invalid
			switch {
			case tt.field == "" && err != nil:
				t.Errorf("ReadJob = %v, want nil", err)
			case tt.field == "" && (job.Mem <= 0 || job.Disk <= 0 || job.CPUs <= 0):
				t.Errorf("amounts = %v %v %v, want the defaults", job.CPUs, job.Mem, job.Disk)
			case tt.field != "" && (!errors.As(err, &refused) || refused.Field != tt.field):
				t.Errorf("ReadJob = %v, want %s refused", err, tt.field)
			}
		})
	}
}
