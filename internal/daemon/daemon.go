// Package daemon holds what every daemon does the same way: a run group, flags
// as Mesos spells them, a logger, a listener, an HTTP server with limits and
// bodies that honour ?jsonp= and gzip. It owns no component, no route and no
// signal; a daemon's Run(ctx) ends when its context does.
package daemon
