// Package network gives containers networks of their own: a network namespace
// each, joined to the built-in bridge or to networks that CNI plugins make, with
// ports of the machine mapped to theirs, and the files hosts, hostname and
// resolv.conf that go with it. It knows containers by their ids only; what runs in
// a namespace is none of its business.
//
// # What is where
//
// A record per container, written before anything is made, tells what it may have
// (record.go). A namespace is a file that can be entered as long as it is mounted
// (namespace_linux.go). The bridge, its addresses and its port mappings are made
// with netlink when the first container asks for them, so that a machine where
// none does stays as it was (bridge_linux.go, nat_linux.go). CNI networks are
// programs named by files of the operator (cni_linux.go).
//
// All methods may be called concurrently, for one container one at a time.
package network
