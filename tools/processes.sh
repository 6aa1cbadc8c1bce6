# shellcheck shell=bash
# Starting and stopping other programs by their process id, never by a name: others run the same
# ones. Sourced by tools/demo and tests/support/e2e.sh.

# stop_pid PID [SIGNAL] [SECONDS]: ask, wait, insist. Returns the program's exit code.
stop_pid() {
	local pid=$1 signal=${2:-TERM} left=$((${3:-15} * 20))
	kill -s "$signal" "$pid" 2>/dev/null
	while [ "$left" -gt 0 ] && runs "$pid"; do
		sleep 0.05
		left=$((left - 1))
	done
	[ "$left" -gt 0 ] || kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}

# runs PID: it has not ended. A child that has ended stays as a zombie until it is waited for.
runs() {
	local state
	state=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) || return 1
	[ -n "$state" ] && [ "$state" != Z ]
}

# until_true SECONDS COMMAND...: again and again; false if it never was.
until_true() {
	local left=$(($1 * 20))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$left" -gt 0 ] || return 1
		left=$((left - 1))
		sleep 0.05
	done
}

# redis_private SOCKET: a Redis without network or persistence; its files beside the socket. The
# caller finds its process id in $!.
redis_private() {
	local socket=$1
	shift
	# A session of its own, so that Ctrl-C reaches it only through us, in order.
	setsid redis-server --port 0 --unixsocket "$socket" --unixsocketperm 700 --save '' \
		--appendonly no --dir "$(dirname "$socket")" "$@" >"$socket.log" 2>&1 &
}
