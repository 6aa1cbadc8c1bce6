# shellcheck shell=bash
# purchases: a story of orders, minute by minute from Monday, 5 January 2026, played through an
# engine as an import of source "shop". Behind e2e.sh; needs python3.

# minutes FROM UNTIL PER_MINUTE: purchases of these minutes of the story, at the end of a CSV file.
minutes() {
	python3 - "$@" >>"$E2E/orders.csv" <<'END'
import sys
from datetime import datetime, timedelta
first, last, count = map(int, sys.argv[1:])
begin = datetime(2026, 1, 5)
for minute in range(first, last):
    for i in range(count + minute % 3):
        at = begin + timedelta(minutes=minute, milliseconds=i * 60000 // (count + 3))
        print(f"{at.isoformat()},{'IT' if i % 4 else 'DE'},1.25")
END
}

# watch_orders: a configuration for the story; $LATENESS, $LANES, $METRICS and $DETECTORS make it
# another one.
watch_orders() {
	config_write <<END
interval: 60s
lateness: {event: ${LATENESS:-60s}}
lanes: ${LANES:-1}
checkpoint_intervals: 50
metrics:
  - {name: orders, event: purchase, by: [country]}
${METRICS-}
detectors:
  - {name: orders-window, metric: orders, kind: window, window: 30, k: 4, severity: 10, direction: up}
${DETECTORS-}
END
}

# play: what minutes has collected, through the engine, until it is scored and stored.
play() {
	sed -i '1i time,country,value' "$E2E/orders.csv"
	"$WEIRCTL" import "$E2E/orders.csv" --socket "$E2E/weir.sock" --source shop --event purchase \
		--value value --dimension country --quiet >"$E2E/out" 2>&1 || fail "import: $(cat "$E2E/out")"
	local until
	until=$(date -u -d "$(tail -n 1 "$E2E/orders.csv" | cut -c1-16)Z" +%s000)
	rm "$E2E/orders.csv"
	wait_for 60 "minute $until to be closed" closed shop $((until + 1))
}
