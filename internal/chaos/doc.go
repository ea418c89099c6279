// Package chaos breaks a real cluster on purpose: masters, agents, ZooKeeper,
// Marathon and Chronos as processes in network namespaces, killed, stopped and
// cut off while apps and jobs come and go. It owns the plan of what breaks when,
// drawn from a seed; its tests own the cluster, and package checker the rules
// that its histories must obey. Only tests use it.
package chaos
