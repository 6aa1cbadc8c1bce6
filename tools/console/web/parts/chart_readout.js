// chart_readout: the numbers of one point of a chart, beside what each line looks like. It is the
// legend too, so that the eye has one place to go to.

import { change, clock, duration, exact, moment, signed } from "../base/format.js";
import { bandOf, severityText } from "../base/severity.js";
import { html } from "../base/ui.js";
import { spanNames } from "./chart_marks.js";
import { COMPARED } from "./chart_plot.js";

const NAMES_SHOWN = 2;
const NAME_CHARS = 60;

function at(list, index) {
	return list?.[index] ?? null;
}

// Everything that can be said of one point.
function pointOf(chart, index) {
	const value = at(chart.value, index);
	const expected = at(chart.expected, index);
	const known = value !== null && expected !== null;
	const time = chart.time_ms[index];
	const until = time + chart.step_ms;
	return {
		time,
		value,
		expected,
		lower: at(chart.lower, index),
		upper: at(chart.upper, index),
		difference: known ? value - expected : null,
		change: known && expected !== 0 ? value / expected - 1 : null,
		severity: at(chart.severity, index),
		incomplete: chart.incomplete?.includes(index) ?? false,
		names: spanNames(chart)
			.filter(({ from_ms, until_ms }) => from_ms < until && Math.max(until_ms, from_ms + 1) > time)
			.map(({ text }) => String(text).slice(0, NAME_CHARS)),
	};
}

function differenceText({ difference, change: part }, unit) {
	if (difference === null) return "–";
	return part === null ? signed(difference, unit) : `${signed(difference, unit)} (${change(part)})`;
}

/** The point for a screen reader: said while the cursor moves by keys. */
export function spoken(chart, index) {
	const point = pointOf(chart, index);
	const parts = [moment(point.time)];
	parts.push(point.value === null ? "no data" : `observed ${exact(point.value, chart.unit)}`);
	if (point.expected !== null) parts.push(`expected ${exact(point.expected, chart.unit)}`);
	if (point.difference !== null) parts.push(`difference ${differenceText(point, chart.unit)}`);
	const band = bandOf(point.severity ?? 0);
	if (band) parts.push(`severity ${severityText(point.severity)}, ${band.word.toLowerCase()}`);
	if (point.incomplete) parts.push("incomplete");
	return parts.concat(point.names).join(", ");
}

// A sample of a line or an area as the chart draws it.
function Sample({ kind }) {
	return html`<svg class=${`sample sample-${kind}`} viewBox="0 0 22 10" aria-hidden="true">
		${kind === "band" ? html`<rect width="22" height="10" rx="2" />` : html`<path d="M1 5h20" />`}
	</svg>`;
}

function Entry({ kind, term, children }) {
	return html`<div class="readout-entry">
		<dt>${kind && html`<${Sample} kind=${kind} />`}${term}</dt>
		<dd class="figures">${children}</dd>
	</div>`;
}

// A line of an earlier time: a button, because it can be left out.
function Compared({ chart, line, index, shown, onCompare }) {
	const values = chart.compare?.[line.key];
	if (!values?.some((value) => value != null)) return null;
	return html`<div class="readout-entry">
		<dt>
			<button type="button" class="readout-toggle" aria-pressed=${shown}
				onClick=${() => onCompare(line.key)}>
				<${Sample} kind=${line.key} />${line.text}
			</button>
		</dt>
		<dd class="figures">${shown ? exact(at(values, index), chart.unit) : "off"}</dd>
	</div>`;
}

/** The step that goes on: "12 so far, of 40 expected; 3 of 10 min over". */
function openWords({ open, unit, interval_ms }) {
	const expected = open.expected === null ? "" : `, of ${exact(open.expected, unit)} expected`;
	const over = duration(open.closed * interval_ms);
	return `${exact(open.value, unit)} so far${expected}; ${over} of ${duration(open.intervals * interval_ms)} are over`;
}

/** index: of the point; term: which one that is, in words; live: it is under the cursor. */
export function Readout({ chart, index, term, live, compare, onCompare }) {
	if (index === null) return html`<p class="readout quiet">No data in this span.</p>`;
	const { unit } = chart;
	const point = pointOf(chart, index);
	const band = bandOf(point.severity ?? 0);
	return html`<dl class=${live ? "readout readout-live" : "readout"}>
		<${Entry} term=${term}>${moment(point.time)}<//>
		<${Entry} kind="observed" term="Observed">${exact(point.value, unit)}<//>
		<${Entry} kind="expected" term="Expected">${exact(point.expected, unit)}<//>
		<${Entry} kind="band" term="Usual range">
			${point.lower === null ? "–" : `${exact(point.lower, unit)} – ${exact(point.upper, unit)}`}
		<//>
		<${Entry} term="Difference">${differenceText(point, unit)}<//>
		<${Entry} term="Severity">
			${band ? `${severityText(point.severity)} ${band.word.toLowerCase()}` : "none"}
		<//>
		${COMPARED.map(
			(line) => html`<${Compared} key=${line.key} chart=${chart} line=${line} index=${index}
				shown=${compare.includes(line.key)} onCompare=${onCompare} />`,
		)}
		${!live && chart.open && html`<${Entry} term=${`Going on since ${clock(chart.open.time_ms)}`}><span class="readout-long">${openWords(chart)}</span><//>`}
		${point.incomplete && html`<${Entry} term="Note">incomplete: events are missing<//>`}
		${
			point.names.length > 0 &&
			html`<${Entry} term="Marked">
			<bdi class="clip">${point.names.slice(0, NAMES_SHOWN).join("; ")}</bdi>
		<//>`
		}
	</dl>`;
}
