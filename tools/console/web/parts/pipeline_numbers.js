// pipeline_numbers: the engine's counters as what people ask: how many a second, how full, how much
// is left. Rates come from a short history that this page keeps of what it was told.

const KEPT = 120; // looks at the engine, one a second
const OVER_MS = 5000; // a rate is over so long: steadier than one second, still quick

/** The value of a statistic: of one label, or summed over all. */
export function stat(look, name, label = null) {
	let sum = null;
	for (const row of look.stats ?? []) {
		if (row.name !== name) continue;
		if (label !== null && !Object.values(row.labels ?? {}).includes(label)) continue;
		sum = (sum ?? 0) + row.value;
	}
	return sum;
}

/** Who a producer is: the same process over time. */
export function producerKey({ program, source, pid }) {
	return `${pid} ${source} ${program}`;
}

function droppedBy({ dropped }) {
	return Object.values(dropped ?? {}).reduce((sum, count) => sum + count, 0);
}

/** What of a look is kept: the counters that rates are made of. */
function sample(look) {
	const of = { at_ms: look.at_ms, epoch: look.status?.epoch ?? null };
	of.events = stat(look, "events_drained_total") ?? 0;
	of.persisted = stat(look, "events_persisted_total") ?? 0;
	of.dropped = stat(look, "events_dropped_total") ?? 0;
	of.late = stat(look, "events_late_total") ?? 0;
	of.bytes = stat(look, "log_bytes_total") ?? 0;
	of.syncs = stat(look, "log_syncs_total") ?? 0;
	of.cpu = stat(look, "cpu_seconds_total") ?? 0;
	of.published = stat(look, "redis_published_total") ?? 0;
	of.lanes = (look.status?.lanes ?? []).map((_lane, index) =>
		stat(look, "events_drained_total", String(index)),
	);
	of.producers = Object.fromEntries(
		(look.producers ?? []).map((one) => [
			producerKey(one),
			{ emitted: one.emitted, dropped: droppedBy(one) },
		]),
	);
	return of;
}

/** The history with one more look; another engine's counters begin it anew. */
export function remember(history, look) {
	const next = sample(look);
	const last = history.at(-1);
	if (last && next.at_ms <= last.at_ms) return history;
	const same = last && last.epoch === next.epoch && next.persisted >= last.persisted;
	return [...(same ? history : []), next].slice(-KEPT);
}

function rate(before, after, read) {
	const [from, to] = [read(before), read(after)];
	const seconds = (after.at_ms - before.at_ms) / 1000;
	if (typeof from !== "number" || typeof to !== "number" || seconds <= 0) return null;
	return Math.max(0, to - from) / seconds;
}

/** Per second, over the last few; null before two looks. read: (sample) => counter. */
export function rateNow(history, read) {
	const last = history.at(-1);
	if (!last) return null;
	const before = history.find(({ at_ms }) => last.at_ms - at_ms <= OVER_MS);
	return before && before !== last ? rate(before, last, read) : null;
}

/** A rate for each pair of neighbours, for a small picture. */
export function rates(history, read) {
	return history.slice(1).map((after, index) => rate(history[index], after, read));
}

/** What a counter has grown by since the history began. */
export function grown(history, read) {
	if (history.length < 2) return 0;
	const [from, to] = [read(history[0]), read(history.at(-1))];
	return typeof from === "number" && typeof to === "number" ? Math.max(0, to - from) : 0;
}

/** How full a producer's rings are, 0 to 1; null where their size is not told. */
export function ringFill({ in_ring, capacity }) {
	return capacity > 0 ? Math.min(1, in_ring / capacity) : null;
}
