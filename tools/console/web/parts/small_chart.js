// small_chart: a series as a picture of a few centimetres: its line, what was expected, the band, and
// where it was anomalous. Small enough to have twenty of them; the numbers are in the words beside it.

import { isNumber, pathOf } from "../base/path.js";
import { html } from "../base/ui.js";
import { chartRange } from "./chart_axis.js";

const WIDTH = 240;
const HEIGHT = 64;
const PAD = 4;
const FLAT = 0.2; // small as it is, the line has most of the height

// Positions of a chart's columns in the picture.
function scales(chart) {
	const [low, high] = chartRange(chart, chart.time_ms[0], chart.time_ms.at(-1), FLAT);
	const last = Math.max(1, chart.time_ms.length - 1);
	return {
		x: (index) => (index / last) * WIDTH,
		y: (value) => HEIGHT - PAD - ((value - low) / (high - low)) * (HEIGHT - 2 * PAD),
	};
}

function band({ upper, lower }, { x, y }) {
	const there = [];
	const back = [];
	(upper ?? []).forEach((most, index) => {
		const least = lower?.[index];
		if (!isNumber(most) || !isNumber(least)) return;
		there.push(`${x(index).toFixed(1)} ${y(most).toFixed(1)}`);
		back.unshift(`${x(index).toFixed(1)} ${y(least).toFixed(1)}`);
	});
	return there.length > 1 ? `M${there.join("L")}L${back.join("L")}Z` : "";
}

// From where to where each anomaly is in the picture.
function spans(chart) {
	const from = chart.time_ms[0];
	const until = chart.time_ms.at(-1) + chart.step_ms;
	const at = (time) => ((Math.min(until, Math.max(from, time)) - from) / (until - from)) * WIDTH;
	return (chart.anomalies ?? []).map(({ id, start_ms, end_ms }) => {
		const left = at(start_ms);
		return { id, left, width: Math.max(1.5, at(end_ms ?? until) - left) };
	});
}

export function SmallChart({ chart, label }) {
	if (!chart.value.some(isNumber))
		return html`<p class="small-empty quiet">no data in this span</p>`;
	const scale = scales(chart);
	return html`<svg class="small-chart" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none"
		role="img" aria-label=${label}>
		${spans(chart).map(
			({ id, left, width }) => html`<rect key=${id} class="small-span" x=${left} y="0"
				width=${width} height=${HEIGHT} />`,
		)}
		<path class="small-band" d=${band(chart, scale)} />
		<path class="small-expected" d=${pathOf(chart.expected, scale.x, scale.y)} />
		<path class="small-value" d=${pathOf(chart.value, scale.x, scale.y)} />
	</svg>`;
}
