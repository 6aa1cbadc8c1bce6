#!/usr/bin/env bash
# environment: machines that refuse something. Under each the engine starts, says what it does
# without, keeps an event, and what it wrote is whole.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
# shellcheck source=../support/ledger.sh
. "$(dirname "$0")/../support/ledger.sh"
need setpriv jq

without=$WEIR_BUILD/tests/e2e/e2e_without
"$without" true || skip "no seccomp here"
root=
[ "$(id -u)" -ne 0 ] || root=1
count=0
wrong=0

# broken NAME WHAT: the environment in which a promise was broken, and how.
broken() {
	echo "FAILED: $1: $2"
	tail -n 5 "$WEIRD_LOG"
	wrong=$((wrong + 1))
}

# writes_with BACKEND: so the engine says, once it finds the time to answer.
writes_with() { [ "$(ctl status --json | jq -r .io)" = "$1" ]; }

# keeps NAME BACKEND SAID COMMAND...: an engine under this command keeps an event with this backend
# (empty: any), and says this. As the user $as, if that is set.
as=
keeps() {
	local name=$1 backend=$2 message=$3 left=1200 data=${data:-$E2E/data}
	shift 3
	count=$((count + 1))
	rm -rf "$data"
	printf '%s\n' "data_directory: $data" 'socket: weir.sock' 'control_socket: control.sock' \
		"log: {io: ${io:-auto}}" >"$E2E/weir.yaml"
	[ -z "$as" ] || chown "$as" "$E2E" "$E2E/weir.yaml"
	# Before it starts: what the last one said is no word of this one.
	: >"$WEIRD_LOG"
	"$@" "$WEIRD" --config "$E2E/weir.yaml" >>"$WEIRD_LOG" 2>&1 &
	WEIRD_PID=$!
	until grep -q 'ready: producers' "$WEIRD_LOG"; do
		left=$((left - 1))
		if ! runs "$WEIRD_PID" || [ "$left" -eq 0 ]; then
			broken "$name" "it did not start"
			stop_pid "$WEIRD_PID" KILL 5
			WEIRD_PID=
			return
		fi
		sleep 0.05
	done
	[ -z "$backend" ] || until_true 60 writes_with "$backend" ||
		broken "$name" "it does not write with $backend"
	[ -z "$message" ] || grep -q "$message" "$WEIRD_LOG" || broken "$name" "no word of \"$message\""
	"$WEIRCTL" emit --socket "$E2E/weir.sock" --wait --timeout 60s purchase value=1 >/dev/null ||
		broken "$name" "an event was not kept"
	[ "$name" != capabilities ] || bare "$name"
	weird_stop
	"$WEIRCTL" verify "$data" --json >"$E2E/out" || broken "$name" "$(cat "$E2E/out")"
	grep -q '"events":1,' "$E2E/out" || broken "$name" "not one event: $(cat "$E2E/out")"
}

# bare NAME: no thread of the engine has a capability, or could get one.
bare() {
	local set
	for set in CapEff CapPrm CapBnd CapAmb; do
		[ "$(cat "/proc/$WEIRD_PID/task/"*/status | sed -n "s/^$set:[[:space:]]*//p" | sort -u)" = \
			0000000000000000 ] || broken "$1" "a thread has capabilities ($set)"
	done
}

# locked KIB COMMAND...: with so little memory to lock, and no right to lock more.
locked() {
	ulimit -l "$1"
	shift
	if [ -n "$root" ]; then
		exec setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock "$@"
	fi
	exec "$@"
}
limited() {
	ulimit -n "$1"
	shift
	exec "$@"
}

keeps plain uring ''
keeps eperm pwrite 'no io_uring here.*writing with pwrite' "$without"
keeps enosys pwrite 'no io_uring here.*writing with pwrite' "$without" --enosys
keeps unrestricted uring 'cannot be restricted to writes and syncs' "$without" --restrictions
keeps memlock-64 uring 'cannot be registered.*RLIMIT_MEMLOCK' locked 64
# Some kernels count the ring itself.
keeps memlock-0 '' 'cannot be registered.*RLIMIT_MEMLOCK\|no io_uring here (Cannot allocate memory)' locked 0
io=pwrite keeps pwrite-memlock pwrite '' locked 64
keeps descriptors uring '' limited 256
keeps nothing-known uring '' env -i
if [ -d /dev/shm ] && [ -w /dev/shm ]; then
	shared=$(mktemp -d /dev/shm/weir-e2e.XXXXXX) || fail "nothing in /dev/shm"
	data=$shared/data keeps tmpfs uring ''
	rm -rf "$shared"
fi
if [ -n "$root" ]; then
	keeps capabilities uring '' setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all
	as=nobody
	keeps nobody uring '' setpriv --reuid=nobody --regid=nogroup --clear-groups --bounding-set=-all
	chown root "$E2E"
fi

# Who is at the other end, without what the kernel says of it: by its number. A death is seen all
# the same, and what the dead had written is kept.
attached() { [ "$(ctl status --json | jq '.intake.producers')" = "$1" ]; }
rm -rf "$E2E/data"
config_write </dev/null
count=$((count + 1))
"$without" --peerpidfd "$WEIRD" --config "$E2E/weir.yaml" >"$WEIRD_LOG" 2>&1 &
WEIRD_PID=$!
wait_for 60 'an engine without SO_PEERPIDFD' grep -q 'ready: producers' "$WEIRD_LOG"
app_start mortal 1024 0
app_tell emit 1000
wait_for 60 'its producer' attached 1
app_crash
wait_for 60 'the death of its producer' attached 0
weird_stop
"$WEIRCTL" verify "$E2E/data" --json >"$E2E/out" || broken peerpidfd "$(cat "$E2E/out")"
grep -q '"events":1000,' "$E2E/out" || broken peerpidfd "not 1000 events: $(cat "$E2E/out")"

# No pidfd at all: nobody is taken whose end would not be seen, and hears what to do.
count=$((count + 1))
"$without" --pidfd "$WEIRD" --config "$E2E/weir.yaml" >"$WEIRD_LOG" 2>&1 &
WEIRD_PID=$!
wait_for 60 'an engine without pidfds' grep -q 'ready: producers' "$WEIRD_LOG"
"$WEIRCTL" emit --socket "$E2E/weir.sock" --wait --timeout 2s purchase value=1 >"$E2E/out" 2>&1 &&
	broken pidfd "an application is taken"
grep -q 'pidfd_open' "$E2E/out" || broken pidfd "an application is not told why: $(cat "$E2E/out")"
weird_stop
proof environments "$count" "$wrong"
pass
