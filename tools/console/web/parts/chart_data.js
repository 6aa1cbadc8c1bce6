// chart_data: fetches what a chart shows, and again when more has happened. While a new span is on
// its way the old one stays, so that nothing jumps.

import { get } from "../base/api.js";
import { useLive } from "../base/live.js";
import { useEffect, useRef, useState } from "../base/ui.js";
import { spanOf } from "./chart_range.js";

const POINTS_MAX = 900;
const POINTS_MIN = 240;
const AGAIN_MS = 5000; // not more often, however short the intervals are
const EMPTY_PART = 0.04; // of a span; more than that behind the newest value is not shown

function pointsFor() {
	return Math.min(POINTS_MAX, Math.max(POINTS_MIN, Math.round(window.innerWidth * 0.7)));
}

// The end of the last point that has a value, where much of the span lies behind it; else null.
function newestOf(chart, to_ms, from_ms) {
	const last = chart.value.findLastIndex((value) => value != null);
	if (last < 0) return null;
	const end = (chart.open?.time_ms ?? chart.time_ms[last]) + chart.step_ms;
	return to_ms - end > (to_ms - from_ms) * EMPTY_PART ? end : null;
}

// Where a range begins that reaches back behind all that is known: a little before that.
function beginningOf({ known_ms }, from_ms, to_ms) {
	if (typeof known_ms !== "number" || known_ms >= to_ms) return from_ms;
	return Math.max(from_ms, Math.round(known_ms - (to_ms - known_ms) * EMPTY_PART));
}

/** {chart, from_ms, to_ms, busy, problem} of a metric's slice, around an anomaly's row or zoomed. */
export function useChart({ row, slice, range, compare }) {
	const [newest, setNewest] = useState(null);
	const [state, setState] = useState({ chart: null, busy: true, problem: null });
	const [turn, setTurn] = useState(0);
	const last = useRef(0);
	const { from_ms, to_ms } = spanOf(range, row, newest);
	const { metric, source } = row;
	useEffect(() => {
		const abort = new AbortController();
		const query = {
			metric,
			slice,
			source,
			from_ms,
			to_ms,
			points: pointsFor(),
			compare,
			expected: 1,
		};
		setState((before) => ({ ...before, busy: true }));
		last.current = Date.now();
		get("chart", query, { signal: abort.signal }).then(
			(chart) => {
				const isNamed = typeof range === "string";
				const end = isNamed && newest === null ? newestOf(chart, to_ms, from_ms) : null;
				if (end !== null) setNewest(end);
				// Asked for anew, where that is another span: an anomaly may end behind all data.
				if (end !== null && spanOf(range, row, end).to_ms !== to_ms) return;
				const shown_ms = isNamed ? beginningOf(chart, from_ms, to_ms) : from_ms;
				setState({ chart, from_ms: shown_ms, to_ms, slice, busy: false, problem: null });
			},
			(error) => {
				if (error.name === "AbortError") return;
				setState((before) => ({ ...before, busy: false, problem: error.message }));
			},
		);
		return () => abort.abort();
	}, [metric, slice, source, from_ms, to_ms, compare, turn]);
	useLive("closed", (closed) => {
		if (closed?.source !== source || closed.through_ms < from_ms) return;
		if (typeof range === "object" && closed.through_ms > to_ms + AGAIN_MS) return;
		if (Date.now() - last.current < AGAIN_MS) return;
		if (newest !== null) setNewest(closed.through_ms);
		setTurn((count) => count + 1);
	});
	return { ...state, refresh: () => setTurn((count) => count + 1) };
}
