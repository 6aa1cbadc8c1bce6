#!/usr/bin/env bash
# access: an application of the client library, clients/c/examples/access.c, emits a recorded access log:
# times of pages and their visitors. What weirctl history says of each hour is what sort and awk say of
# the file; sums exactly, sketches within the errors that interval/sketch.h states.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq awk sort
ACCESS=$WEIR_BUILD/tests/e2e/e2e_access
export LC_ALL=C
HOURS=6
START=1767225600 # 1 January 2026

config_write <<'END'
interval: 1h
metrics:
  - {name: pages, event: page_view, field: ms}
  - {name: time, event: page_view, field: ms, agg: sum}
  - {name: mean, event: page_view, field: ms, agg: mean}
  - {name: fastest, event: page_view, field: ms, agg: min}
  - {name: slowest, event: page_view, field: ms, agg: max}
  - {name: median, event: page_view, field: ms, agg: p50}
  - {name: slow, event: page_view, field: ms, agg: p95}
  - {name: very-slow, event: page_view, field: ms, agg: p99.9}
  - {name: visitors, event: page_view, field: visitor, agg: distinct}
  - {name: time-per-page, ratio: time / pages}
detectors: []
END

# Hour h has 4000 + 500 h pages of 900 + 300 h visitors; most pages are quick, a few are slow.
awk -v start="$START" -v hours="$HOURS" 'BEGIN {
	srand(1)
	for (h = 0; h < hours; h++)
		for (i = 0; i < 4000 + 500 * h; i++)
			printf "%d visitor-%d %.1f\n", (start + h * 3600 + rand() * 3600) * 1000,
				rand() * (900 + 300 * h), 5 + 3000 * rand() ^ 6
}' | sort -n >"$E2E/log"

# hour H: its pages and times.
hour() { awk -v from=$(((START + $1 * 3600) * 1000)) '$1 >= from && $1 < from + 3600000' "$E2E/log"; }

# By nearest rank.
quantile() { hour "$2" | cut -d' ' -f3 | sort -n |
	awk -v q="$1" '{ v[NR] = $1 } END { r = q * NR; r = int(r) + (r > int(r)); print v[r] }'; }

# wanted METRIC H: what it is, without weir.
wanted() {
	case $1 in
	pages) hour "$2" | wc -l ;;
	time) hour "$2" | awk '{ s += $3 } END { printf "%.1f\n", s }' ;;
	mean | time-per-page) hour "$2" | awk '{ s += $3 } END { printf "%.9f\n", s / NR }' ;;
	fastest) hour "$2" | cut -d' ' -f3 | sort -n | head -n 1 ;;
	slowest) hour "$2" | cut -d' ' -f3 | sort -n | tail -n 1 ;;
	median) quantile 0.5 "$2" ;;
	slow) quantile 0.95 "$2" ;;
	very-slow) quantile 0.999 "$2" ;;
	visitors) hour "$2" | cut -d' ' -f2 | sort -u | wc -l ;;
	esac
}

# Relative errors: a quantile's bound, and three standard errors of a distinct count.
error_of() {
	case $1 in
	median | slow | very-slow) echo 0.0079 ;;
	visitors) echo 0.049 ;;
	*) echo 1e-9 ;;
	esac
}

kept() {
	closed access $(((START + HOURS * 3600) * 1000)) &&
		ctl history pages --since "${HOURS}h" --step 1h --csv 2>/dev/null | sed -n 2p |
		grep -q "^$(date -u -d "@$START" +%Y-%m-%dT%H:%M)"
}

weird_start
WEIR_SOCKET=$E2E/weir.sock "$ACCESS" <"$E2E/log" || fail "the application ended with $?"
wait_for 60 "the last hour" kept

for metric in pages time mean fastest slowest median slow very-slow visitors time-per-page; do
	ctl history "$metric" --since "${HOURS}h" --step 1h --csv >"$E2E/csv" || fail "history of $metric"
	for ((h = 0; h < HOURS; h++)); do
		found=$(awk -F, -v line=$((h + 2)) 'NR == line { print $2 }' "$E2E/csv")
		awk -v found="$found" -v wanted="$(wanted "$metric" $h)" -v error="$(error_of "$metric")" \
			'BEGIN { gap = found - wanted; exit !(found != "" && wanted != 0 &&
				gap <= error * wanted && -gap <= error * wanted) }' ||
			fail "$metric of hour $h is $found, not $(wanted "$metric" $h)"
	done
	echo "$metric: $(tail -n +2 "$E2E/csv" | cut -d, -f2 | paste -sd' ')"
done

# The same of a stopped engine's directory: the file holds the last metric.
weird_stop
expect "time per page without an engine" \
	"$("$WEIRCTL" history time-per-page --directory "$E2E/data" --since "${HOURS}h" --step 1h --csv)" \
	"$(cat "$E2E/csv")"
"$WEIRCTL" verify "$E2E/data" --json >"$E2E/verify" || fail "verify: $(cat "$E2E/verify")"
proof history-values $((10 * HOURS)) 0
pass
