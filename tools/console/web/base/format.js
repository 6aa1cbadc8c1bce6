// format: numbers, spans and times as people read them. Times are in the engine's time zone.
// A narrow no-break space stands between a number and its unit, a true minus before what is lost.

import { now } from "./now.js";
import { zoned, zoneOffset } from "./zone.js";

const GAP = "\u202f";
const MINUS = "\u2212";
const NONE = "\u2013";
const SCALES = [
	[1e12, "T"],
	[1e9, "G"],
	[1e6, "M"],
];
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

// With at least and at most so many decimals, thousands set apart. (An Intl.NumberFormat takes longer
// to be made than all numbers of a page.)
export function decimal(value, least, most) {
	const [whole, part = ""] = Math.abs(value).toFixed(most).split(".");
	let kept = part.length;
	while (kept > least && part[kept - 1] === "0") kept--;
	const apart = whole.length > 3 ? whole.replace(/\B(?=(\d{3})+$)/g, ",") : whole;
	const text = kept ? `${apart}.${part.slice(0, kept)}` : apart;
	return value < 0 && /[1-9]/.test(text) ? MINUS + text : text;
}

function significant(value, digits) {
	if (value === 0) return "0";
	const places = Math.max(0, Math.min(8, digits - 1 - Math.floor(Math.log10(Math.abs(value)))));
	return decimal(value, 0, places);
}

function known(value) {
	return typeof value === "number" && Number.isFinite(value);
}

/** A share as a percentage: 0.0341 is 3.41 %. */
export function share(value, digits = 3) {
	return known(value) ? `${significant(value * 100, digits)}${GAP}%` : NONE;
}

// Decimals that say something beside a size: none from 100 on.
function rounded(value) {
	const size = Math.abs(value);
	if (size >= 100) return decimal(value, 0, 0);
	return size >= 1 ? decimal(value, 0, 1) : significant(value, 2);
}

/** Every digit that says something: 1,243,102; 48.20; 3.41 %. */
export function exact(value, unit = "count") {
	if (!known(value)) return NONE;
	if (unit === "share") return share(value);
	if (unit === "count" || Number.isInteger(value)) return rounded(value);
	return Math.abs(value) < 1000 && Math.abs(value) >= 1 ? decimal(value, 2, 2) : rounded(value);
}

/** Short enough for a large figure: 12,431; 1.24 M; 3.41 %. */
export function figure(value, unit = "count") {
	if (!known(value)) return NONE;
	if (unit === "share") return share(value);
	const size = Math.abs(value);
	// What would be rounded to 1,000 of the one below is 1 of this.
	for (const [scale, sign] of SCALES)
		if (size >= scale * 0.9995) return `${significant(value / scale, 3)}${GAP}${sign}`;
	if (size >= 1e5) return `${decimal(value / 1e3, 0, 0)}${GAP}k`;
	return size >= 1000 ? decimal(value, 0, 0) : exact(value, unit);
}

/** With its sign: +1,204; what is lost with a true minus. */
export function signed(value, unit = "count") {
	if (!known(value)) return NONE;
	return value > 0 ? `+${figure(value, unit)}` : figure(value, unit);
}

/** A change without its sign, as in "64 % below": never "0 %" for what is not nothing. */
export function percent(change) {
	if (!known(change)) return NONE;
	const size = Math.abs(change) * 100;
	if (size === 0) return `0${GAP}%`;
	if (size < 0.1) return `<${GAP}0.1${GAP}%`;
	return `${decimal(size, 0, size < 10 ? 1 : 0)}${GAP}%`;
}

/** A change with its sign: +12 %, -64 %. */
export function change(value) {
	if (!known(value)) return NONE;
	if (value === 0) return percent(0);
	return (value > 0 ? "+" : MINUS) + percent(value);
}

function units(first, sign, second, nextSign) {
	return second ? `${first}${GAP}${sign} ${second}${GAP}${nextSign}` : `${first}${GAP}${sign}`;
}

/** How long: 45 s, 12 min, 2 h 14 min, 3 d 4 h. */
export function duration(span_ms) {
	if (!known(span_ms)) return NONE;
	const span = Math.max(0, span_ms);
	if (span < SECOND) return `${Math.round(span)}${GAP}ms`;
	const seconds = Math.round(span / SECOND);
	if (seconds < 120 && seconds !== 60) return `${seconds}${GAP}s`;
	const minutes = Math.round(span / MINUTE);
	if (minutes < 60) return `${minutes}${GAP}min`;
	if (minutes < 24 * 60) return units(Math.floor(minutes / 60), "h", minutes % 60, "min");
	const hours = Math.round(span / HOUR);
	return units(Math.floor(hours / 24), "d", hours < 24 * 14 ? hours % 24 : 0, "h");
}

/** How long ago, roughly: just now, 12 min ago, 3 h ago, 5 d ago. */
export function ago(time_ms, now_ms = now()) {
	if (!known(time_ms)) return NONE;
	const span = now_ms - time_ms;
	if (span < -45 * SECOND) return `in ${rough(-span)}`;
	return span < 45 * SECOND ? "just now" : `${rough(span)} ago`;
}

function rough(span) {
	if (span < 90 * SECOND) return `${Math.round(span / SECOND)}${GAP}s`;
	if (span < 90 * MINUTE) return `${Math.round(span / MINUTE)}${GAP}min`;
	if (span < 36 * HOUR) return `${Math.round(span / HOUR)}${GAP}h`;
	return `${decimal(Math.round(span / DAY), 0, 0)}${GAP}d`;
}

const two = (number) => String(number).padStart(2, "0");

/** What the zone's clocks show, as it is written: {clock, seconds, weekday, date, month, year}. */
export function dateWords(time_ms) {
	const at = zoned(time_ms);
	const clock = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
	const month = MONTHS[at.getUTCMonth()];
	const date = `${at.getUTCDate()} ${month}`;
	return {
		clock,
		seconds: `${clock}:${two(at.getUTCSeconds())}`,
		weekday: `${DAYS[at.getUTCDay()]} ${date}`,
		date,
		month,
		year: String(at.getUTCFullYear()),
	};
}

/** 14:05, or 14:05:30 where the seconds say something. */
export function clock(time_ms) {
	if (!known(time_ms)) return NONE;
	return dateWords(time_ms)[time_ms % MINUTE === 0 ? "clock" : "seconds"];
}

/** Sun 22 Nov, and the year where it is not this one. */
export function day(time_ms, now_ms = now()) {
	if (!known(time_ms)) return NONE;
	const { weekday, year } = dateWords(time_ms);
	return year === dateWords(now_ms).year ? weekday : `${weekday} ${year}`;
}

/** Sun 22 Nov, 14:05 */
export function moment(time_ms, now_ms = now()) {
	return known(time_ms) ? `${day(time_ms, now_ms)}, ${clock(time_ms)}` : NONE;
}

/** From and until, the day said once where it is the same. */
export function span(from_ms, until_ms) {
	const same = day(from_ms) === day(until_ms);
	return `${moment(from_ms)} ${NONE} ${same ? clock(until_ms) : moment(until_ms)}`;
}

/** For <time datetime>. */
export function machineTime(time_ms) {
	return known(time_ms) && Math.abs(time_ms) < 8.64e15 ? new Date(time_ms).toISOString() : "";
}

/** A name as people write it: bounce_rate is Bounce rate. */
export function title(name) {
	const text = String(name).replaceAll("_", " ");
	return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A time as <input type="datetime-local"> has it, in the zone. */
export function toField(time_ms) {
	return zoned(time_ms).toISOString().slice(0, 16);
}

/** And back: null where it is none. */
export function fromField(text) {
	const local = Date.parse(`${text}Z`);
	if (!Number.isFinite(local)) return null;
	return local - zoneOffset(local - zoneOffset(local));
}
