// impact: what an anomaly has cost or brought, exactly: its minutes' values less what was expected of
// them, as they are now. A row has the same of some seconds ago, or an estimate.

import { get } from "../base/api.js";
import { useLive } from "../base/live.js";
import { useEffect, useRef, useState } from "../base/ui.js";

const INTERVALS_MAX = 5000;
const AGAIN_MS = 5000; // not more often, however short the intervals are

/** {sum, through_ms} of a chart's columns from a time on; null: something of it is not known. */
function sumOf({ time_ms, value, expected, step_ms }, from_ms) {
	let sum = 0;
	let through_ms = null;
	for (const [i, at_ms] of time_ms.entries()) {
		if (at_ms < from_ms || value[i] === null) continue;
		if (expected[i] === null) return null;
		sum += value[i] - expected[i];
		through_ms = at_ms + step_ms;
	}
	return through_ms === null ? null : { sum, through_ms };
}

/** The same of an anomaly's row, so far; null: not known (yet), or nothing that adds up. */
export function useImpact(row) {
	const { id, metric, slice, source, start_ms, end_ms, interval_ms: step_ms } = row;
	const [found, setFound] = useState({ id, impact: null });
	const [turn, setTurn] = useState(0);
	const last = useRef(0);
	const until_ms = end_ms ?? row.source_through_ms;
	const can = row.impact !== null && until_ms - start_ms <= INTERVALS_MAX * step_ms;
	useEffect(() => {
		if (!can) return undefined;
		const abort = new AbortController();
		const query = { metric, slice, source, from_ms: start_ms, step_ms, expected: 1 };
		if (end_ms !== null) query.to_ms = end_ms;
		last.current = Date.now();
		get("chart", query, { signal: abort.signal }).then(
			(chart) =>
				setFound({ id, impact: chart.step_ms === step_ms ? sumOf(chart, start_ms) : null }),
			(error) => error.name !== "AbortError" && setFound({ id, impact: null }),
		);
		return () => abort.abort();
	}, [id, end_ms, can, turn]);
	useLive("closed", (closed) => {
		if (end_ms !== null || closed?.source !== source) return;
		if (Date.now() - last.current >= AGAIN_MS) setTurn((count) => count + 1);
	});
	return can && found.id === id ? found.impact : null;
}
