#!/usr/bin/env bash
# console_words: what the console's pages say of numbers, times and anomalies, and which filters an
# address is taken for; without a browser.
set -euo pipefail
command -v node >/dev/null || {
	echo "SKIPPED: there is no Node.js"
	exit 77
}
root=$(cd "$(dirname "$0")/../.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
echo '{"type":"module"}' >"$place/package.json"
cp -r "$root/tools/console/web/base" "$place/base"
cat >"$place/test.js" <<'JS'
import assert from "node:assert/strict";
import { apiQuery, readFilters, sourceNow, spanOf, writeSeverity } from "./base/filters.js";
import * as format from "./base/format.js";
import { sentenceText } from "./base/sentence.js";
import { bandOf, severityText } from "./base/severity.js";
import { ticks } from "./base/ticks.js";
import { setZone, zoneName, zoneOffset } from "./base/zone.js";

const plain = (text) => text.replaceAll(/[\u202f\u00a0]/g, " ").replaceAll("\u2212", "-");
const is = (text, wanted) => assert.equal(plain(text), wanted);
const HOUR = 3600000;

// Numbers.
is(format.figure(12431), "12,431");
is(format.figure(1243102), "1.24 M");
is(format.figure(0.0341, "share"), "3.41 %");
is(format.exact(457.9), "458");
is(format.exact(13.27), "13.3");
is(format.exact(48.2, "value"), "48.20");
is(format.signed(-26324.4), "-26,324");
is(format.percent(-0.638), "64 %");
is(format.percent(0.0004), "< 0.1 %");
for (const unknown of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY])
	assert.equal(format.exact(unknown), "\u2013");

// Spans and times, also over the night in which a clock is put back.
is(format.duration(134 * 60000), "2 h 14 min");
is(format.duration(45000), "45 s");
is(format.duration(76 * HOUR), "3 d 4 h");
is(format.ago(0, 12 * 60000), "12 min ago");
setZone("Europe/Rome", null);
const summer = Date.UTC(2026, 5, 16, 10, 31);
is(format.moment(summer, summer), "Tue 16 Jun, 12:31");
assert.equal(zoneOffset(summer), 2 * HOUR);
assert.equal(format.fromField(format.toField(summer)), summer);
const midnights = ticks(Date.UTC(2026, 9, 23), Date.UTC(2026, 9, 28), 6);
assert.deepEqual(midnights.map(({ time_ms }) => format.clock(time_ms)), Array(5).fill("00:00"));
assert.equal(midnights.at(-1).time_ms - midnights[0].time_ms, 4 * 24 * HOUR + HOUR);
setZone("no such zone", null);
assert.equal(zoneName(), "UTC");

// Sentences.
const row = {
	metric: "revenue", slice: "", kind: "seasonal", direction: "down", unit: "value",
	aggregation: "sum", end_ms: null,
	observed: 36, expected: 100, change: -0.64,
	explanation: [{ slice: "country=IT", share: 0.82 }],
};
const said = (changes) => plain(sentenceText({ ...row, ...changes }));
assert.equal(said({}), "Revenue is 64 % below expected, mostly country=IT");
assert.equal(said({ end_ms: 1, metric: "page_views" }),
	"Page views were 64 % below expected, mostly country=IT");
assert.equal(said({ slice: "device=mobile", explanation: [] }),
	"Revenue for device=mobile is 64 % below expected");
assert.equal(said({ explanation: [{ slice: "a=b", share: 0.3 }] }),
	"Revenue is 64 % below expected, in part a=b");
assert.equal(said({ metric: "orders", observed: 0, explanation: [] }), "Orders have stopped");
assert.equal(said({ metric: "conversion", unit: "share", aggregation: "ratio", observed: 0, change: -1,
	explanation: [] }), "Conversion is 100 % below expected");
assert.equal(said({ direction: "up", observed: 44, expected: 10, change: 3.4, explanation: [] }),
	"Revenue is 4.4 times what is expected");
assert.equal(said({ unit: "count", observed: 14, expected: 0, change: null, explanation: [] }),
	"Revenue is 14 where none is expected");

// Bands: what is shown as 75 is critical.
assert.equal(bandOf(75).name, "critical");
assert.equal(severityText(74.9), "74");
assert.equal(bandOf(74.9).name, "major");
assert.equal(bandOf(2.9), null);

// Filters of an address.
const of = (text) => readFilters(new URLSearchParams(text));
assert.deepEqual(of("slice=city=Rome,Lazio,country=IT").slice, ["city=Rome,Lazio", "country=IT"]);
assert.equal(of("severity=900").severity, 100);
assert.equal(of("severity=many").severity, 50);
assert.equal(of("range=century").range, "7d");
assert.equal(of("from_ms=9&to_ms=3").range, "7d");
assert.deepEqual(spanOf(of("from_ms=3&to_ms=9"), 0), { from_ms: 3, to_ms: 9 });
assert.equal(apiQuery(of("direction=up,down"), 0).direction, "");
assert.equal(apiQuery(of("range=all"), 0).from_ms, undefined);
assert.deepEqual(writeSeverity(50), { severity: null });
assert.equal(sourceNow(1000, 30 * 24 * HOUR), 1000);
assert.equal(sourceNow(30 * 24 * HOUR - 60000, 30 * 24 * HOUR), 30 * 24 * HOUR);
console.log("console_words: all is said as it is meant");
JS
node "$place/test.js"
