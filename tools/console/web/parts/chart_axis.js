// chart_axis: where a chart's axes say what: times in the engine's zone, numbers as short as they
// can be told apart.

import { dateWords, decimal } from "../base/format.js";

const DAY_MS = 86400000;
const BAND_REACH = 0.6; // so much of the lines' own height the band may add on either side
const said = (name, time_ms) => dateWords(time_ms)[name];

// What is said of a step that long: above, and below.
function wordsOf(step) {
	if (step < DAY_MS) return [step < 60000 ? "seconds" : "clock", "weekday"];
	return [step < 28 * DAY_MS ? "date" : "month", "year"];
}

// Two lines: the time, and below it the date where it is another than the one before.
export function timeTicks(splits, step) {
	const [above, below] = wordsOf(step);
	let last = "";
	return splits.map((time) => {
		if (time == null) return "";
		const text = said(below, time);
		const isSame = text === last;
		last = text;
		return isSame ? said(above, time) : `${said(above, time)}\n${text}`;
	});
}

const SCALES = [
	{ from: 1e12, sign: "T" },
	{ from: 1e9, sign: "G" },
	{ from: 1e6, sign: "M" },
	{ from: 1e4, scale: 1e3, sign: "k" },
];

// What all numbers of an axis are told in: per cent, thousands, millions.
function scaleOf(splits, unit) {
	if (unit === "share") return { scale: 0.01, sign: "%" };
	const most = Math.max(...splits.map(Math.abs));
	const found = SCALES.find(({ from }) => most >= from);
	return found ? { scale: found.scale ?? found.from, sign: found.sign } : { scale: 1, sign: "" };
}

// Numbers of one axis with as many decimals as the distance between them asks for.
export function numberTicks(splits, step, unit) {
	const { scale, sign } = scaleOf(splits, unit);
	const digits = decimals(step / scale);
	const text = (value) => decimal(value / scale, 0, digits);
	return splits.map((value) => (sign && value ? `${text(value)}\u202f${sign}` : text(value)));
}

// So many that the distance between two numbers is told whole: 2.5 wants one, 10 none.
function decimals(step) {
	for (let digits = 0; digits < 6; digits++) {
		const scaled = step * 10 ** digits;
		if (Math.abs(scaled - Math.round(scaled)) < 1e-6 * scaled) return digits;
	}
	return 6;
}

// Least and most of columns between two times.
function bounds(chart, columns, from_ms, to_ms) {
	let least = Number.POSITIVE_INFINITY;
	let most = Number.NEGATIVE_INFINITY;
	for (let i = 0; i < chart.time_ms.length; i++) {
		if (chart.time_ms[i] < from_ms || chart.time_ms[i] > to_ms) continue;
		for (const column of columns) {
			const value = column?.[i];
			if (typeof value !== "number") continue;
			if (value < least) least = value;
			if (value > most) most = value;
		}
	}
	return least <= most ? [least, most] : null;
}

// A scale that has room for all lines, and for the band unless that would flatten them; it begins at
// zero where that costs little. flat: how much of the height may lie below the lines for that.
export function chartRange(chart, from_ms, to_ms, flat = 0.45) {
	const compared = Object.values(chart.compare ?? {});
	const lines = bounds(chart, [chart.value, chart.expected, ...compared], from_ms, to_ms);
	if (!lines) return [0, 1];
	const band = bounds(chart, [chart.lower, chart.upper], from_ms, to_ms) ?? lines;
	const reach = (lines[1] - lines[0] || Math.abs(lines[1])) * BAND_REACH;
	const least = Math.min(lines[0], Math.max(band[0], lines[0] - reach));
	const most = Math.max(lines[1], Math.min(band[1], lines[1] + reach));
	if (least === most)
		return least === 0 ? [0, 1] : [Math.min(0, least * 1.1), Math.max(0, least * 1.1)];
	const pad = (most - least) * 0.06;
	return [least >= 0 && least < most * flat ? 0 : least - pad, most + pad];
}
