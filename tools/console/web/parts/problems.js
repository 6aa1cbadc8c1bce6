// problems: what is wrong with the pipeline, in words, the worst first; each with what it means and
// what to do. Nothing here is a number that has to be interpreted.

import { duration, exact, figure, share } from "../base/format.js";
import { grown, producerKey, ringFill, stat } from "./pipeline_numbers.js";

const DISK_LOW = 0.1; // of it free
const DISK_LOWEST = 0.03;
const SERIES_NEAR = 0.8; // of the limit
const RING_NEAR = 0.75; // of a ring filled
const LAG_INTERVALS = 5; // closing may be that far behind

const ERRNOS = {
	5: "input/output error",
	13: "permission denied",
	28: "no space left",
	30: "read-only file system",
	122: "quota exceeded",
};

function errorText(number) {
	return ERRNOS[number] ?? `error ${number}`;
}

function redisProblem({ status }) {
	const { redis, store } = status;
	const waiting = store?.outbox ?? 0;
	const wait = waiting === 1 ? "1 alert waits" : `${exact(waiting)} alerts wait`;
	if (!redis?.configured)
		return waiting > 0
			? {
					level: "note",
					text: `No Redis is configured: ${wait} in the outbox.`,
					hint: "Name one in the configuration (redis.url), then restart weird.",
				}
			: null;
	if (redis.connected) return null;
	const since = redis.away_ms > 0 ? ` for ${duration(redis.away_ms)}` : "";
	const tell = waiting > 0 ? `: ${wait} in the outbox` : ": alerts will wait in the outbox";
	return {
		level: "bad",
		text: `Redis is away${since}${tell}.`,
		hint: `Nothing is lost; they go out, in order, when it is back. ${redis.error ?? ""}`.trim(),
	};
}

function diskProblems({ status, ...look }) {
	const found = [];
	const failing = [
		["the log of a lane", (status.lanes ?? []).find((lane) => lane.failing)?.failing],
		["the control log", status.control_log?.failing],
		["the store of anomalies", status.store?.failing],
		["the history", stat(look, "history_failing")],
	];
	for (const [what, number] of failing)
		if (number)
			found.push({
				level: "bad",
				text: `The disk refuses ${what}: ${errorText(Math.abs(number))}.`,
				hint: "Producers keep their events in memory and drop them when that is full. Make room, or mend the disk.",
			});
	const free = stat(look, "disk_free_bytes");
	const size = stat(look, "disk_size_bytes");
	if (size > 0 && free / size < DISK_LOW)
		found.push({
			level: free / size < DISK_LOWEST ? "bad" : "warn",
			text: `The disk is almost full: ${share(free / size, 2)} of it are free.`,
			hint: "Retention (log.retain_bytes) deletes the oldest files; or give it a larger disk.",
		});
	return found;
}

function producerProblems({ producers }, history) {
	const found = [];
	for (const producer of producers ?? []) {
		const who = `${producer.program} (${producer.pid})`;
		const key = producerKey(producer);
		const lost = grown(history, (sample) => sample.producers[key]?.dropped ?? null);
		if (producer.quarantined)
			found.push({
				level: "bad",
				name: who,
				text: " is in quarantine: its memory said what cannot be.",
				hint: "It is not read any more. Restart it; the engine's log says what was wrong.",
			});
		else if (lost > 0)
			found.push({
				level: "bad",
				name: who,
				text: ` is dropping events: ${figure(lost)} since this page was opened.`,
				hint: "Its rings are too small for its peaks, or the engine cannot keep up.",
			});
		else if ((producer.fullest ?? ringFill(producer) ?? 0) >= RING_NEAR)
			found.push({
				level: "warn",
				name: who,
				text: ` has a ring that is ${share(producer.fullest ?? ringFill(producer), 2)} full.`,
				hint: "When it is full, its events are dropped and counted.",
			});
	}
	return found;
}

function seriesProblem({ status }) {
	const most = status.limits?.series;
	const over = status.series_overflowed ?? 0;
	if (over > 0)
		return {
			level: "warn",
			text: `${exact(over)} series are over the limit and counted together as __overflow__.`,
			hint: "A dimension has too many values, or limits.series_max is too low.",
		};
	if (most > 0 && status.series / most >= SERIES_NEAR)
		return {
			level: "warn",
			text: `${share(status.series / most, 2)} of the series that are allowed exist.`,
			hint: "What comes beyond is counted together. See which dimension grows: weirctl stat.",
		};
	return null;
}

function closingProblems({ status }) {
	const found = [];
	for (const { name, clock, clock_ms, closed_through_ms } of status.sources ?? []) {
		if (closed_through_ms === null || clock !== "wall") continue;
		const behind = clock_ms - closed_through_ms;
		if (behind > LAG_INTERVALS * status.interval_ms + 10000)
			found.push({
				level: "warn",
				name,
				text: ` is closed ${duration(behind)} late.`,
				hint: "Anomalies are told that much later.",
			});
	}
	const waiting = (status.store?.closes ?? 0) - (status.store?.stored_through ?? 0);
	if (waiting > LAG_INTERVALS)
		found.push({
			level: "warn",
			text: `${exact(waiting)} intervals are closed and not scored yet.`,
			hint: "Normal while recorded events are taken in; else the detectors cannot keep up.",
		});
	if (status.holding)
		found.push({
			level: "note",
			text: "The engine waits for producers that its last run knew.",
			hint: "At most five seconds after a restart.",
		});
	return found;
}

const ORDER = { bad: 0, warn: 1, note: 2 };

/** [{level: "bad" | "warn" | "note", name?, text, hint}] of a look and the history of looks. */
export function problemsOf(look, history) {
	if (!look?.status) return [];
	return [
		redisProblem(look),
		...diskProblems(look),
		...producerProblems(look, history),
		seriesProblem(look),
		...closingProblems(look),
	]
		.filter(Boolean)
		.sort((a, b) => ORDER[a.level] - ORDER[b.level]);
}
