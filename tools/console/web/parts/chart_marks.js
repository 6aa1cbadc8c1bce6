// chart_marks: what is drawn on a chart beside its lines: anomalies as spans and as shapes on the
// line, the calendar's and the operators' spans with their names, and hatching where the data is not
// complete. Called by uPlot while it draws; positions are in canvas pixels.

import { bandOf } from "../base/severity.js";
import { shapePath } from "./chart_theme.js";

const LABEL_CHARS_MAX = 40;
const BRIEF_POINTS = 3;
const FIRST_MARKED = 25; // from here on a point within an anomaly is marked: minor and worse

const ratio = () => window.devicePixelRatio || 1;
const bandName = (severity) => bandOf(severity)?.name ?? "warning";

// From and to in canvas pixels, at least a hair wide; null where it is out of sight.
function extent(plot, fromMs, untilMs) {
	const { min, max } = plot.scales.x;
	if (untilMs <= min || fromMs >= max) return null;
	const left = plot.valToPos(Math.max(fromMs, min), "x", true);
	const right = plot.valToPos(Math.min(untilMs, max), "x", true);
	return [left, Math.max(right, left + ratio())];
}

function hatch(context, colour) {
	const size = Math.round(8 * ratio());
	const tile = new OffscreenCanvas(size, size);
	const draw = tile.getContext("2d");
	draw.strokeStyle = colour;
	draw.lineWidth = ratio();
	for (const shift of [-size, 0, size]) {
		draw.moveTo(shift, size);
		draw.lineTo(shift + size, 0);
	}
	draw.stroke();
	return context.createPattern(tile, "repeat");
}

// Below the lines: spans and hatching.
export function drawBelow(plot, chart, theme, selected) {
	const { ctx, bbox } = plot;
	ctx.save();
	drawUnknown(plot, chart, theme);
	for (const entry of chart.calendar ?? [])
		fillSpan(plot, entry.from_ms, entry.until_ms, theme.tint, 0.5);
	for (const anomaly of chart.anomalies ?? []) {
		const until = anomaly.end_ms ?? plot.scales.x.max;
		fillSpan(plot, anomaly.start_ms, until, theme[`${bandName(anomaly.peak)}Tint`]);
		edgeSpan(plot, anomaly.start_ms, until, theme[bandName(anomaly.peak)], anomaly.id === selected);
	}
	if (chart.incomplete?.length) {
		ctx.fillStyle = hatch(ctx, theme.edge);
		for (const [from, until] of runs(chart.incomplete)) {
			const at = extent(plot, chart.time_ms[from], chart.time_ms[until] + chart.step_ms);
			if (at) ctx.fillRect(at[0], bbox.top, at[1] - at[0], bbox.height);
		}
	}
	ctx.restore();
}

// Before the first event there is nothing to be compared with: said, so that nobody looks for it.
function drawUnknown(plot, { known_ms }, theme) {
	const { ctx, bbox } = plot;
	if (typeof known_ms !== "number" || known_ms <= plot.scales.x.min) return;
	const at = extent(plot, plot.scales.x.min, known_ms);
	if (!at) return;
	ctx.fillStyle = theme.sunken;
	ctx.fillRect(at[0], bbox.top, at[1] - at[0], bbox.height);
	const text = "nothing is known of before";
	ctx.font = `${12 * ratio()}px ${theme.sans}`;
	ctx.textAlign = "center";
	ctx.fillStyle = theme.quiet;
	if (ctx.measureText(text).width < at[1] - at[0] - 20 * ratio())
		ctx.fillText(text, (at[0] + at[1]) / 2, bbox.top + bbox.height / 2);
}

function fillSpan(plot, fromMs, untilMs, colour, alpha = 0.75) {
	const at = extent(plot, fromMs, untilMs);
	if (!at) return;
	plot.ctx.globalAlpha = alpha;
	plot.ctx.fillStyle = colour;
	plot.ctx.fillRect(at[0], plot.bbox.top, at[1] - at[0], plot.bbox.height);
	plot.ctx.globalAlpha = 1;
}

// A bar along the foot of the span; the anomaly that the page is about has a thick one.
function edgeSpan(plot, fromMs, untilMs, colour, thick) {
	const at = extent(plot, fromMs, untilMs);
	if (!at) return;
	const height = (thick ? 4 : 2) * ratio();
	plot.ctx.fillStyle = colour;
	plot.ctx.fillRect(at[0], plot.bbox.top + plot.bbox.height - height, at[1] - at[0], height);
}

// [first, last] of neighbours in an ascending list of numbers.
function runs(indices) {
	const list = [];
	for (const index of indices) {
		const last = list.at(-1);
		if (last && last[1] + 1 === index) last[1] = index;
		else list.push([index, index]);
	}
	return list;
}

// The points to mark: [index, severity]. An anomaly of less than a few points may not show in the
// sums that they are: there the one that has most of it is marked, with its peak.
export function markedPoints(chart) {
	const marked = new Map();
	const mark = (index, severity) => marked.set(index, Math.max(severity, marked.get(index) ?? 0));
	for (const { start_ms, end_ms, peak } of chart.anomalies ?? []) {
		const until_ms = end_ms ?? Number.POSITIVE_INFINITY;
		const within = pointsWithin(chart, start_ms, until_ms);
		if (until_ms - start_ms < BRIEF_POINTS * chart.step_ms) {
			const most = within.sort((a, b) => b.overlap - a.overlap)[0];
			if (most) mark(most.index, peak);
			continue;
		}
		for (const { index } of within) {
			const severity = chart.severity?.[index] ?? 0;
			if (severity >= FIRST_MARKED) mark(index, severity);
		}
	}
	return [...marked].sort((a, b) => a[0] - b[0]);
}

// Those that have a value, with how much of each lies between two times.
function pointsWithin({ time_ms, value, step_ms }, from_ms, until_ms) {
	const found = [];
	for (let index = 0; index < time_ms.length; index++) {
		const time = time_ms[index];
		const overlap = Math.min(until_ms, time + step_ms) - Math.max(from_ms, time);
		if (overlap > 0 && value[index] != null) found.push({ index, overlap });
	}
	return found;
}

// Above the lines: the shapes, then the names of spans.
export function drawAbove(plot, chart, theme, marked) {
	const { ctx } = plot;
	const apart = plot.bbox.width / Math.max(1, chart.time_ms.length);
	const radius = Math.min(5, Math.max(3.5, apart * 0.8)) * ratio();
	ctx.save();
	ctx.lineWidth = 1.5 * ratio();
	for (const [index, severity] of marked) {
		const time = chart.time_ms[index];
		if (time < plot.scales.x.min || time > plot.scales.x.max) continue;
		const x = plot.valToPos(time, "x", true);
		const y = plot.valToPos(chart.value[index], "y", true);
		const path = shapePath(bandName(severity), x, y, radius);
		const ring = bandName(severity) === "warning";
		ctx.fillStyle = ring ? theme.paper : theme[bandName(severity)];
		ctx.strokeStyle = ring ? theme.warning : theme.paper;
		ctx.stroke(path);
		ctx.fill(path);
	}
	ctx.restore();
	drawOpen(plot, chart, theme);
	drawNames(plot, chart, theme);
}

// The step that goes on: a hollow point for what there is so far, dotted from the last whole one, and
// a dash at what is expected of all of it. It may lie far below the others: then on the edge.
function drawOpen(plot, { open, step_ms, time_ms, value }, theme) {
	const last = value.findLastIndex((each) => each != null);
	if (open?.value == null || last < 0 || !extent(plot, open.time_ms, open.time_ms + 1)) return;
	const { ctx, bbox } = plot;
	const x = (time) => plot.valToPos(time, "x", true);
	const y = (each) =>
		Math.min(bbox.top + bbox.height, Math.max(bbox.top, plot.valToPos(each, "y", true)));
	const until = Math.min(x(open.time_ms + step_ms), bbox.left + bbox.width);
	ctx.save();
	ctx.lineWidth = 1.5 * ratio();
	if (open.expected != null) {
		ctx.strokeStyle = theme.expected;
		ctx.stroke(new Path2D(`M${x(open.time_ms)} ${y(open.expected)}H${until}`));
	}
	ctx.strokeStyle = theme.observed;
	ctx.setLineDash([2 * ratio(), 3 * ratio()]);
	const line = `M${x(time_ms[last])} ${y(value[last])}L${x(open.time_ms)} ${y(open.value)}`;
	if (time_ms[last] >= plot.scales.x.min) ctx.stroke(new Path2D(line));
	ctx.setLineDash([]);
	ctx.fillStyle = theme.paper;
	const ring = new Path2D();
	ring.arc(x(open.time_ms), y(open.value), 3.5 * ratio(), 0, 2 * Math.PI);
	ctx.fill(ring);
	ctx.stroke(ring);
	ctx.restore();
}

// What is written above the plot: never two names over each other; the table has them all.
export function spanNames(chart) {
	const names = [
		...(chart.calendar ?? []).map((c) => ({ ...c, text: c.name, kind: "calendar" })),
		...(chart.notes ?? []).map((n) => ({ ...n, kind: "note" })),
	];
	return names.sort((a, b) => a.from_ms - b.from_ms);
}

function drawNames(plot, chart, theme) {
	const { ctx, bbox } = plot;
	const scale = ratio();
	let free = bbox.left;
	ctx.save();
	ctx.font = `${11.5 * scale}px ${theme.sans}`;
	ctx.textBaseline = "middle";
	ctx.textAlign = "left";
	for (const span of spanNames(chart)) {
		const at = extent(plot, span.from_ms, Math.max(span.until_ms, span.from_ms + 1));
		if (!at) continue;
		const top = bbox.top - 18 * scale;
		ctx.fillStyle = span.kind === "note" ? theme.accent : theme.edge;
		ctx.fillRect(at[0], bbox.top - 3 * scale, Math.max(at[1] - at[0], 3 * scale), 3 * scale);
		if (span.kind === "note") {
			ctx.fillRect(at[0], top, 1.5 * scale, bbox.top + bbox.height - top);
		}
		const room = bbox.left + bbox.width - at[0] - 6 * scale;
		if (at[0] + 2 * scale < free || room < 30 * scale) continue;
		const text = clipped(ctx, span.text, Math.min(room, 260 * scale));
		ctx.fillStyle = theme.ink;
		ctx.fillText(text, at[0] + 5 * scale, top + 7 * scale);
		free = at[0] + 5 * scale + ctx.measureText(text).width + 10 * scale;
	}
	ctx.restore();
}

// As much of a text as there is room for. It may be anything: isolated, so that one that runs from
// right to left turns nothing else around, and cut before it is measured.
function clipped(context, text, room) {
	const points = [...String(text ?? "").slice(0, 4 * LABEL_CHARS_MAX)].slice(0, LABEL_CHARS_MAX);
	let count = points.length;
	const shown = () =>
		`\u2068${points.slice(0, count).join("").replace(/\s+/g, " ")}${count < String(text).length ? "…" : ""}\u2069`;
	while (count > 1 && context.measureText(shown()).width > room) count -= Math.ceil(count / 8);
	return shown();
}
