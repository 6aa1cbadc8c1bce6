#!/usr/bin/env bash
# metrics: every aggregation, a ratio, conditions and sums that were sums before, from a file through
# weirctl import and the engine. What weirctl history then says of each metric, slice, hour and day
# is what some lines of Python work out of the single events that weirctl dump finds in the log:
# equal where that is promised, within the error stated where it is a sketch. Late rows, which come
# behind the clock, are in both; a kill in between changes nothing.
# shellcheck disable=SC2119
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq python3

config_write <<'END'
interval: 1h
lateness: {event: 1h}
metrics:
  - {name: visits, event: page_view, by: [channel]}
  - {name: orders, event: purchase, by: [channel, channel*country]}
  - {name: revenue, event: purchase, agg: sum, by: [channel]}
  - {name: basket, event: purchase, agg: mean, by: [country]}
  - {name: least, event: purchase, agg: min, by: [channel]}
  - {name: most, event: purchase, agg: max, by: [channel]}
  - {name: typical, event: page_view, agg: p50, by: [channel]}
  - {name: slow, event: page_view, agg: p99.9}
  - {name: slowish, event: page_view, agg: p95, by: [country], where: ['channel=cpc|email']}
  - {name: visitors, event: page_view, agg: distinct, field: visitor, by: [channel]}
  - {name: buyers, event: purchase, agg: distinct, field: visitor, where: ['channel!=cpc', 'country=DE']}
  - {name: paid_orders, event: purchase, by: [country], where: ['channel=cpc|email']}
  - {name: paid_visits, event: page_view, where: ['channel=cpc|email']}
  - {name: conversion, ratio: orders / visits, by: [channel]}
  - {name: order_value, ratio: revenue / orders, by: [channel]}
  - {name: paid_conversion, ratio: paid_orders / paid_visits, by: [country]}
detectors: []
END

# Three days of visits and orders; then what was forgotten of the first day, some of it as sums.
python3 - "$E2E" <<'END'
import random, sys
random.seed(11)
here = sys.argv[1]
head = 'time,event,channel,country,visitor,value\n'
def rows(count, hours):
    for i in range(count):
        at = 1700006400 + int(3600 * hours * i / count)
        channel = random.choice(['cpc', 'email', 'direct', 'direct', ''])
        country = random.choice(['DE', 'DE', 'FR'])
        visitor = 'v%d' % random.randrange(4000)
        if random.random() < 0.2:
            yield '%d,purchase,%s,%s,%s,%.2f\n' % (at, channel, country, visitor, random.expovariate(0.02) + 0.5)
        else:
            yield '%d,page_view,%s,%s,%s,%d\n' % (at, channel, country, visitor, random.lognormvariate(5, 1))
open(here + '/days.csv', 'w').write(head + ''.join(rows(30000, 73)))
open(here + '/late.csv', 'w').write(head + ''.join(rows(3000, 20)))
open(here + '/sums.csv', 'w').write('time,channel,country,orders,revenue,least,most\n' + ''.join(
    '%d,%s,%s,%d,%d,%.2f,%d\n' % (1700006400 + 3600 * h, c, l, random.randrange(1, 50), random.randrange(900, 5000),
                                  random.random(), random.randrange(100, 900))
    for h in range(24) for c in ['cpc', 'direct'] for l in ['DE', 'FR']))
END

weird_start
by=(--dimension channel --dimension country)
# import FILE OPTION...
import() {
	timeout 60 "$WEIRCTL" import "$E2E/$1" --socket "$E2E/weir.sock" --source shop "${by[@]}" --json \
		"${@:2}" >"$E2E/out" 2>"$E2E/err" || fail "import of $1: $(cat "$E2E/out" "$E2E/err")"
	jq -e '.ok and .persisted == .events and .rejected == 0' "$E2E/out" >/dev/null ||
		fail "import of $1: $(cat "$E2E/out")"
}
import days.csv --event-column event --value value --distinct visitor
# Open cells, with their sketches, are made again from the log.
weird_kill
weird_start
import late.csv --event-column event --value value --distinct visitor
import sums.csv --event purchase --aggregate count=orders,sum=revenue,min=least,max=most

# Late events are handed over with the next mark: one more hour of the source brings it.
echo 'time,event,channel,country,visitor,value' >"$E2E/end.csv"
for hour in 74 75 76 77; do
	echo "$((1700006400 + 3600 * hour)),page_view,direct,DE,v1,100" >>"$E2E/end.csv"
done
import end.csv --event-column event --value value --distinct visitor
corrected() { [ "$(ctl history visits --source shop --since 1700006400 --step 1d --json |
	jq '[.points[].closed] | add')" -ge 75 ]; }
wait_for 60 'the last hour in the history' corrected

"$WEIRCTL" dump "$E2E/data" --json --source shop >"$E2E/dump" || fail "dump"
metrics='visits orders revenue basket least most typical slow slowish visitors buyers paid_orders
	paid_visits conversion order_value paid_conversion'
for metric in $metrics; do
	ctl history "$metric" --slices --json >"$E2E/slices" || fail "slices of $metric"
	while read -r slice; do
		for step in 1h 1d; do
			ctl history "$metric" --source shop --slice "$slice" --since 1700006400 --step "$step" --json ||
				fail "history of $metric, $slice"
		done
	done < <(jq -r '.[].slice' "$E2E/slices")
done >"$E2E/history"

cat >"$E2E/oracle.py" <<'END'
import json, math, sys
def where(*conditions):
    return lambda d: all(c(d) for c in conditions)
paid = lambda d: d.get('channel', '') in ('cpc', 'email')
always = lambda d: True
value = ('value', '')
metrics = { # name: (terms of event, fields, aggregation, condition)
    'visits': [('page_view', value, 'count', always)],
    'orders': [('purchase', value, 'count', always)],
    'revenue': [('purchase', value, 'sum', always)],
    'basket': [('purchase', value, 'mean', always)],
    'least': [('purchase', value, 'min', always)],
    'most': [('purchase', value, 'max', always)],
    'typical': [('page_view', value, 0.5, always)],
    'slow': [('page_view', value, 0.999, always)],
    'slowish': [('page_view', value, 0.95, paid)],
    'visitors': [('page_view', ('visitor',), 'distinct', always)],
    'buyers': [('purchase', ('visitor',), 'distinct',
                lambda d: d.get('channel', '') != 'cpc' and d.get('country', '') == 'DE')],
    'paid_orders': [('purchase', value, 'count', paid)],
    'paid_visits': [('page_view', value, 'count', paid)],
}
metrics['conversion'] = metrics['orders'] + metrics['visits']
metrics['order_value'] = metrics['revenue'] + metrics['orders']
metrics['paid_conversion'] = metrics['paid_orders'] + metrics['paid_visits']
events = [json.loads(line) for line in open(sys.argv[1])]

def term(of, slice, start, end):
    """count, sum, least, greatest, values, different ones: of plain events and of sums."""
    event, fields, aggregation, condition = of
    count, total, least, most, values, hashes = 0, 0.0, math.inf, -math.inf, [], set()
    for e in by_hour_of(event, start, end):
        d = e['dimensions']
        if not condition(d) or any(d.get(k, '') != v for k, v in slice.items()):
            continue
        field = e.get('field', '')
        if 'hash' in e:
            if field in fields:
                hashes.add(e['hash'])
            continue
        v = e['value']
        if field in fields:
            count, total, least, most = count + 1, total + v, min(least, v), max(most, v)
            values.append(v)
        elif field == 'value:count' and fields == value:
            count += int(v + 0.5)
        elif field == 'value:sum' and fields == value:
            total += v
        elif field == 'value:min' and fields == value:
            least = min(least, v)
        elif field == 'value:max' and fields == value:
            most = max(most, v)
    return count, total, least, most, values, hashes

index = {}
for e in events:
    index.setdefault((e['event'], e['time_ms'] // 3600000), []).append(e)
def by_hour_of(event, start, end):
    for hour in range(start // 3600000, end // 3600000):
        yield from index.get((event, hour), ())

def near(a, b, relative, absolute=0.0):
    return a is not None and b is not None and abs(a - b) <= relative * abs(b) + absolute

def agrees(metric, slice, start, end, says):
    terms = [term(of, slice, start, end) for of in metrics[metric]]
    aggregation = metrics[metric][0][2]
    count, total, least, most, values, hashes = terms[0]
    if len(terms) == 2:
        halves = [t[0] if of[2] == 'count' else t[1] for t, of in zip(terms, metrics[metric])]
        return says is None if halves[1] == 0 else near(says, halves[0] / halves[1], 1e-12)
    if aggregation == 'count':
        return says == count
    if aggregation == 'sum':
        return near(says, total, 1e-12)
    if aggregation == 'mean':
        return says is None if count == 0 else near(says, total / count, 1e-12)
    if aggregation in ('min', 'max'):
        extreme = least if aggregation == 'min' else most
        return says is None if math.isinf(extreme) else says == extreme
    if aggregation == 'distinct':
        return near(says, len(hashes), 4 * 1.04 / 64, 1)
    if not values:
        return says is None
    values.sort()
    return near(says, values[max(1, math.ceil(aggregation * len(values))) - 1], 0.0079)

points, asked, wrong, different = 0, set(), [], {}
for line in open(sys.argv[2]):
    answer = json.loads(line)
    slice = dict(pair.split('=') for pair in answer['slice'].split(',')) if answer['slice'] else {}
    step = answer['step_ms']
    asked.add((answer['metric'], answer['slice'], step))
    for point in answer['points']:
        # Only what is whole: the last day is not over.
        if point['closed'] * 3600000 < step:
            continue
        points += 1
        different.setdefault(answer['metric'], set()).add(point['value'])
        if not agrees(answer['metric'], slice, point['time_ms'], point['time_ms'] + step, point['value']):
            wrong.append((answer['metric'], answer['slice'], step, point))
for what in wrong[:5]:
    print('not so:', *what, file=sys.stderr)
late = sum(1 for e in events if ':' in e.get('field', ''))
print(len(metrics), len(asked) // 2, points, len(wrong), min(len(s) for s in different.values()), late)
END
read -r kinds slices points wrong least sums < <(python3 "$E2E/oracle.py" "$E2E/dump" "$E2E/history")
expect "metrics with an oracle" "$kinds" 16
expect "points that differ" "$wrong" 0
[ "$slices" -ge 50 ] || fail "only $slices slices"
[ "$points" -ge 3000 ] || fail "only $points points"
[ "$least" -ge 10 ] || fail "a metric has only $least values"
expect "events that are sums" "$sums" 384
echo "$points points of $kinds metrics in $slices slices are what the log says"

late=$(ctl stat --json late_total | jq -s 'map(select(.name | test("late_total$")).value) | add')
[ "$late" -ge 3000 ] || fail "only $late late events"

weird_stop
"$WEIRCTL" replay "$E2E/data" --compare >"$E2E/compare" 2>&1 || fail "replay: $(cat "$E2E/compare")"
pass
