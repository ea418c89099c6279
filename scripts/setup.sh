#!/bin/sh
# Installs the Debian or Ubuntu packages that building and testing need, and
# nothing when all are there. Where it cannot, it says in one line what to install.
# "setup.sh clients" adds the clients of others that the end-to-end tests use: the
# tests of those that are missing are skipped.
set -eu

command -v go >/dev/null || { echo "Go 1.26 or newer is needed: see https://go.dev/dl" >&2; exit 1; }

packages="gcc libc6-dev libseccomp-dev busybox-static containernetworking-plugins curl protobuf-compiler libprotobuf-dev libzookeeper-java default-jre-headless iproute2"
if [ "${1:-}" = clients ]; then
	packages="$packages golang-github-mesos-mesos-go-dev prometheus python3-marathon"
	command -v npm >/dev/null || packages="$packages nodejs npm"
fi
missing=""
for p in $packages; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -z "$missing" ] && exit 0

root=""
[ "$(id -u)" = 0 ] || root="sudo -n"
if ! command -v apt-get >/dev/null || ! $root true 2>/dev/null; then
	echo "please install these packages (names as in Debian):$missing" >&2
	exit 1
fi
echo "installing:$missing"
$root apt-get update -qq
DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends $missing >/dev/null
