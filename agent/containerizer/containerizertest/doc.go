// Package containerizertest checks that a containerizer.Containerizer keeps its
// promises, and has a fake for tests of the agent. The suite owns what holds
// for every implementation; what only one of them does is tested beside it.
package containerizertest
