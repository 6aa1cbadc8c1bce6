#!/usr/bin/env bash
# top and detectors: what an operator sees of an engine at work, on a terminal and off it.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq python3

config_write <<'END'
interval: 1s
shards: 3
metrics:
  - {name: orders, event: purchase, by: [country]}
  - {name: revenue_of_everything_that_is_sold, event: purchase, agg: sum}
detectors:
  - {name: orders-window, metric: orders, kind: window, window: 20, k: 3, for: 2}
  - {name: orders-seasonal, metric: orders}
  - {name: no-revenue, metric: revenue_of_everything_that_is_sold, kind: absence, absent: 5}
END
ctl top --once 2>"$E2E/err"
expect "exit code of top without an engine" $? 3
ctl detectors list 2>"$E2E/err"
expect "exit code of detectors without an engine" $? 3
weird_start

# Before any source has come there is what was configured.
ctl detectors list --json >"$E2E/out" || fail "detectors list"
expect "detectors without a source" "$(jq -r '[.name, (.source | tostring)] | join(" ")' "$E2E/out" | sort | paste -sd ,)" \
	"no-revenue null,orders-seasonal null,orders-window null"
ctl detectors show orders-window | grep -q 'no source has come yet' || fail "show without a source"

emit() {
	local end=$((SECONDS + $1))
	while [ $SECONDS -lt $end ]; do
		for country in IT FR DE; do
			"$WEIRCTL" emit --socket "$E2E/weir.sock" purchase value=5 country=$country || return 1
		done
	done
}
emit 5 || fail "an event was not taken"
scored() { [ "$(ctl detectors list --json | jq -s 'map(.learned // 0) | min')" -ge 3 ]; }
wait_for 60 "intervals to be scored" scored

ctl detectors list >"$E2E/out" || fail "detectors list"
expect "lines of the list" "$(wc -l <"$E2E/out")" 4
grep -Eq '^orders-window +orders +live +window +[0-9]+ of 10 +4 +0 ' "$E2E/out" ||
	fail "the list: $(cat "$E2E/out")"
expect "column of the absence" "$(awk 'NR == 1 { at = index($0, "KIND") }
	/^no-revenue/ { print substr($0, at, 8) }' "$E2E/out")" 'absence '
ctl detectors list --json | jq -es 'all(.spec.severity > 0 and .state_bytes > 0 and .through_ms > 1e12 and
	(has("top_slices") | not))' >/dev/null || fail "detectors list --json: $(ctl detectors list --json)"
ctl detectors show orders-window >"$E2E/out" || fail "detectors show"
for text in 'orders-window: window of orders' '  window       20' '  for          2' 'source live: scored up to 20' \
	'4 slices' '(total)' 'country=IT'; do
	grep -qF -- "$text" "$E2E/out" || fail "no \"$text\" in $(cat "$E2E/out")"
done
ctl detectors show orders-window --json | jq -e '(.top_slices | length) == 4 and .spec.k == 3' >/dev/null ||
	fail "detectors show --json"
ctl detectors show nobody 2>"$E2E/err"
expect "exit code of no such detector" $? 1
grep -q 'no such detector' "$E2E/err" || fail "it says $(cat "$E2E/err")"

# A producer that stays, so that there is somebody to see.
"$WEIR_SHOP" --socket "$E2E/weir.sock" --clock wall --days 0 --forever --processes 1 --no-incident \
	>"$E2E/shop.log" 2>&1 &
started $!
attached() { ctl top --json -n 1 --interval 100ms | jq -e '.producers | any(.program == "weir-shop" and .emitted > 0)' >/dev/null; }
wait_for 60 "a producer" attached

# top: once, as JSON, and on a terminal until q.
ctl top --once --interval 200ms >"$E2E/out" || fail "top --once"
for text in 'events/s kept' '^LANE ' '^0  *[0-9]' '^SOURCE ' '^live ' '^PRODUCER ' '^weir-shop  *[0-9]* *shop ' '^THREAD ' '^lane-00 ' '^storing '; do
	grep -q -- "$text" "$E2E/out" || fail "no \"$text\" in $(cat "$E2E/out")"
done
! grep -q $'\033' "$E2E/out" || fail "it draws where there is no terminal"
ctl top --json -n 2 --interval 100ms >"$E2E/out" || fail "top --json"
expect "looks" "$(jq -c '[.seconds > 0.05, (.stats | length) > 60 and
	(.producers | any(.rings == 1 and .dropped.full == 0 and .connected
	and .capacity >= 64 and .in_ring <= .capacity and .fullest >= 0 and .fullest <= 1))]' "$E2E/out" | paste -sd ' ')" \
	'[true,true] [true,true]'
python3 - "$WEIRCTL" "$E2E/control.sock" >"$E2E/screen" <<'END' || fail "top on a terminal: $(cat "$E2E/screen")"
import os, pty, select, sys, time
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "top", "--socket", sys.argv[2], "--interval", "100ms"])
seen, end, pressed = b"", time.time() + 10, False
while time.time() < end:
    if select.select([terminal], [], [], 0.1)[0]:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            break
        if not part:
            break
        seen += part
    if seen.count(b"\x1b[H") >= 3 and not pressed:
        os.write(terminal, b"q")
        pressed = True
status = os.waitpid(pid, 0)[1]
print(seen[-2000:])
ok = (pressed and os.waitstatus_to_exitcode(status) == 0 and seen.startswith(b"\x1b[?1049h") and
      seen.rstrip().endswith(b"\x1b[?1049l") and b"THREAD" in seen and b"\x1b[?25h" in seen)
sys.exit(0 if ok else 1)
END
# Started again it says at once how many detectors it has, not only when an interval closes.
banks() { ctl status --json | jq -e '(.status // .).detectors.banks'; }
before=$(banks) || fail "status"
weird_stop
weird_start
[ "$(banks)" -ge "$before" ] || fail "$(banks) detectors at the start, $before before"
weird_stop
pass
