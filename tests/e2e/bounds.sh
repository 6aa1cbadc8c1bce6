#!/usr/bin/env bash
# bounds: more series than an engine is allowed to have. What is over the bound is kept and summed in
# the slice __overflow__; and when a log has forgotten series that nobody uses any more, others have
# their ids.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq awk
BOUND=200
SPAN=60 # seconds of each file's events

config_write <<END
interval: 1s
checkpoint_intervals: 1
limits: {series_max: $BOUND}
log: {segment_bytes: 1MiB, retain_bytes: 2MiB}
metrics:
  - {name: views, event: page_view, by: [page]}
detectors: []
END

# views FIRST LAST ROWS SPAN >FILE: ROWS rows over that span of time, of pages FIRST to LAST in turn.
views() {
	awk -v first="$1" -v last="$2" -v rows="$3" -v start="$(($4 * SPAN))" -v span="$SPAN" 'BEGIN {
		print "time,page"
		for (i = 0; i < rows; i++)
			printf "%d,p%d\n", start + int(i * span / rows), first + i % (last - first + 1)
	}'
}

send() {
	WEIR_SOCKET=$E2E/weir.sock "$WEIRCTL" import "$1" --event page_view --time time --dimension page \
		--json >"$E2E/sent" 2>&1 || fail "import of $1: $(cat "$E2E/sent")"
}

overflowed() { ctl status --json | jq '(.status // .).series_overflowed'; }
# views_of SLICE: in the history, but for the last span.
views_of() {
	ctl history views --source import --slice "$1" --since 1h --step 1m --json 2>/dev/null |
		jq --argjson until "$((20006 * SPAN * 1000))" \
			'[.. | objects | select(.time_ms? and .time_ms < $until) | .value // 0] | add'
}

# 150 pages at first, all of which have a series of their own.
views 1 150 60000 20000 >"$E2E/first.csv"
weird_start
send "$E2E/first.csv"
expect "series over the bound, at first" "$(overflowed)" 0

# Enough of one page, and checkpoints enough, that the log lets the first go; and a new engine.
for span in 20001 20002 20003; do
	views 1 1 150000 "$span" >"$E2E/one.csv"
	send "$E2E/one.csv"
	wait_for 60 "span $span" closed import $((span * 60000))
done
forgotten() { ! grep -q p150 <("$WEIRCTL" dump "$E2E/data" --sum page --json 2>/dev/null); }
wait_for 60 "retention" forgotten
weird_stop
weird_start

# 150 others, that there would be no room for beside the first.
views 201 350 60000 20004 >"$E2E/other.csv"
send "$E2E/other.csv"
expect "series over the bound, after the first were forgotten" "$(overflowed)" 0

# And as many again: now there is none for most, but every one of their events is kept and counted.
views 401 550 60000 20005 >"$E2E/more.csv"
send "$E2E/more.csv"
views 201 201 24 20006 >"$E2E/end.csv"
send "$E2E/end.csv"
wait_for 60 "the last span but one" closed import $((20006 * 60000))
over=$(overflowed)
if [ "$over" -le 90 ] || [ "$over" -ge 150 ]; then fail "series over the bound: $over"; fi
kept() { [ "$(views_of "")" = $((60000 + 3 * 150000 + 2 * 60000)) ]; }
wait_for 60 "all views in the history" kept
expect "views over the bound" "$(views_of page=__overflow__)" $((over * 400))
pass
