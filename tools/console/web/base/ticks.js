// ticks: whole hours and days of the engine's zone, as many as have room.

import { clock, day } from "./format.js";
import { zoneOffset } from "./zone.js";

const MINUTE = 60000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [
	5 * MINUTE,
	15 * MINUTE,
	30 * MINUTE,
	HOUR,
	3 * HOUR,
	6 * HOUR,
	12 * HOUR,
	DAY,
	2 * DAY,
	3 * DAY,
	7 * DAY,
	28 * DAY,
	91 * DAY,
];

/** [{time_ms, text}] between two times, at most `most`. */
export function ticks(from_ms, to_ms, most) {
	const wanted = (to_ms - from_ms) / Math.max(1, most);
	const step = STEPS.find((candidate) => candidate >= wanted) ?? STEPS.at(-1);
	const found = [];
	const offset = zoneOffset(from_ms);
	for (
		let local = Math.ceil((from_ms + offset) / step) * step;
		found.length < most;
		local += step
	) {
		// The offset may change on the way (summer time).
		const time_ms = local - zoneOffset(local - offset);
		if (time_ms > to_ms) break;
		const isMidnight = local % DAY === 0;
		found.push({ time_ms, text: isMidnight ? day(time_ms, time_ms) : clock(time_ms) });
	}
	return found;
}
