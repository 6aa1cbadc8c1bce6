// chart_range: which span a chart shows. In the address as chart=6h or, zoomed, chart=FROM-TO (unix
// ms); without it, what fits the anomaly.

import { html } from "../base/ui.js";

const HOUR_MS = 3600000;
const DAY_MS = 24 * HOUR_MS;
const SPAN_MIN_MS = 5 * 60000;
const SPAN_MAX_MS = 5 * 366 * DAY_MS;

const INTERVALS_FIT = 120; // so many at least, to see what it differs from
const PERIODS_FIT = 24; // of a detector that looks at longer ones
const LASTED_FIT = 5;

// Around the anomaly, as wide as it takes to see it well: what is shown first.
export const FIT = "fit";

const RANGES = [
	{ key: "6h", text: "6 h", span_ms: 6 * HOUR_MS, says: "Six hours" },
	{ key: "1d", text: "1 d", span_ms: DAY_MS, says: "One day" },
	{ key: "7d", text: "7 d", span_ms: 7 * DAY_MS, says: "Seven days" },
	{ key: "30d", text: "30 d", span_ms: 30 * DAY_MS, says: "Thirty days" },
	{ key: "400d", text: "400 d", span_ms: 400 * DAY_MS, says: "400 days" },
];

/** "6h", or {from_ms, to_ms}, or null where the address has neither. */
export function readRange(text) {
	if (RANGES.some(({ key }) => key === text)) return text;
	const found = /^(\d{1,14})-(\d{1,14})$/.exec(text ?? "");
	if (!found) return null;
	const [from_ms, to_ms] = [Number(found[1]), Number(found[2])];
	return to_ms > from_ms ? bounded(from_ms, to_ms) : null;
}

function bounded(from_ms, to_ms) {
	const span = Math.min(SPAN_MAX_MS, Math.max(SPAN_MIN_MS, to_ms - from_ms));
	const middle = (from_ms + to_ms) / 2;
	const from = Math.max(0, Math.round(middle - span / 2));
	return { from_ms: from, to_ms: from + Math.round(span) };
}

/** For the address. */
export function writeZoom(from_ms, to_ms) {
	const zoom = bounded(from_ms, to_ms);
	return `${zoom.from_ms}-${zoom.to_ms}`;
}

// How wide it has to be for an anomaly to be neither a dot nor the whole picture.
function fittingSpan(row) {
	const lasted = (row.end_ms ?? row.through_ms) - row.start_ms;
	const intervals = row.interval_ms * INTERVALS_FIT;
	const periods = row.frequency_ms * PERIODS_FIT;
	return Math.min(SPAN_MAX_MS, Math.max(lasted * LASTED_FIT, intervals, periods));
}

/** From and until of a range around an anomaly: it lies right of the middle, with some of what came
 * after it, but nothing of a future that is not known (newest_ms, where it is). */
export function spanOf(range, row, newest_ms) {
	if (typeof range === "object") return range;
	const span_ms = RANGES.find(({ key }) => key === range)?.span_ms ?? fittingSpan(row);
	const end_ms = row.end_ms ?? row.through_ms;
	const after = Math.max(0, span_ms - (end_ms - row.start_ms)) * 0.3;
	let to_ms = end_ms + after;
	if (newest_ms !== null) to_ms = Math.min(to_ms, Math.max(newest_ms, end_ms));
	return { from_ms: Math.round(to_ms - span_ms), to_ms: Math.round(to_ms) };
}

export function RangeButtons({ range, from_ms, to_ms, onRange, onZoom }) {
	const span = to_ms - from_ms;
	const move = (part) => onZoom(from_ms + span * part, to_ms + span * part);
	const zoom = (part) => onZoom(from_ms + span * part, to_ms - span * part);
	return html`<div class="ranges">
		<div class="segmented" role="group" aria-label="Span of the chart">
			<button type="button" aria-pressed=${range === FIT} title="Around the anomaly"
				onClick=${() => onRange(null)}>Fit</button>
			${RANGES.map(
				({ key, text, says }) => html`<button key=${key} type="button"
					aria-pressed=${range === key} title=${says} onClick=${() => onRange(key)}>
					${text}
				</button>`,
			)}
		</div>
		<div class="segmented" role="group" aria-label="Move and zoom the chart">
			<button type="button" aria-label="Earlier" onClick=${() => move(-0.5)}>‹</button>
			<button type="button" aria-label="Zoom out" onClick=${() => zoom(-0.5)}>−</button>
			<button type="button" aria-label="Zoom in" onClick=${() => zoom(0.25)}>+</button>
			<button type="button" aria-label="Later" onClick=${() => move(0.5)}>›</button>
		</div>
	</div>`;
}
