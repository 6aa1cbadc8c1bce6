/*
 * format: numbers and dates as the pages write them, without a browser: as Intl does, which they do
 * without because making its formatters takes longer than drawing the page; in zones whose clocks
 * change, by what the console says of them and without.
 */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const HOUR_MS = 3_600_000;
const BEGIN_MS = Date.UTC(2022, 0, 2);
const END_MS = Date.UTC(2028, 0, 1);
const SUMMER = ["Europe/Lisbon", "America/New_York", "Australia/Sydney", "Asia/Kolkata", "UTC"];

// Node takes what a package calls modules for modules.
const folder = mkdtempSync(join(tmpdir(), "weir-format."));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
cpSync(new URL("../../../tools/console/web/base", import.meta.url), folder, { recursive: true });
writeFileSync(join(folder, "package.json"), '{"type": "module"}');
const format = await import(join(folder, "format.js"));
const { setZone, zoneName, zoneOffset } = await import(join(folder, "zone.js"));

function check_dates(zone) {
	const two = "2-digit";
	const shown = new Intl.DateTimeFormat("en-GB", {
		...{ timeZone: zone, hourCycle: "h23", weekday: "short", day: "numeric", month: "short" },
		...{ year: "numeric", hour: two, minute: two, second: two },
	});
	for (let at = BEGIN_MS; at < END_MS; at += 7 * HOUR_MS + 1_021_000) {
		const of = Object.fromEntries(shown.formatToParts(at).map(({ type, value }) => [type, value]));
		const month = of.month.slice(0, 3); // Intl has Sept
		const { weekday, year, clock, seconds } = format.dateWords(at);
		assert.equal(weekday, `${of.weekday} ${of.day} ${month}`, `${zone} ${at}`);
		assert.equal(year, of.year);
		assert.equal(clock, `${of.hour}:${of.minute}`, `${zone} ${at}`);
		assert.equal(seconds, `${clock}:${of.second}`);
	}
}

for (const zone of SUMMER) {
	setZone(zone, null);
	check_dates(zone);
	const turns = [];
	for (let at = Date.UTC(2022, 0, 1); at < END_MS; at += HOUR_MS)
		if (turns.at(-1)?.[1] !== zoneOffset(at)) turns.push([at, zoneOffset(at)]);
	setZone(zone, turns);
	check_dates(zone);
}
console.log(`ok: dates in ${SUMMER.length} zones, each with and without what the console says`);

setZone("Nowhere/At_all", null);
assert.equal(zoneName(), "UTC");
console.log("ok: a zone that there is not is UTC");

for (const [least, most] of [
	[0, 0],
	[0, 2],
	[2, 2],
	[0, 8],
]) {
	const shown = new Intl.NumberFormat("en-GB", {
		minimumFractionDigits: least,
		maximumFractionDigits: most,
	});
	for (let i = -400; i <= 400; i++)
		for (const value of [i, i / 16, i * 1234.5, Math.sin(i) * 10 ** (i % 5), i * 1e9]) {
			const wanted = shown.format(value).replace("-", "\u2212");
			const bare = /[1-9]/.test(wanted) ? wanted : wanted.replace("\u2212", "");
			assert.equal(format.decimal(value, least, most), bare, String(value));
		}
}
console.log("ok: numbers");
