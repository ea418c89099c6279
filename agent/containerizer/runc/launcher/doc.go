// Package launcher is the shim's side of the containerizer runc, and the only
// importer of libcontainer. It owns what a container looks like from inside:
// namespaces, mounts, capabilities, seccomp, cgroup. One process launches one
// container and then turns itself into a loop in C that waits for its end (see
// stages.c); the agent's side is package runc.
//
// What a container is like is decided once, in the form that libcontainer takes.
// Most containers are then launched by a plan made from it, which C code performs
// (see plan.h and perform.c); libcontainer would walk every path step by step and
// start another Go program inside. What no plan knows, such as images and volumes,
// libcontainer still launches.
//
// Concurrency: none. The program that imports it must lock its main goroutine to
// the main thread in an init function: libcontainer moves threads between mount
// namespaces.
package launcher
