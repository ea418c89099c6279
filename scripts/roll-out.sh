#!/bin/sh
# Replaces the processes of a running cluster by those of a new version, one at a
# time: masters, then agents, then frameworks; leaders last. Tasks go on meanwhile.
# After each it waits until the cluster is as it was; at the first that does not
# come back in time it stops, and says so. See docs/how-to/roll-out-a-new-version.md.
set -eu

usage() {
	cat >&2 <<'END'
Usage: scripts/roll-out.sh --restart COMMAND --masters HOST:PORT,… [flags]

  --restart COMMAND      run as COMMAND ROLE HOST:PORT; it ends that process with
                         SIGTERM, waits for its end, and starts the new version
  --masters HOST:PORT,…  all masters
  --marathon HOST:PORT,… all processes of Marathon; default: none
  --chronos HOST:PORT,…  all processes of Chronos; default: none
  --to VERSION           wait until masters and agents say that they are this one
  --patience SECONDS     for each process to come back; default: 120
Agents are those that the leading master knows.
END
	exit 2
}

restart="" masters="" marathon="" chronos="" to="" patience=120
while [ $# -gt 0 ]; do
	[ $# -ge 2 ] || usage
	case $1 in
	--restart) restart=$2 ;;
	--masters) masters=$2 ;;
	--marathon) marathon=$2 ;;
	--chronos) chronos=$2 ;;
	--to) to=$2 ;;
	--patience) patience=$2 ;;
	*) usage ;;
	esac
	shift 2
done
[ -n "$restart" ] && [ -n "$masters" ] || usage

list() { echo "$1" | tr ',' ' '; }

fetch() { curl -fsS --max-time 5 "http://$1" 2>/dev/null; }

# leader prints the leading master, as any master tells it.
leader() {
	for m in $(list "$masters"); do
		at=$(curl -sS --max-time 5 -o /dev/null -w '%{redirect_url}' "http://$m/redirect" 2>/dev/null) || continue
		at=${at#*//}
		at=${at%%/*}
		[ -z "$at" ] || { echo "$at"; return; }
	done
	return 1
}

# metric prints one number of a process' metrics.
metric() { fetch "$1/metrics/snapshot" | grep -o "\"$2\":[0-9.]*" | cut -d: -f2; }

# census prints how many agents and frameworks are with the leading master.
census() {
	at=$(leader) && a=$(metric "$at" master/slaves_connected) && f=$(metric "$at" master/frameworks_connected) || return 1
	echo "${a%.*} ${f%.*}"
}

# complete: no fewer of them than in the beginning.
complete() {
	now=$(census) || return 1
	[ "${now% *}" -ge "${before% *}" ] && [ "${now#* }" -ge "${before#* }" ]
}

said() { echo "${1% *} agents and ${1#* } frameworks"; }

stop() {
	echo "roll-out stopped: $1" >&2
	exit 1
}

# is_new HOST:PORT: the process answers, and is of the version that is rolled out.
is_new() {
	version=$(fetch "$1/version" | grep -o '"souk_version":"[^"]*"' | cut -d'"' -f4) || return 1
	[ -n "$version" ] && { [ -z "$to" ] || [ "$version" = "$to" ]; }
}

# conducts HOST:PORT PATH: the process of a framework answers, and knows who leads.
conducts() { fetch "$1$2" | grep -q '"leader":"[^"]'; }

came_back() {
	case $1 in
	master) is_new "$2" ;;
	agent) is_new "$2" && [ "$(metric "$2" slave/registered)" = 1.0 ] ;;
	marathon) conducts "$2" /v2/leader ;;
	chronos) conducts "$2" /v1/scheduler/leader ;;
	esac && complete
}

# replace ROLE HOST:PORT
replace() {
	echo "$1 $2"
	$restart "$1" "$2"
	deadline=$(($(date +%s) + patience))
	until came_back "$1" "$2"; do
		if [ "$(date +%s)" -ge "$deadline" ]; then
			stop "after $patience seconds $1 $2 is not back, or others are away: there are $(said "${now:-0 0}"), there were $(said "$before")"
		fi
		sleep 0.2
	done
}

# replace_all ROLE LEADER HOST:PORT…: the leader last.
replace_all() {
	role=$1 last=$2
	shift 2
	for one in "$@"; do
		[ "$one" = "$last" ] || replace "$role" "$one"
	done
	for one in "$@"; do
		[ "$one" != "$last" ] || replace "$role" "$one"
	done
}

# leads HOST:PORT,… PATH prints the leading process of a framework.
leads() {
	for one in $(list "$1"); do
		fetch "$one$2" | grep -o '"leader":"[^"]*"' | cut -d'"' -f4 && return
	done
	return 1
}

first=$(leader) || stop "no master of $masters says who leads; nothing was changed"
for m in $(list "$masters"); do
	fetch "$m/health" >/dev/null || stop "master $m does not answer: mend that first; nothing was changed"
done
away=$(metric "$first" master/slaves_disconnected)
[ "$away" = 0.0 ] || stop "${away%.*} agents are away: mend that first; nothing was changed"
agents=$(fetch "$first/slaves" | grep -o '"pid":"slave(1)@[^"]*"' | cut -d'"' -f4 | cut -d@ -f2)
before=$(census)
said "$before"

replace_all master "$first" $(list "$masters")
for a in $agents; do replace agent "$a"; done
if [ -n "$marathon" ]; then
	last=$(leads "$marathon" /v2/leader) || stop "none of $marathon says who leads"
	replace_all marathon "$last" $(list "$marathon")
fi
if [ -n "$chronos" ]; then
	last=$(leads "$chronos" /v1/scheduler/leader) || stop "none of $chronos says who leads"
	replace_all chronos "$last" $(list "$chronos")
fi
echo "all are replaced: $(said "$(census)")"
