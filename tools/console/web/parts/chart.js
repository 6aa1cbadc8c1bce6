// chart: one metric over time as the hero of a page. What was observed, what was expected and its
// band, what it was a week and a year before, and what is marked on it. Pointer, touch, keyboard and
// screen reader all have the same: a cursor with its numbers, zoom, and the data as a table.

import { useStore } from "../base/store.js";
import { theme as chosenTheme } from "../base/theme.js";
import { html, useEffect, useMemo, useRef, useState } from "../base/ui.js";
import { markedPoints } from "./chart_marks.js";
import { columnsOf, comparedOf, loadPlot, plotOptions } from "./chart_plot.js";
import { Readout, spoken } from "./chart_readout.js";
import { ChartTable } from "./chart_table.js";
import { chartTheme } from "./chart_theme.js";

const HEIGHT_SHARE = 0.36; // of the width, between these
const HEIGHT_MIN = 240;
const HEIGHT_MAX = 420;

function sizeFor(width) {
	const height = Math.min(HEIGHT_MAX, Math.max(HEIGHT_MIN, width * HEIGHT_SHARE));
	return { width: Math.max(200, Math.floor(width)), height: Math.round(height) };
}

// The point that the readout speaks of while no cursor is on the chart: the most severe that is
// marked, else the last that has a value.
function restingPoint(chart, marked) {
	let best = null;
	for (const point of marked) if (best === null || point[1] > best[1]) best = point;
	if (best) return { index: best[0], term: "Most severe here" };
	const last = chart.value.findLastIndex((value) => value != null);
	return { index: last < 0 ? null : last, term: "Latest here" };
}

// A uPlot that lives as long as its element; made anew when the theme or the lines change.
function usePlot(element, view, key, hear) {
	const plot = useRef(null);
	const latest = useRef(null);
	const [problem, setProblem] = useState(null);
	latest.current = { ...view, ...hear };
	useEffect(() => {
		let over = false;
		loadPlot().then(
			(uPlot) => {
				if (!over) plot.current = makePlot(uPlot, element.current, latest);
			},
			(error) => setProblem(error.message),
		);
		const observer = new ResizeObserver(([entry]) => {
			if (plot.current) plot.current.setSize(sizeFor(entry.contentRect.width));
		});
		observer.observe(element.current);
		return () => {
			over = true;
			observer.disconnect();
			plot.current?.destroy();
			plot.current = null;
		};
	}, [key]);
	useEffect(() => {
		plot.current?.setData(columnsOf(view.chart));
	}, [view.chart, view.from_ms, view.to_ms, view.selected]);
	return [plot, problem];
}

function makePlot(uPlot, element, latest) {
	const { chart } = latest.current;
	const options = plotOptions({
		uPlot,
		chart,
		theme: chartTheme(),
		size: sizeFor(element.clientWidth),
		look: () => latest.current,
		moved: (index) => latest.current.moved(index),
		zoomed: (from, to) => latest.current.zoomed(from, to),
		reset: () => latest.current.reset(),
	});
	return new uPlot(options, columnsOf(latest.current.chart), element);
}

// Keys on the chart: the cursor goes to another point, or the span becomes another.
function useChartKeys({ chart, at, go, from_ms, to_ms, zoomed, reset }) {
	const last = chart.time_ms.length - 1;
	const zoom = (factor) => {
		const middle = at === null ? (from_ms + to_ms) / 2 : chart.time_ms[at];
		const half = ((to_ms - from_ms) * factor) / 2;
		zoomed(Math.round(middle - half), Math.round(middle + half));
	};
	return (event) => {
		if (event.ctrlKey || event.metaKey || event.altKey) return;
		const far = event.shiftKey ? 10 : 1;
		const from = at ?? last;
		const does = {
			ArrowLeft: () => go(Math.max(0, from - far)),
			ArrowRight: () => go(Math.min(last, from + far)),
			Home: () => go(0),
			End: () => go(last),
			"+": () => zoom(0.5),
			"=": () => zoom(0.5),
			"-": () => zoom(2),
			0: reset,
			Escape: () => go(null),
		}[event.key];
		if (!does) return;
		event.preventDefault();
		event.stopPropagation();
		does();
	};
}

/** chart: the API's answer; from_ms, to_ms: what is in sight; selected: the anomaly that the page is
 * about; compare: which earlier times are shown; onZoom(from, to), onReset(), onCompare(list). */
export function Chart({ chart, label, from_ms, to_ms, selected, compare, ...on }) {
	const element = useRef(null);
	const [cursor, setCursor] = useState(null);
	const [said, setSaid] = useState("");
	const { shown } = useStore(chosenTheme);
	const visible = useMemo(() => withCompared(chart, compare), [chart, compare.join()]);
	const marked = useMemo(() => markedPoints(chart), [chart]);
	const lines = comparedOf(visible).map(({ key }) => key);
	const view = { chart: visible, from_ms, to_ms, selected, marked };
	const hear = { moved: setCursor, zoomed: on.onZoom, reset: on.onReset };
	const key = [shown, chart.unit, chart.time_ms.length > 500, ...lines].join();
	const [plot, problem] = usePlot(element, view, key, hear);
	useEffect(() => setCursor(null), [chart]);
	const go = (index) => {
		if (!plot.current) return;
		const left = index === null ? -10 : plot.current.valToPos(chart.time_ms[index], "x");
		plot.current.setCursor({ left, top: index === null ? -10 : 10 });
		setCursor(index);
		setSaid(index === null ? "" : spoken(chart, index));
	};
	const keyed = useChartKeys({ chart, at: cursor, go, from_ms, to_ms, ...hear });
	const point =
		cursor === null ? restingPoint(chart, marked) : { index: cursor, term: "At the cursor" };
	return html`
		<div class="chart">
			<${Readout} chart=${chart} index=${point.index} term=${point.term}
				live=${cursor !== null} compare=${compare} onCompare=${on.onCompare} />
			${problem && html`<p class="chart-problem" role="alert">${problem}</p>`}
			<div class="chart-plot" ref=${element} role="figure" tabindex="0" aria-label=${label}
				aria-describedby="chart-help" onKeyDown=${keyed}></div>
			<p class="hidden" id="chart-help">
				Left and right arrow keys move through the points, with Shift by ten. Plus and minus
				zoom, 0 goes back. The data is in the table below.
			</p>
			<p class="hidden" aria-live="polite">${said}</p>
			<${ChartTable} chart=${chart} marked=${marked} label=${label} />
		</div>
	`;
}

// The chart with only the earlier times that are wanted.
function withCompared(chart, compare) {
	const shown = Object.entries(chart.compare ?? {}).filter(([key]) => compare.includes(key));
	return { ...chart, compare: Object.fromEntries(shown) };
}
