#!/usr/bin/env bash
# weirctl: each command against a real engine and its directory, and that each can say no.
# shellcheck disable=SC2119,SC2317
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq python3

config_write <<'END'
interval: 1s
lateness: {event: 1s}
metrics:
  - {name: orders, event: purchase, by: [country]}
detectors:
  - {metric: orders, kind: window, window: 20, k: 3, severity: 10}
END


# Usage, and nobody there.
code 0 "$WEIRCTL" --help
for command in status anomalies tail dump verify replay emit mute unmute ack annotate feedback config reload \
	stat top detectors doctor import completion; do
	grep -q "^  $command " "$E2E/out" || fail "--help does not know $command"
done
mapfile -t commands < <(sed -n 's/^  \([a-z]*\) .*/\1/p' "$E2E/out")
for command in "${commands[@]}"; do
	"$WEIRCTL" "$command" --help >"$E2E/help"
	grep -q "^Usage: weirctl $command" "$E2E/help" || fail "$command --help"
	grep -q '^Examples:' "$E2E/help" || fail "$command has no example"
	[ "$command" = completion ] || grep -q -- '--json' "$E2E/help" || fail "$command has no --json"
	code 2 "$WEIRCTL" "$command" --nonsense
	says "Try 'weirctl $command --help'"
done
code 2 "$WEIRCTL"
code 2 "$WEIRCTL" bake
for command in status anomalies tail dump stat top 'detectors list' reload 'config show'; do
	# shellcheck disable=SC2086 # words
	code 3 "$WEIRCTL" $command --socket "$E2E/control.sock"
	says 'is weird running?'
done
code 3 "$WEIRCTL" emit --socket "$E2E/weir.sock" --timeout 100ms purchase
says 'is weird running?'
for command in dump tail verify replay; do
	code 3 "$WEIRCTL" "$command" "$E2E/nowhere"
done

# config check
code 0 "$WEIRCTL" config check "$E2E/weir.yaml" --json
is '.ok and .metrics == 1 and .detectors == 1'
printf 'metrics:\n  - {name: x, event: y, agg: bake}\n' >"$E2E/wrong.yaml"
code 1 "$WEIRCTL" config check "$E2E/wrong.yaml" --json
is '(.ok | not) and (.error | test("metrics"))'
code 1 "$WEIRCTL" config check "$E2E/wrong.yaml"
code 2 "$WEIRCTL" config bake

# status, emit, tail
weird_start
code 0 "$WEIRCTL" status --socket "$E2E/control.sock" --json
is '.events_persisted == 0 and .redis.configured == false and .lanes[0].failing == 0'
WEIR_CONTROL=$E2E/control.sock code 0 "$WEIRCTL" status
says 'none configured'
"$WEIRCTL" tail --seconds 60 --socket "$E2E/control.sock" --event purchase --csv -n 2 >"$E2E/tail" &
tail=$!
started "$tail"
# Its first line is there when it has found the end of the log.
wait_for 60 "tail to follow the log" test -s "$E2E/tail"
code 0 "$WEIRCTL" emit --socket "$E2E/weir.sock" refund value=-1 country=IT
code 0 "$WEIRCTL" emit --socket "$E2E/weir.sock" purchase value=49.99 'country=Côte d'"'"'Ivoire, "CI"'
code 0 "$WEIRCTL" emit --socket "$E2E/weir.sock" --wait --json purchase value=5 country=IT device=mobile
is '.ok and .durable == 1 and .attempted == 1'
wait "$tail" || fail "tail ended with $?"
expect "what tail showed" "$(sed 1d "$E2E/tail" | cut -d, -f5-)" \
	'0,purchase,value,"country=Côte d'"'"'Ivoire, ""CI""",49.99
0,purchase,value,"country=IT,device=mobile",5'
code 0 "$WEIRCTL" dump --socket "$E2E/control.sock" --event purchase --json
jq -e -s 'map([.event, .value, .dimensions.country]) == [["purchase", 49.99,
	"Côte d'"'"'Ivoire, \"CI\""], ["purchase", 5, "IT"]]' "$E2E/out" >/dev/null ||
	fail "dump says $(cat "$E2E/out")"
code 2 "$WEIRCTL" emit --socket "$E2E/weir.sock" purchase value=much
code 2 "$WEIRCTL" emit --socket "$E2E/weir.sock" purchase country
code 2 "$WEIRCTL" emit --socket "$E2E/weir.sock" purchase country=IT country=FR

# Recorded traffic with one wild second, so that there is an anomaly.
python3 - >"$E2E/lines.csv" <<'END'
print("InvoiceNo,Quantity,InvoiceDate,UnitPrice,CustomerID,Country")
n = 0
for second in range(60):
    for i in range(400 if second == 50 else 10 + second % 3):
        n += 1
        print(f"{n},1,2026-01-05 12:00:{second:02},1.25,,{'IT' if i % 4 else 'FR'}")
END
code 0 "$WEIR_SHOP" --socket "$E2E/weir.sock" --replay "$E2E/lines.csv"
found() { [ -n "$("$WEIRCTL" anomalies --socket "$E2E/control.sock" --json)" ]; }
wait_for 60 "an anomaly" found
settled() { [ "$("$WEIRCTL" status --socket "$E2E/control.sock" --json |
	jq '.sources[] | select(.name == "orders").closed_through_ms >= 1767614460000')" = true ]; }
wait_for 60 "the end of the orders" settled
code 0 "$WEIRCTL" anomalies --socket "$E2E/control.sock" --revisions --json
cp "$E2E/out" "$E2E/live"
jq -e -s 'map(select(.data.state == "firing" and .data.metric == "orders" and .data.observed == 400)) | length == 1' \
	"$E2E/live" >/dev/null || fail "the wild second was not found: $(cat "$E2E/live")"
code 0 "$WEIRCTL" anomalies --socket "$E2E/control.sock" --metric nothing --json
[ ! -s "$E2E/out" ] || fail "anomalies of no metric"
code 0 "$WEIRCTL" anomalies --socket "$E2E/control.sock"
says 'orders'

# dump: beside the engine, and filtered
code 0 "$WEIRCTL" dump --socket "$E2E/control.sock" --sum source,event --csv
expect "sums" "$(cat "$E2E/out")" "source,event,count,sum
live,purchase,2,54.99
live,refund,1,-1
orders,purchase,$(($(wc -l <"$E2E/lines.csv") - 1)),$(awk 'END { print (NR - 1) * 1.25 }' "$E2E/lines.csv")"
code 0 "$WEIRCTL" dump "$E2E/data" --source orders --where country=FR --since 2026-01-05T12:00:50 \
	--until 2026-01-05T12:00:51 --json
expect "events of the wild second in FR" "$(wc -l <"$E2E/out")" 100
code 0 "$WEIRCTL" dump "$E2E/data" --source live --csv
expect "quoting in CSV" "$(sed -n 3p "$E2E/out" | cut -d, -f5-)" \
	'0,purchase,value,"country=Côte d'"'"'Ivoire, ""CI""",49.99'
code 2 "$WEIRCTL" dump "$E2E/data" --since yesterday
weird_stop

# What the store says without the engine, and what a replay says.
code 0 "$WEIRCTL" anomalies "$E2E/data" --revisions --json
expect "anomalies of the directory" "$(jq -c .data "$E2E/out")" "$(jq -c .data "$E2E/live")"
code 0 "$WEIRCTL" replay "$E2E/data" --json --shards 3
expect "replayed revisions" "$(jq -c '[.id, .revision, .state]' "$E2E/out")" \
	"$(jq -c '.data | [.id, .revision, .state]' "$E2E/live")"
code 0 "$WEIRCTL" replay "$E2E/data" --compare --json
is ".ok and .same == $(wc -l <"$E2E/live")"
code 0 "$WEIRCTL" verify "$E2E/data" --json
is '.ok and .ledger_ok and .blocks_bad == 0 and .gaps == 0'
expect "events that verify counts" "$(jq .events "$E2E/out")" "$(($(wc -l <"$E2E/lines.csv") + 2))"

# The last bit of a severity, and one byte of a block, are seen.
cp -r "$E2E/data" "$E2E/changed"
python3 - "$E2E/changed/weir.db" <<'END'
import math, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
row, severity = db.execute("SELECT row, severity FROM revision WHERE revision = 1").fetchone()
db.execute("UPDATE revision SET severity = ? WHERE row = ?", (math.nextafter(severity, 0), row))
db.commit()
END
code 1 "$WEIRCTL" replay "$E2E/changed" --compare --json
is '(.ok | not) and .changed == 1 and .only_replayed == 0 and .only_stored == 0'
cp -r "$E2E/data" "$E2E/damaged"
python3 - "$E2E/damaged"/lane-00/*.wseg <<'END'
import struct, sys
for path in sys.argv[1:]:
    data = open(path, "r+b")
    at = 0
    while True:
        data.seek(at)
        header = data.read(64)
        if len(header) < 64 or header[:4] != b"WBLK":
            break
        count, payload = struct.unpack("<II", header[36:44])
        if header[4] == 2 and count > 50:  # a block of events
            data.seek(at + 70)
            byte = data.read(1)
            data.seek(at + 70)
            data.write(bytes([byte[0] ^ 1]))
            sys.exit(0)
        at += (64 + payload + 4095) // 4096 * 4096
sys.exit("no block of events found")
END
expect "damaging a block" $? 0
code 1 "$WEIRCTL" verify "$E2E/damaged" --json
is '(.ok | not) and .blocks_bad == 1 and (.findings | length > 0)'
code 1 "$WEIRCTL" verify "$E2E/damaged"
says 'NOT OK'
code 1 "$WEIRCTL" dump "$E2E/damaged" --csv
says 'see weirctl verify'

# What explains an anomaly and what moved with it, in words: of a store in which two slices do.
mkdir "$E2E/told"
cp "$E2E"/data/weir.db* "$E2E/told"
python3 - "$E2E/told/weir.db" <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
for table in "explanation", "related":
    db.execute(f"DELETE FROM {table}")
for row, in db.execute("SELECT row FROM revision").fetchall():
    db.execute("INSERT INTO explanation VALUES (?, 0, 'country=IT,device=mobile', 0.62, 10, 30, 12.5, 1)", (row,))
    db.execute("INSERT INTO explanation VALUES (?, 1, 'country=FR', 0.2, 5, 9, 4.5, 1)", (row,))
    db.execute("INSERT INTO related VALUES (?, 0, 'page_views', -1, 1000, 20000)", (row,))
    db.execute("INSERT INTO related VALUES (?, 1, 'refunds', 1, 31000, -10000)", (row,))
db.commit()
END
code 0 "$WEIRCTL" anomalies "$E2E/told"
says ' (mostly country=IT and device=mobile, 62 %; and country=FR, 20 %) '
says ' \[page_views down 20 s before; refunds up 10 s after\]$'
code 0 "$WEIRCTL" anomalies "$E2E/told" --json
is '.data.explanation[0].dimensions.device == "mobile" and .data.related[1].lead_ms == -10000'
is '.data.first_mover == "page_views"'
pass
