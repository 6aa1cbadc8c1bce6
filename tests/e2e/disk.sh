#!/usr/bin/env bash
# disk: it fills up under the engine and is given room again; it is full when the engine starts; it
# is read-only. Said in a line that helps, alerts go out all the same, and every event is kept or
# counted. Needs root, for a small file system of its own.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
# shellcheck source=../support/ledger.sh
. "$(dirname "$0")/../support/ledger.sh"
need jq mkfs.ext4 mount
[ "$(id -u)" -eq 0 ] || skip "mounting a small file system needs root"

# The file system goes before the directory that it is mounted in.
trap 'code=$?; stop_pid "$WEIRD_PID"; umount -l "$E2E/data" 2>/dev/null; (exit $code); e2e_end' EXIT
truncate -s 160M "$E2E/image"
mkfs.ext4 -q -b 4096 -m 0 -O ^has_journal "$E2E/image" || fail "no file system"
mkdir "$E2E/data"
mount -o loop "$E2E/image" "$E2E/data" 2>"$E2E/err" || skip "cannot mount: $(cat "$E2E/err")"
fallocate -l 60M "$E2E/data/ballast" || fail "no ballast"

redis_start
config_write <<'END'
interval: 1s
lateness: {wall: 200ms}
log: {segment_bytes: 4MiB}
metrics:
  - {name: orders, event: purchase, by: [process]}
detectors:
  - {metric: orders, kind: window, window: 6, k: 3, severity: 25}
END
weird_start
# status FILTER: of the engine's, whatever its exit code.
status() { jq "$@" <<<"$(ctl status --json)"; }
lane() { status -e ".lanes[0].failing $1"; }

# An ordinary day. Then another program takes what room there is, and a rush comes.
app_start steady 65536 0
for _ in $(seq 45); do
	app_tell emit 10
	sleep 0.2
done
app_tell wait 60000
expect "alerts before" "$(redis xlen weir:test:anomalies)" 0
rm "$E2E/data/ballast"
cat /dev/zero >"$E2E/data/ballast" 2>/dev/null
for _ in $(seq 1000); do
	app_tell emit 40000
	! lane '!= 0' >/dev/null || break
	sleep 0.05
done
lane '== 28' >/dev/null || fail "the disk did not fill up: $(ctl status --json)"
in_ring() { [ "$(status .events_in_ring)" -gt 10000 ]; }
for _ in $(seq 1000); do # the room that is left in the segments
	app_tell emit 60000
	sleep 0.02
	! in_ring || break
done
in_ring || fail "events are still taken: $(ctl status --json)"
app_tell emit 100000 # more than the ring holds
full=$(date +%s%3N)
closed() { [ "$(status '.sources[0].closed_through_ms')" -gt "$full" ]; }
wait_for 60 "intervals to close on a full disk" closed
alerted() { [ "$(redis xlen weir:test:anomalies)" -gt 0 ]; }
wait_for 60 "the alert of the rush" alerted
redis xrange weir:test:anomalies - + >"$E2E/alerts"
grep -q '"direction":"up"' "$E2E/alerts" || fail "not the rush: $(cat "$E2E/alerts")"
lane '== 28' >/dev/null || fail "the disk was not full any more when the alert came"
status -e '.store.failing == 0' >/dev/null || fail "the store is failing"
ctl status >"$E2E/status"
expect "exit code of status on a full disk" $? 1
grep -q 'CANNOT WRITE' "$E2E/status" || fail "status is silent: $(cat "$E2E/status")"
grep -q 'No space left on device.*free some' "$WEIRD_LOG" || fail "the log does not say what to do"

# Room again: it goes on by itself.
rm "$E2E/data/ballast"
wait_for 60 "writing again" lane '== 0'
app_tell wait 60000
app_tell emit 1000
app_tell wait 60000
app_tell ledger >"$E2E/ledgers"
[ "$(sum dropped_full)" -gt 0 ] || fail "nothing was dropped: the disk was never full for long"
[ "$(sum lost)" -eq 0 ] || fail "something was lost"
ledger_exact
app_end
"$WEIRCTL" replay "$E2E/data" --compare --json >"$E2E/out" || fail "replay: $(cat "$E2E/out")"

# Full to the brim when an engine starts: it says so. With a little room it starts, takes what there
# is room for, and goes on by itself. An application has waited for it all the while.
app_start patient 4096 0
app_tell emit 3000
cat /dev/zero >"$E2E/data/ballast" 2>/dev/null
refused() {
	local said
	said=$(timeout 90 "$WEIRD" --config "$E2E/weir.yaml" 2>&1)
	expect "exit code, $1" $? 1
	expect "lines, $1" "$(wc -l <<<"$said")" 1
	[[ $said == *$2* ]] || fail "$1: it said: $said"
}
refused "full disk" "is full: free some space on it and start again"
truncate -s -2M "$E2E/data/ballast"
weird_start
lane '== 28' >/dev/null || wait_for 60 "the full disk to show" lane '== 28'
rm "$E2E/data/ballast"
app_tell wait 60000
app_tell ledger >>"$E2E/ledgers"
app_end
weird_stop
ledger_log

# Read-only: nothing is touched, and the line says what is needed.
mount -o remount,ro "$E2E/data" || fail "no remount"
refused "read-only disk" "Read-only file system; make it writable"
"$WEIRCTL" verify "$E2E/data" >"$E2E/out" || fail "verify of a read-only directory: $(cat "$E2E/out")"
"$WEIRCTL" dump "$E2E/data" --sum process --json >"$E2E/out" || fail "dump: $(cat "$E2E/out")"
proof disk-full 2 0
pass
