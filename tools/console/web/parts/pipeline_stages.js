// pipeline_stages: the way of an event, from the producer to the alert, as a row of stages: what each
// does a second, and whether it is well.

import { duration, exact, figure, moment, share } from "../base/format.js";
import { html } from "../base/ui.js";
import { rateNow, rates, ringFill, stat } from "./pipeline_numbers.js";
import { RateSpark } from "./rate_spark.js";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(count) {
	if (typeof count !== "number") return "–";
	let unit = 0;
	while (count >= 1024 && unit < UNITS.length - 1) {
		count /= 1024;
		unit += 1;
	}
	return `${figure(unit === 0 ? count : Number(count.toPrecision(3)))}\u202f${UNITS[unit]}`;
}

export function perSecond(rate) {
	if (rate === null) return "–";
	return `${figure(rate >= 10 ? Math.round(rate) : Number(rate.toPrecision(2)))}/s`;
}

function Stage({ name, level, word, value, unit, lines, spark }) {
	return html`<li class=${`stage is-${level}`}>
		<h3 class="stage-name">${name}</h3>
		<p class="stage-state"><span class="stage-sign" aria-hidden="true"></span>${word}</p>
		<p class="stage-value figures">${value}${unit && html` <span class="stage-unit">${unit}</span>`}</p>
		${spark && html`<${RateSpark} values=${spark} />`}
		<ul class="stage-lines" role="list">
			${lines.filter(Boolean).map((line) => html`<li key=${line}>${line}</li>`)}
		</ul>
	</li>`;
}

function producersStage(look, history) {
	const list = look.producers ?? [];
	const ill = list.filter(({ quarantined }) => quarantined).length;
	const fullest = Math.max(0, ...list.map((one) => one.fullest ?? ringFill(one) ?? 0));
	const dropped = rateNow(history, (sample) => sample.dropped);
	const rings = list.reduce((sum, { rings: count }) => sum + count, 0);
	return {
		name: "Producers",
		level: ill > 0 || dropped > 0 ? "bad" : list.length === 0 ? "idle" : "good",
		word:
			ill > 0
				? `${ill} in quarantine`
				: dropped > 0
					? "dropping"
					: list.length === 0
						? "none attached"
						: "attached",
		value: exact(list.length),
		unit: rings === 1 ? "with 1 ring" : `with ${exact(rings)} rings`,
		lines: [
			`fullest ring ${share(fullest, 2)}`,
			`dropped ${figure(stat(look, "events_dropped_total"))}`,
			`rejected ${figure(stat(look, "events_rejected_total"))}`,
		],
	};
}

function intakeStage(look, history) {
	const rate = rateNow(history, (sample) => sample.events);
	const lanes = look.status.lanes ?? [];
	return {
		name: lanes.length === 1 ? "Lane" : `${lanes.length} lanes`,
		level: rate > 0 ? "good" : "idle",
		word: rate > 0 ? "draining" : "idle",
		value: perSecond(rate),
		unit: "events",
		spark: rates(history, (sample) => sample.events),
		lines: [
			`in rings ${figure(look.status.events_in_ring)}`,
			`kept ${figure(look.status.events_persisted)} since the start`,
		],
	};
}

function logStage(look, history) {
	const { status } = look;
	const failing = (status.lanes ?? []).some((lane) => lane.failing) || status.control_log?.failing;
	const free = stat(look, "disk_free_bytes");
	return {
		name: "Log",
		level: failing ? "bad" : "good",
		word: failing ? "the disk refuses" : durabilityWord(status.durability),
		value: `${bytes(rateNow(history, (sample) => sample.bytes))}`,
		unit: "a second",
		spark: rates(history, (sample) => sample.bytes),
		lines: [
			`not yet synced ${bytes(stat(look, "log_unsynced_bytes"))}`,
			`${perSecond(rateNow(history, (sample) => sample.syncs))} syncs, by ${status.io}`,
			`disk ${bytes(free)} free`,
		],
	};
}

function durabilityWord(durability) {
	return (
		{ none: "nothing is kept", interval: "synced often", block: "synced by block" }[durability] ??
		durability
	);
}

function intervalsStage(look) {
	const { sources, interval_ms } = look.status;
	const newest = Math.max(...(sources ?? []).map((source) => source.closed_through_ms ?? 0), 0);
	const lag = Math.max(
		0,
		...(sources ?? [])
			.filter(({ clock }) => clock === "wall")
			.map((source) => source.clock_ms - (source.closed_through_ms ?? source.clock_ms)),
	);
	const late = stat(look, "events_late_total");
	return {
		name: "Intervals",
		level: newest === 0 ? "idle" : "good",
		word: newest === 0 ? "none closed yet" : "closing",
		value: duration(interval_ms),
		unit: "each",
		lines: [
			newest > 0 && `closed to ${moment(newest)}`,
			`behind ${duration(lag)}`,
			`late events ${figure(late)}`,
		],
	};
}

function detectorsStage(look) {
	const { detectors, store } = look.status;
	const behind = (store?.closes ?? 0) - (store?.stored_through ?? 0);
	const slices = (look.detectors ?? []).reduce((sum, one) => sum + one.slices, 0);
	return {
		name: "Detectors",
		level: detectors?.banks > 0 ? "good" : "idle",
		word: detectors?.learning > 0 ? `${exact(detectors.learning)} learning` : "at work",
		value: exact(detectors?.banks ?? 0),
		unit: `over ${exact(slices)} slices`,
		lines: [
			behind > 0 ? `${exact(behind)} to score` : "nothing waits to be scored",
			`revisions ${figure(store?.revisions)} since the start`,
		],
	};
}

function redisStage(look, history) {
	const { redis, store } = look.status;
	const waiting = store?.outbox ?? 0;
	const away = redis?.configured && !redis.connected;
	return {
		name: "Alerts",
		level: away ? "bad" : redis?.configured ? "good" : "idle",
		word: away ? "Redis is away" : redis?.configured ? "Redis answers" : "no Redis configured",
		value: exact(waiting),
		unit: "in the outbox",
		lines: [
			redis?.configured && `published ${figure(redis.published)} since the start`,
			redis?.reconnects > 0 && `reconnected ${exact(redis.reconnects)} times`,
			redis?.configured && `${perSecond(rateNow(history, (sample) => sample.published))} now`,
		],
	};
}

export function Stages({ look, history }) {
	const stages = [
		producersStage,
		intakeStage,
		logStage,
		intervalsStage,
		detectorsStage,
		redisStage,
	];
	return html`<ol class="stages" role="list" aria-label="From producer to alert">
		${stages.map((stage) => {
			const of = stage(look, history);
			return html`<${Stage} key=${stage.name} ...${of} />`;
		})}
	</ol>`;
}
