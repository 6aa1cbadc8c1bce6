// chart_plot: one metric's chart as a uPlot: what its series, axes and gestures are. The library is
// loaded when the first chart is shown, and only then.

import { zoneOffset } from "../base/zone.js";
import { chartRange, numberTicks, timeTicks } from "./chart_axis.js";
import { drawAbove, drawBelow } from "./chart_marks.js";

const MINUTE_MS = 60000;

let loading;

async function load() {
	const module = await import("../vendor/uplot.js");
	return module.default;
}

/** uPlot itself; a promise, the same for all. */
export function loadPlot() {
	loading ??= load().catch(() => {
		loading = undefined;
		throw new Error("The chart could not be loaded. Load the page again.");
	});
	return loading;
}

export const COMPARED = [
	{ key: "week", text: "Last week", dash: [] },
	{ key: "year", text: "Last year", dash: [7, 4] },
];

export function comparedOf(chart) {
	return COMPARED.filter(({ key }) => chart.compare?.[key]?.some((value) => value != null));
}

// Columns in the order of seriesOf().
export function columnsOf(chart) {
	const none = () => new Array(chart.time_ms.length).fill(null);
	const column = (list) => (list?.length === chart.time_ms.length ? list : none());
	return [
		chart.time_ms,
		column(chart.upper),
		column(chart.lower),
		...comparedOf(chart).map(({ key }) => column(chart.compare[key])),
		column(chart.expected),
		column(chart.value),
	];
}

function seriesOf(chart, theme, fine) {
	const hidden = { stroke: "transparent", width: 0, points: { show: false } };
	const line = { points: { show: false }, spanGaps: false };
	return [
		{},
		hidden,
		hidden,
		...comparedOf(chart).map(({ dash }) => ({ ...line, stroke: theme.compare, width: 1, dash })),
		{ ...line, stroke: theme.expected, width: fine ? 1 : 1.75, dash: [2, 4], cap: "round" },
		{ ...line, stroke: theme.observed, width: fine ? 1.25 : 1.75, points: { show: lonely } },
	];
}

// A point is drawn as such only where it has no neighbours to be joined with.
function lonely(plot, series) {
	const values = plot.data[series];
	const filter = [];
	for (let i = 0; i < values.length; i++)
		if (values[i] != null && values[i - 1] == null && values[i + 1] == null) filter.push(i);
	return filter.length > 0 && filter.length < 200;
}

function axesOf(theme, unit) {
	const font = `12px ${theme.sans}`;
	const shared = { font, stroke: theme.quiet, ticks: { show: false } };
	return [
		{
			...shared,
			size: 42,
			gap: 8,
			space: 84,
			grid: { show: false },
			border: { show: true, stroke: theme.line, width: 1 },
			values: (_plot, splits, _axis, _space, step) => timeTicks(splits, step),
		},
		{
			...shared,
			size: (plot, values) => widest(plot, values, font),
			gap: 8,
			space: 44,
			grid: { stroke: theme.line, width: 1 },
			values: (_plot, splits, _axis, _space, step) => numberTicks(splits, step, unit),
		},
	];
}

function widest(plot, values, font) {
	if (!values) return 40;
	plot.ctx.save();
	plot.ctx.font = font;
	const width = Math.max(...values.map((text) => plot.ctx.measureText(text).width));
	plot.ctx.restore();
	return Math.ceil(width) + 16;
}

// What the zone's clocks show, on a clock of here: uPlot reads its hours.
function zonedHere(time_ms) {
	const shown_ms = time_ms + zoneOffset(time_ms);
	return new Date(shown_ms + new Date(shown_ms).getTimezoneOffset() * MINUTE_MS);
}

// `look()`: the chart as it is now and what is marked on it, for the drawing hooks; `moved(index)`
// and `zoomed(from, to)`: what the pointer did; `reset()`: a double click.
export function plotOptions({ chart, theme, size, look, moved, zoomed, reset }) {
	return {
		...size,
		ms: 1,
		padding: [22, 20, 0, 0],
		tzDate: zonedHere,
		legend: { show: false },
		scales: {
			x: { time: true, range: () => [look().from_ms, look().to_ms] },
			y: { range: () => chartRange(look().chart, look().from_ms, look().to_ms) },
		},
		series: seriesOf(chart, theme, chart.time_ms.length > 500),
		bands: [{ series: [1, 2], fill: sheer(theme.band) }],
		axes: axesOf(theme, chart.unit),
		cursor: {
			drag: { x: true, y: false, setScale: false, dist: 6 },
			y: false,
			points: { size: 8, width: 2, one: false, fill: theme.paper, show: cursorPoint },
			bind: { dblclick: () => () => reset() },
		},
		hooks: {
			drawAxes: [(plot) => drawBelow(plot, look().chart, theme, look().selected)],
			draw: [(plot) => drawAbove(plot, look().chart, theme, look().marked)],
			setCursor: [(plot) => moved(plot.cursor.idx ?? null)],
			setSelect: [(plot) => selected(plot, zoomed)],
		},
	};
}

// So that an anomaly's ground shows through the band.
function sheer(colour) {
	return colour.replace(/^rgb\((.*)\)$/, "rgba($1, 0.6)");
}

// The cursor's points: none on the edges of the band.
function cursorPoint(plot, series) {
	if (series < 3) return false;
	const point = document.createElement("div");
	point.className = series === plot.series.length - 1 ? "chart-dot chart-dot-main" : "chart-dot";
	return point;
}

function selected(plot, zoomed) {
	const { left, width } = plot.select;
	if (width < 6) return;
	const from = plot.posToVal(left, "x");
	const to = plot.posToVal(left + width, "x");
	plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
	zoomed(Math.round(from), Math.round(to));
}
