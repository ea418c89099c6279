// Command telegraf reads a master and an agent through telegraf's Mesos input, for a
// test, and prints each field that it learned.
package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/agent"
	"github.com/influxdata/telegraf/logger"
	"github.com/influxdata/telegraf/models"
	"github.com/influxdata/telegraf/plugins/inputs/mesos"
)

func main() {
	input := &mesos.Mesos{Masters: []string{os.Args[1]}, Slaves: []string{os.Args[2]}, Timeout: 5000, Log: logger.New("inputs", "mesos", "")}
	learned := make(chan telegraf.Metric, 100)
	acc := agent.NewAccumulator(models.NewRunningInput(input, &models.InputConfig{Name: "mesos", Filter: models.Filter{}}), learned)
	if err := input.Gather(acc); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	close(learned)
	for m := range learned {
		role, _ := m.GetTag("role")
		var lines []string
		for _, f := range m.FieldList() {
			lines = append(lines, fmt.Sprintf("%s %s %v", role, f.Key, f.Value))
		}
		slices.Sort(lines)
		for _, line := range lines {
			fmt.Println(line)
		}
	}
}
