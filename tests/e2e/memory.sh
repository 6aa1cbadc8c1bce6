#!/usr/bin/env bash
# memory: what weird holds under load: 64 MiB, and beside that no more than engine/README.md states
# for each series and each ring.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
# shellcheck source=../support/ledger.sh
. "$(dirname "$0")/../support/ledger.sh"
need jq

series=50000
ring_events=65536
readme=$(dirname "$0")/../../engine/README.md
# stated WHAT: "at most N bytes WHAT" in the README, wherever its lines break.
stated() { tr '\n' ' ' <"$readme" | grep -o "[0-9,]* bytes $1" | head -n 1 | tr -d ',' | cut -d' ' -f1; }
series_bytes=$(stated 'a series')
ring_bytes=$(stated 'a ring')
[ "${series_bytes:-0}" -gt 0 ] || fail "engine/README.md states nothing of series"
[ "${ring_bytes:-0}" -gt 0 ] || fail "engine/README.md states nothing of rings"

kib() { awk -v name="^($1):" '$0 ~ name { sum += $2 } END { print sum }' "/proc/$WEIRD_PID/status"; }
own() { kib 'RssAnon|RssFile'; }

config_write <<'END'
interval: 1s
metrics:
  - {name: page_views, event: page_view, by: [country]}
detectors:
  - {metric: page_views, kind: window}
END
weird_start
app_start application "$ring_events" 1000000
app_tell many 1
app_tell wait 60000
base=$(own)
most=0
for _ in $(seq 12); do
	app_tell many "$series"
	app_tell wait 60000
	now=$(own)
	[ "$now" -le "$most" ] || most=$now
	sleep 0.4
done
[ "$(ctl status --json | jq .series)" -gt "$series" ] || fail "the series were not all taken"
shared=$(kib RssShmem)
app_tell threads 8 $((2 * ring_events)) # each fills a ring of its own
app_tell wait 60000
rings=$(ctl status --json | jq .intake.rings)
expect "rings" "$rings" 9
more=$(($(kib RssShmem) - shared))
now=$(own)
[ "$now" -le "$most" ] || most=$now
echo "memory: $base KiB; with $series series $most KiB, $(((most - base) * 1024 / series)) bytes each;" \
	"a ring of $ring_events events $((more * 1024 / 8)) bytes"
[ "$base" -gt 1000 ] || fail "the memory was not read"
[ "$base" -le 65536 ] || fail "$base KiB resident"
[ "$most" -le $((65536 + series * series_bytes / 1024)) ] || fail "$most KiB resident"
[ $(((most - base) * 1024 / series)) -le "$series_bytes" ] || fail "more than $series_bytes bytes a series"
[ $((more * 1024 / 8)) -le $((ring_bytes + 16 * ring_events)) ] || fail "a ring takes more than stated"
[ "$more" -gt 1000 ] || fail "the rings were not touched"
app_end
weird_stop
pass
