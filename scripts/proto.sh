#!/bin/sh
# Generates Go beside every .proto; with --check it only compares and fails when
# a generated file is stale. The generator's version is pinned in go.mod.
set -eu
cd "$(dirname "$0")/.."

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
go build -o "$tmp/protoc-gen-go" google.golang.org/protobuf/cmd/protoc-gen-go
out=.
[ "${1:-}" = --check ] && { out="$tmp/out"; mkdir "$out"; }
protoc --plugin="$tmp/protoc-gen-go" -Iproto \
	--go_out="$out" --go_opt=module=github.com/soukproject/souk \
	$(find proto -name '*.proto' | sort)
[ "${1:-}" = --check ] || exit 0

# The header names the protoc that ran; it may differ between machines.
stale=0
for f in $(cd "$out" && find . -name '*.pb.go' | sort); do
	if ! diff -I '^//.*protoc' "$out/$f" "$f" >/dev/null 2>&1; then
		echo "$f is stale: run make proto" >&2
		stale=1
	fi
done
exit $stale
