package local_test

import (
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/soukproject/souk/internal/zookeeper/zookeepertest"
)

// BenchmarkHandOver is a leading master ended with SIGTERM, until another one
// answers as the leader that has recovered. Three masters, real processes.
func BenchmarkHandOver(b *testing.B) {
	zk := zookeepertest.Start(b, 1).URL(b)
	masters := map[string]*daemon{}
	start := func(port int) {
		masters[fmt.Sprint("127.0.0.1:", port)] = startDaemon(b, "master", "--zk="+zk, "--no-hostname_lookup", "--ip=127.0.0.1", fmt.Sprint("--port=", port))
	}
	ports := freePorts(b, 3)
	for _, port := range ports {
		start(port)
	}
	var took []time.Duration
	leader := leading(b, masters, "")
	for b.Loop() {
		time.Sleep(time.Second) // for the others to stand by
		began := time.Now()
		if err := masters[leader].process.Process.Signal(syscall.SIGTERM); err != nil {
			b.Fatal(err)
		}
		next := leading(b, masters, leader)
		took = append(took, time.Since(began))
		masters[leader].process.Wait()
		var port int
		fmt.Sscanf(leader, "127.0.0.1:%d", &port)
		start(port)
		leader = next
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "p50-ms")
	b.ReportMetric(float64(took[len(took)-1].Milliseconds()), "max-ms")
}

// leading polls until one of the masters but one serves as the leader.
func leading(b *testing.B, masters map[string]*daemon, but string) string {
	client := http.Client{Timeout: time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		for address := range masters {
			if address == but {
				continue
			}
			resp, err := client.Get("http://" + address + "/state-summary")
			if err != nil {
				continue
			}
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return address
			}
		}
	}
	b.Fatalf("no master leads after %v", patience)
	return ""
}
