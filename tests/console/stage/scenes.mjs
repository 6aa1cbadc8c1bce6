/*
 * scenes: what happens on a stage: weeks of a shop with two incidents, a quiet morning, and one
 * incident more for whoever looks on.
 */
import { DAY_MS, MONDAY_MS } from "./traffic.mjs";

const HOUR_MS = 3_600_000;

/** Monday, three weeks after the first one: history ends with its noon. */
export const TODAY_MS = MONDAY_MS + 21 * DAY_MS;
export const NOON_MS = TODAY_MS + 12 * HOUR_MS;

const span = (day, from_h, to_h) => ({
	from_ms: MONDAY_MS + day * DAY_MS + from_h * HOUR_MS,
	to_ms: MONDAY_MS + day * DAY_MS + to_h * HOUR_MS,
});

/** Germany orders next to nothing on a Wednesday, mobiles twice as much on a Friday; both are over. */
export async function play_weeks(stage) {
	const incidents = [
		{ ...span(16, 10, 14), country: "DE", event: "purchase", factor: 0.2 },
		{ ...span(18, 12, 13), device: "mobile", event: "purchase", factor: 2.2 },
	];
	await stage.play({ from_ms: MONDAY_MS, to_ms: NOON_MS, incidents });
}

/** Italy orders a third of the usual, from noon for so long; it goes on. */
export async function play_incident(stage, hours = 1) {
	const to_ms = NOON_MS + hours * HOUR_MS;
	const incidents = [{ from_ms: NOON_MS, to_ms, country: "IT", event: "purchase", factor: 0.3 }];
	await stage.play({ from_ms: NOON_MS, to_ms, incidents });
}
