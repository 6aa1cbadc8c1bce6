#!/usr/bin/env bash
# startup: an engine that cannot run says in one line why, and what to do, and harms nobody.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"

# refused NAME MESSAGE KEY...: with these keys weird ends with 1 and says this.
refused() {
	local name=$1 message=$2 said code
	shift 2
	{
		echo "control_socket: $name.control"
		printf '%s\n' "$@"
	} >"$E2E/$name.yaml"
	said=$(timeout 20 "$WEIRD" --config "$E2E/$name.yaml" 2>&1)
	code=$?
	expect "exit code, $name" "$code" 1
	expect "lines, $name" "$(wc -l <<<"$said")" 1
	[[ $said == *$message* ]] || fail "$name: it said: $said"
}

weird_start
refused second 'another engine runs on' 'data_directory: data' 'socket: second.sock'
refused taken 'another program listens on' 'data_directory: other' 'socket: weir.sock'
refused missing 'does not exist: create it' 'data_directory: other' 'socket: none/weir.sock'
: >"$E2E/file"
refused file 'cannot make the data directory' 'data_directory: file/data' 'socket: x.sock'
refused unwritable 'data directory' 'data_directory: /proc/weir' 'socket: x.sock'
weird_stop

# What a killed engine leaves (its socket, its lock) is in nobody's way.
weird_start
weird_kill
[ -S "$E2E/weir.sock" ] || fail "a killed engine left no socket; this test tests nothing"
weird_start
weird_stop

# Little locked memory, and the other backend: the same promises.
for io in auto pwrite; do
	config_write <<<"log: {io: $io}"
	(
		ulimit -l 64
		exec "$WEIRD" --config "$E2E/weir.yaml"
	) >"$WEIRD_LOG" 2>&1 &
	WEIRD_PID=$!
	wait_for 15 "weird with little locked memory" grep -q 'ready: producers' "$WEIRD_LOG"
	"$WEIRCTL" emit --socket "$E2E/weir.sock" --wait purchase value=1 country=IT >/dev/null ||
		fail "an event was not kept with io: $io"
	[ "$io" = auto ] || expect backend "$(ctl status --json | grep -o '"io":"[a-z]*"')" '"io":"pwrite"'
	weird_stop
done
"$WEIRCTL" verify "$E2E/data" >"$E2E/verify" || fail "$(cat "$E2E/verify")"
pass
