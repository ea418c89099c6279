// Package conformance holds a master and an agent against the published facts of
// the Mesos API: one row per statement, with the section and line of the
// reference page it comes from, run over real sockets, in JSON and, where the
// statement is about a call, in protobuf as well. It has nothing but tests:
//
//	go test ./internal/conformance -master URL -agent URL
//
// asks any implementation of the API; without the flags a cluster is started for
// the purpose. Rows that are plain requests are data, in testdata; those that need
// several steps are in steps_test.go. A row that does not hold yet says why, and
// is listed in docs/reference/compatibility.md.
package conformance
