#!/usr/bin/env bash
# periods: detectors on days, weeks and months, over the 400 days of weir-shop --sheet: windows of
# weeks, of months, and of the year before; min_delta, for, cooldown. What fires, and when, follows
# from what the sheet plants (tools/shop/sheet.c); each is paired with one that differs in one key.
# shellcheck disable=SC2119
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq

config_write <<'END'
interval: 1h
lateness: {event: 1h}
metrics:
  - {name: visits, event: session_start}
  - {name: direct_visits, event: session_start, where: [channel=direct]}
  - {name: transactions, event: purchase}
  - {name: searches, event: search}
detectors:
  # Transactions fall by 35 % and by 31 % of two days, in weeks 14 and 16: some 440 and 390 orders.
  - {name: weeks, metric: transactions, kind: window, frequency: 7d, window: 8, k: 3, recover: 1}
  - {name: weeks-large, metric: transactions, kind: window, frequency: 7d, window: 8, k: 3, recover: 1, min_delta: 415}
  # February has 28 days. June 2026 has the fall of visits.
  - {name: months, metric: visits, kind: window, frequency: 1mo, window: 6, k: 3}
  - {name: months-large, metric: visits, kind: window, frequency: 1mo, window: 6, k: 3, min_delta: 15000}
  # Visits of week 53 are 16 % fewer than a year before, some 4500; of week 54 31 %, some 8700.
  - {name: year, metric: visits, kind: window, frequency: 7d, window: 4, k: 4, baseline: last_year}
  - {name: year-large, metric: visits, kind: window, frequency: 7d, window: 4, k: 4, baseline: last_year, min_delta: 6500}
  # Searches fall by 35 % in week 22 and by 31 % in week 26, for two days.
  - {name: falls, metric: searches, kind: rule, down: 30%, frequency: 1d, versus: last_week}
  - {name: falls-once, metric: searches, kind: rule, down: 30%, frequency: 1d, versus: last_week, cooldown: 40d}
  # Direct visits fall by 27 % in week 6, for two days.
  - {name: two-days, metric: direct_visits, kind: rule, down: 25%, frequency: 1d, versus: last_week, for: 2}
  - {name: three-days, metric: direct_visits, kind: rule, down: 25%, frequency: 1d, versus: last_week, for: 3}
END

# fired DETECTOR: the days on which it fired, in one line.
fired() {
	jq -r --arg name "$1" 'select(.data.state == "firing" and .data.detector == $name) |
		.data.interval_start[:10]' "$E2E/revisions" | sort | paste -sd' '
}

weird_start
timeout 120 "$WEIR_SHOP" --socket "$E2E/weir.sock" --sheet --truth "$E2E/truth" >"$E2E/said" ||
	fail "weir-shop --sheet ended with $?: $(cat "$E2E/said")"
wait_for 120 "the last day to be closed" closed shop "$(jq .last_ms "$E2E/truth")"
weird_stop
"$WEIRCTL" anomalies "$E2E/data" --revisions --limit 1000000 --json >"$E2E/revisions"

# A period speaks on its last day: Sundays, and the last of a month.
expect "weeks in which orders are few" "$(fired weeks)" "2025-09-14 2025-09-28"
expect "and by 415 at least" "$(fired weeks-large)" 2025-09-14
expect "months with fewer visits" "$(fired months)" "2026-02-28 2026-06-30"
expect "and by 15000 at least" "$(fired months-large)" 2026-06-30
expect "weeks with fewer visits than last year, from" "$(fired year)" 2026-06-14
expect "and by 6500 at least, from" "$(fired year-large)" 2026-06-21
expect "days on which searches fall" "$(fired falls)" "2025-11-04 2025-12-02"
expect "with a cooldown of 40 days" "$(fired falls-once)" 2025-11-04
expect "two days of few direct visits" "$(fired two-days)" 2025-07-16
expect "three such days" "$(fired three-days)" ""
pass
