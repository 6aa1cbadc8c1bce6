# shellcheck shell=bash
# e2e: what a test with real processes needs: a private Redis, a configuration, an engine that is
# ready, an end by process id, and a clean exit.
#
#   . "$(dirname "$0")/../support/e2e.sh"
#   redis_start
#   weird_start                        # with $E2E/weir.yaml, made by config_write
#   "$WEIR_SHOP" --socket "$E2E/weir.sock" ...
#   wait_for 60 'one alert' has_alert
#   weird_stop
#   pass
#
# Everything lives in $E2E, a temporary directory that is removed on success and named on failure.
# What was started is stopped by its process id, also when the test fails or is interrupted. Exit
# codes: 0 passed, 77 skipped, 1 failed; meson and tools/check read them.
# Binaries come from $WEIR_BUILD, which meson sets.
set -uo pipefail

: "${WEIR_BUILD:?is set by meson; by hand: WEIR_BUILD=build-check/gcc tests/e2e/NAME.sh}"
WEIR_BUILD=$(cd "$WEIR_BUILD" && pwd) || exit 1
WEIRD=$WEIR_BUILD/engine/weird
WEIRCTL=$WEIR_BUILD/tools/weirctl/weirctl
WEIR_SHOP=$WEIR_BUILD/tools/shop/weir-shop
export WEIRD WEIRCTL WEIR_SHOP

# Not in /run or /dev/shm: the log wants a file system that takes O_DIRECT, where there is one.
E2E=$(mktemp -d "${TMPDIR:-/var/tmp}/weir-e2e.XXXXXX") || exit 1
REDIS_PID=
WEIRD_PID=
WEIRD_LOG=$E2E/weird.log
e2e_passed=
e2e_pids=()

# shellcheck source=../../tools/processes.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../tools/processes.sh"

e2e_end() {
	local code=$? pid
	trap - EXIT INT TERM
	for pid in "${e2e_pids[@]}" $WEIRD_PID $REDIS_PID; do stop_pid "$pid" TERM 5; done
	if [ -n "$e2e_passed" ] || [ "$code" -eq 77 ]; then
		rm -rf "$E2E"
	else
		[ ! -s "$WEIRD_LOG" ] || { echo "--- end of $WEIRD_LOG" && tail -n 20 "$WEIRD_LOG"; } >&2
		echo "left for you: $E2E" >&2
		[ "$code" -ne 0 ] || code=1
	fi
	exit "$code"
}
trap e2e_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

pass() {
	e2e_passed=1
	exit 0
}

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# proof NAME COUNT VIOLATIONS: how often a promise was tried, and broken; tests/README.md names it.
proof() {
	printf 'PROOF %s %d %d\n' "$1" "$2" "$3"
	[ "$3" -eq 0 ] || fail "$3 of $2 broke the promise of $1"
}

# A test that cannot run here says why; tools/check reads it out.
skip() {
	echo "skipped: $*"
	exit 77
}

# need COMMAND...: skip where one is missing.
need() {
	local command
	for command in "$@"; do
		command -v "$command" >/dev/null || skip "$command is not installed"
	done
}

# started PID: stop it at the end, whatever happens.
started() { e2e_pids+=("$1"); }

# expect WHAT FOUND WANTED: they are the same text.
expect() {
	[ "$2" = "$3" ] || fail "$1: found \"$2\", wanted \"$3\""
}

# code WANTED COMMAND...: its exit code; what it says is in $E2E/out and $E2E/err.
code() {
	local wanted=$1
	shift
	timeout 120 "$@" >"$E2E/out" 2>"$E2E/err"
	expect "exit code of ${*##*/}" $? "$wanted"
}

# Of what the last `code` heard: a text in it, and that a jq filter holds of its JSON.
says() { grep -q -- "$1" "$E2E/out" "$E2E/err" || fail "no \"$1\" in $(cat "$E2E/out" "$E2E/err")"; }
is() { jq -e "$1" "$E2E/out" >/dev/null || fail "$1 does not hold of $(cat "$E2E/out")"; }

# wait_for SECONDS WHAT COMMAND...: until the command succeeds.
wait_for() {
	local seconds=$1 what=$2
	shift 2
	until_true "$seconds" "$@" || fail "waited in vain for $what"
}

redis() { redis-cli -s "$E2E/redis.sock" "$@"; }

# A Redis of our own, on a socket in $E2E, without persistence.
redis_start() {
	need redis-server redis-cli
	redis_private "$E2E/redis.sock" "$@"
	REDIS_PID=$!
	wait_for 60 redis-server redis ping
}

redis_stop() {
	stop_pid "$REDIS_PID"
	REDIS_PID=
}

# config_write: $E2E/weir.yaml, from keys on stdin; what the test does not care for is added.
config_write() {
	local given
	given=$(cat)
	{
		echo "data_directory: data"
		echo "socket: weir.sock"
		echo "control_socket: control.sock"
		grep -q '^environment:' <<<"$given" || echo "environment: test"
		grep -q '^redis:' <<<"$given" || [ -z "$REDIS_PID" ] ||
			echo "redis: {url: 'unix://$E2E/redis.sock'}"
		printf '%s\n' "$given"
	} >"$E2E/weir.yaml"
}

# weird_start [OPTION...]: an engine on $E2E/weir.yaml; returns when it takes producers.
weird_start() {
	local left=$((${E2E_READY_S:-90} * 20))
	[ -e "$E2E/weir.yaml" ] || config_write </dev/null
	: >"$WEIRD_LOG"
	"$WEIRD" --config "$E2E/weir.yaml" "$@" >>"$WEIRD_LOG" 2>&1 &
	WEIRD_PID=$!
	until grep -q 'ready: producers' "$WEIRD_LOG"; do
		runs "$WEIRD_PID" || fail "weird ended while starting"
		[ "$left" -gt 0 ] || fail "weird did not become ready"
		left=$((left - 1))
		sleep 0.05
	done
}

weird_stop() {
	stop_pid "$WEIRD_PID" TERM "${1:-30}"
	local code=$?
	WEIRD_PID=
	[ "$code" -eq 0 ] || fail "weird ended with $code"
}

# As if the machine had pulled its plug on the process.
weird_kill() {
	kill -KILL "$WEIRD_PID"
	wait "$WEIRD_PID" 2>/dev/null
	WEIRD_PID=
}

# ctl COMMAND [OPTION...]: weirctl against this engine.
ctl() {
	local command=$1
	shift
	"$WEIRCTL" "$command" --socket "$E2E/control.sock" "$@"
}

# closed SOURCE UNIX_MS: its intervals are closed up to there, scored and stored.
closed() {
	ctl status --json | jq -e --arg source "$1" --argjson until "$2" '(.status // .) |
		([.sources[] | select(.name == $source) | .closed_through_ms] | max) >= $until
		and .store.closes == .store.stored_through' >/dev/null
}

# replayed: a stopped engine's log is whole, and gives the same anomalies bit for bit.
replayed() {
	"$WEIRCTL" verify "$E2E/data" --json >"$E2E/out" 2>"$E2E/err" || fail "verify: $(cat "$E2E/out")"
	"$WEIRCTL" replay "$E2E/data" --compare --json >"$E2E/out" 2>"$E2E/err" ||
		fail "replay is not the same: $(cat "$E2E/out" "$E2E/err")"
	is '.ok and .changed == 0 and .only_replayed == 0 and .only_stored == 0'
}
