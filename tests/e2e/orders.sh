#!/usr/bin/env bash
# orders: recorded orders go through weir-shop --replay, libweir and the engine; what weirctl dump
# then says per event, country and day is what a few lines of awk say of the file, to the cent. The
# shipped month always; all recorded months where $WEIR_DATA has them.
# shellcheck disable=SC2119
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq awk gzip
root=$(cd "$(dirname "$0")/../.." && pwd)
recorded=${WEIR_DATA:-$root/../shared/data}/online-retail

# event,country,day,count,sum of a file of order lines. Prices are taken as thousandths, so that
# sums are whole numbers, exact in awk.
awk_of_file() {
	gzip -dc "$1" | awk -F, -v OFS=, '
		function thousandths(price) { return sprintf("%.0f", price * 1000) + 0 }
		NR > 1 {
			sub(/\r$/, "")
			key = $1 SUBSEP $6
			if (!(key in day)) { day[key] = substr($3, 1, 10); invoice[key] = $1; country[key] = $6 }
			value[key] += $2 * thousandths($4)
		}
		END {
			for (key in day) {
				group = (invoice[key] ~ /^C/ ? "refund" : "purchase") "," country[key] "," day[key]
				count[group]++
				sum[group] += value[key]
			}
			for (group in count) {
				text = sprintf("%.2f", sum[group] / 1000)
				print group, count[group], text == "-0.00" ? "0.00" : text
			}
		}' | LC_ALL=C sort
}

# The same from the events of the log.
awk_of_dump() {
	"$WEIRCTL" dump "$1" --json --source orders |
		jq -r '[.event, .dimensions.country, (.time_ms / 1000 | strftime("%Y-%m-%d")), .value] | @tsv' |
		awk -F'\t' -v OFS=, '
			{
				group = $1 "," $2 "," $3
				count[group]++
				sum[group] += $4
			}
			END {
				for (group in count) {
					text = sprintf("%.2f", sum[group])
					print group, count[group], text == "-0.00" ? "0.00" : text
				}
			}' | LC_ALL=C sort
}

# The same from the sums that weirctl makes.
sums_of_dump() {
	"$WEIRCTL" dump "$1" --sum event,country,day --source orders --csv | awk -F, -v OFS=, '
		NR > 1 {
			text = sprintf("%.2f", $5)
			print $1, $2, $3, $4, text == "-0.00" ? "0.00" : text
		}' | LC_ALL=C sort
}

# replay NAME FILE: through the engine, and compared.
replay() {
	local name=$1 file=$2 said
	rm -rf "$E2E/data"
	grep -v '^data_directory:\|^socket:\|^control_socket:' "$root/tools/shop/data/orders.yaml" |
		config_write
	weird_start
	said=$("$WEIR_SHOP" --socket "$E2E/weir.sock" --replay "$file" --json) ||
		fail "weir-shop --replay of $name: $said"
	jq -e '.events_attempted == .purchases + .refunds and .events_persisted == .events_attempted
		and .events_dropped == 0 and .events_rejected == 0 and .events_lost == 0' <<<"$said" \
		>/dev/null || fail "not all of $name went in: $said"
	weird_stop

	awk_of_file "$file" >"$E2E/file"
	awk_of_dump "$E2E/data" >"$E2E/dump"
	sums_of_dump "$E2E/data" >"$E2E/sums"
	[ -s "$E2E/file" ] || fail "awk finds nothing in $name"
	diff "$E2E/file" "$E2E/dump" >"$E2E/diff" || fail "$name: $(head -n 5 "$E2E/diff")"
	diff "$E2E/file" "$E2E/sums" >"$E2E/diff" || fail "$name, --sum: $(head -n 5 "$E2E/diff")"
	echo "$name: $(wc -l <"$E2E/file") groups of event, country and day agree to the cent;" \
		"$(jq -r '"\(.purchases) purchases, \(.refunds) refunds"' <<<"$said")"

	"$WEIRCTL" verify "$E2E/data" --json >"$E2E/verify" || fail "verify: $(cat "$E2E/verify")"
	expect "events in the log of $name" "$(jq .events "$E2E/verify")" \
		"$(jq .events_attempted <<<"$said")"
	"$WEIRCTL" replay "$E2E/data" --compare >"$E2E/compare" 2>&1 ||
		fail "the replay of $name differs: $(tail -n 5 "$E2E/compare")"
	"$root/tools/shop/orders-report" "$E2E/data" "$file" >"$E2E/report" ||
		fail "orders-report of $name"
	expect "anomalies in the report of $name" "$(tail -n 1 "$E2E/report")" \
		"$("$WEIRCTL" replay "$E2E/data" --json | jq -s 'map(select(.state == "firing")) | length') anomalies"
}

# An order that is refused takes the whole file with it: nothing of it goes in.
broken() {
	local said
	gzip -dc "$root/tools/shop/data/orders-2011-01.csv.gz" |
		awk -F, -v OFS=, 'NR == 20000 { $2 = "many" } 1' >"$E2E/broken.csv"
	said=$("$WEIR_SHOP" --socket "$E2E/weir.sock" --replay "$E2E/broken.csv" --json 2>&1)
	expect "exit code for a broken line" $? 1
	expect "what is said of it" "$said" \
		"weir-shop: $E2E/broken.csv:20000: Quantity is not a whole number"
	"$WEIR_SHOP" --replay "$E2E/none.csv" >/dev/null 2>&1
	expect "exit code for a missing file" $? 3
}

# The default detector on the same orders: each alarm is listed with its invoices, figures add up.
judged() {
	local file=$1 alarms
	"$WEIR_BUILD/bench/weir-bench" quality orders "$file" --svg "$E2E/orders.svg" >"$E2E/listed" || fail "quality orders"
	"$WEIR_BUILD/bench/weir-bench" quality orders "$file" --json >"$E2E/figures" || fail "quality orders --json"
	expect "figures" "$(jq -s 'map(select(has("value"))) | length' "$E2E/figures")" 12
	alarms=$(jq -s '[.[] | select(.name | endswith("_alarms")).value] | add' "$E2E/figures")
	expect "alarms listed" "$(grep -c ' instead of ' "$E2E/listed")" "$alarms"
	[ "$alarms" -gt 0 ] || fail "no alarms at all"
	# Whatever was ordered in an hour of an alarm has an invoice below it.
	awk '/ instead of / { if (wants) exit 1; wants = $2 > 0; next } /^      / { wants = 0 } END { exit wants }' \
		"$E2E/listed" || fail "an alarm without its invoices: $(cat "$E2E/listed")"
	grep -q '</svg>' "$E2E/orders.svg" || fail "no chart"
	grep ' alarms, ' "$E2E/listed"
}

export WEIRCTL
broken
judged "$root/tools/shop/data/orders-2011-01.csv.gz"
replay "the shipped month" "$root/tools/shop/data/orders-2011-01.csv.gz"
cat "$E2E/report"
found=
for file in "$recorded"/order-lines-*.csv.gz; do
	[ -r "$file" ] || continue
	found=1
	replay "$(basename "$file")" "$file"
	[ "$(tail -n 1 "$E2E/report")" != "0 anomalies" ] || fail "half a year without an anomaly"
	cat "$E2E/report"
done
[ -n "$found" ] || echo "skipped: no recorded orders in $recorded (set WEIR_DATA); the shipped month was tested"
pass
