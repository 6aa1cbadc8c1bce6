#!/usr/bin/env bash
# redis: no alert is lost while Redis is away, none comes under two ids. Redis is stopped twice
# while anomalies are found, and the engine once; afterwards the stream holds every revision that
# the store holds, the same in every number, and nothing else.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq

# Everything that Redis has is on its disk before it answers: it comes back with what it had.
redis_on() { redis_start --appendonly yes --appendfsync always; }

status() { ctl status --json | jq -er "(.status // .) | $1"; }
outbox_fills() { [ "$(status .store.outbox)" -gt "$1" ]; }
at_rest() {
	[ "$(status '.events_in_ring + .store.outbox + .store.closes - .store.stored_through')" = 0 ]
}

# shop SEED: half a day at full speed, for detectors that are easily alarmed.
shop() {
	"$WEIR_SHOP" --socket "$E2E/weir.sock" --seed "$1" --source "shop$1" --days 1 --rate 60 \
		--speed 0 --no-incident --json >"$E2E/shop.json" 2>"$E2E/shop.log" ||
		fail "weir-shop: $(tail -n 1 "$E2E/shop.log")"
}

redis_on
config_write <<'END'
interval: 60s
metrics:
  - {name: page_views, event: page_view, by: [country, device]}
  - {name: revenue, event: purchase, agg: sum, by: [country]}
detectors:
  - {metric: page_views, kind: window, window: 30, k: 1, severity: 5, min_volume: 1}
  - {metric: revenue, kind: window, window: 30, k: 1, severity: 5, min_volume: 1}
END
weird_start
shop 1
wait_for 60 "the first alerts in Redis" at_rest
expect "connected" "$(status '.redis | [.connected, .away_ms]' | jq -c .)" '[true,0]'
[ "$(redis xlen weir:test:anomalies)" -gt 10 ] || fail "too few alerts for a test"

redis_stop
shop 2
wait_for 60 "alerts in the outbox" outbox_fills 10
expect "connected to nothing" "$(status '.redis | [.connected, .away_ms > 0]' | jq -c .)" '[false,true]'
weird_stop
weird_start
outbox_fills 10 || fail "the outbox did not outlive the engine"
redis_on
wait_for 60 "the outbox to be empty" at_rest

redis_stop
shop 3
weird_kill
redis_on
weird_start
wait_for 60 "the outbox to be empty after a crash" at_rest

weird_stop
# A data directory does not know the environment, which is a part of `source`; what an anomaly was
# at its `strongest` is read from all its revisions, and no part of one.
"$WEIRCTL" anomalies --revisions --limit 1000000 --json "$E2E/data" |
	jq -cS 'del(.source, .strongest)' | sort >"$E2E/stored"
redis xrange weir:test:anomalies - + | grep '^{' | jq -cS 'del(.source)' | sort -u >"$E2E/delivered"
[ "$(wc -l <"$E2E/stored")" -gt 100 ] || fail "only $(wc -l <"$E2E/stored") revisions"
diff "$E2E/stored" "$E2E/delivered" >"$E2E/difference" ||
	fail "Redis and the store differ: $(head -c 500 "$E2E/difference")"
expect "revisions with two contents" "$(jq -r .id "$E2E/delivered" | sort | uniq -d)" ""
open=$(jq -rs 'group_by(.data.id) | map(max_by(.data.revision)) | map(select(.data.state != "resolved")
	| .data.id) | sort | .[]' "$E2E/stored")
expect "open anomalies" "$(redis zrange weir:test:open 0 -1 | sort)" "$open"
proof redis-revisions "$(wc -l <"$E2E/stored")" 0
pass
