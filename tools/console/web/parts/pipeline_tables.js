// pipeline_tables: producers, lanes, sources and detectors, one row each.

import { duration, exact, figure, moment } from "../base/format.js";
import { html, useState } from "../base/ui.js";
import { FillBar } from "./fill_bar.js";
import { producerKey, rateNow, rates, ringFill } from "./pipeline_numbers.js";
import { bytes, perSecond } from "./pipeline_stages.js";
import { RateSpark } from "./rate_spark.js";
import { Name } from "./text.js";

const ROWS_MAX = 200;
const DETECTORS_FIRST = 8;

const REASONS = {
	full: "ring full",
	timeout: "waited too long",
	no_ring: "no ring left",
	reentrant: "within a signal",
	invalid: "no number",
};

/** columns: [{head, cell(row), number}]; rows beyond a bound are counted. */
function Table({ caption, columns, rows, keyOf, empty }) {
	if (rows.length === 0) return html`<p class="quiet">${empty}</p>`;
	return html`<div class="table-box" tabindex="0" role="region" aria-label=${caption}>
		<table class="table">
			<caption class="hidden">${caption}</caption>
			<thead>
				<tr>
					${columns.map(
						({ head, number }) =>
							html`<th key=${head} scope="col" class=${number ? "is-number" : null}>${head}</th>`,
					)}
				</tr>
			</thead>
			<tbody>
				${rows.slice(0, ROWS_MAX).map(
					(row, index) => html`<tr key=${keyOf(row, index)}>
						${columns.map(
							({ head, cell, number }) => html`<td key=${head} data-head=${head}
								class=${number ? "is-number figures" : null}>${cell(row, index)}</td>`,
						)}
					</tr>`,
				)}
			</tbody>
		</table>
		${rows.length > ROWS_MAX && html`<p class="small">and ${exact(rows.length - ROWS_MAX)} more: weirctl top</p>`}
	</div>`;
}

function stateOf({ connected, quarantined }) {
	if (quarantined) return html`<span class="state-word is-bad">in quarantine</span>`;
	return connected ? "attached" : html`<span class="state-word is-idle">gone, being drained</span>`;
}

function Dropped({ dropped }) {
	const reasons = Object.entries(dropped ?? {}).filter(([, count]) => count > 0);
	if (reasons.length === 0) return "none";
	return html`<span class="drops">
		${reasons.map(
			([reason, count]) =>
				html`<span key=${reason} class="dropped">${figure(count)} ${REASONS[reason] ?? reason}</span>`,
		)}
	</span>`;
}

export function Producers({ producers, history }) {
	const rateOf = (row) => (sample) => sample.producers[producerKey(row)]?.emitted ?? null;
	const columns = [
		{
			head: "Program",
			cell: (row) => html`<b class="clip"><${Name} text=${row.program} most=${64} /></b>
				<span class="quiet"> ${row.pid > 0 ? row.pid : ""}</span>`,
		},
		{ head: "Source", cell: ({ source }) => html`<${Name} text=${source} most=${40} />` },
		{ head: "State", cell: stateOf },
		{ head: "Events", number: true, cell: (row) => perSecond(rateNow(history, rateOf(row))) },
		{
			head: "Last two minutes",
			cell: (row) => html`<${RateSpark} values=${rates(history, rateOf(row))} />`,
		},
		{
			head: "Fullest ring",
			cell: (row) =>
				html`<${FillBar} part=${row.fullest ?? ringFill(row)} label=${`Rings of ${row.program.slice(0, 64)}`} />`,
		},
		{ head: "Dropped", cell: ({ dropped }) => html`<${Dropped} dropped=${dropped} />` },
		{ head: "Series", number: true, cell: ({ series }) => exact(series) },
		{ head: "Emitted", number: true, cell: ({ emitted }) => figure(emitted) },
	];
	return html`<${Table} caption="Producers" columns=${columns} rows=${producers ?? []}
		keyOf=${(row, index) => `${producerKey(row)} ${index}`}
		empty="No producer is attached. A program that links libweir appears here by itself." />`;
}

export function Lanes({ status, history }) {
	const columns = [
		{ head: "Lane", cell: (_lane, index) => index },
		{ head: "Rings", number: true, cell: ({ rings }) => exact(rings) },
		{
			head: "Events",
			number: true,
			cell: (_lane, index) => perSecond(rateNow(history, ({ lanes }) => lanes[index])),
		},
		{ head: "In rings", number: true, cell: ({ in_ring }) => figure(in_ring) },
		{ head: "Late", number: true, cell: ({ late }) => figure(late) },
		{ head: "Too far ahead", number: true, cell: ({ future }) => figure(future) },
		{ head: "Written", number: true, cell: (lane) => bytes(lane.bytes) },
		{ head: "Unsynced", number: true, cell: (lane) => bytes(lane.unsynced) },
		{ head: "Waited for the disk", number: true, cell: ({ stalled }) => `${exact(stalled)}×` },
		{ head: "Errors", number: true, cell: (lane) => exact(lane.write_errors + lane.sync_errors) },
	];
	return html`<${Table} caption="Lanes" columns=${columns} rows=${status.lanes ?? []}
		keyOf=${(_lane, index) => index} empty="No lane." />`;
}

export function Sources({ status }) {
	const behind = ({ clock_ms, closed_through_ms }) =>
		closed_through_ms === null ? "–" : duration(clock_ms - closed_through_ms);
	const columns = [
		{ head: "Source", cell: ({ name }) => html`<b><${Name} text=${name} most=${40} /></b>` },
		{
			head: "Clock",
			cell: ({ clock }) => (clock === "event" ? "of its events" : "of this machine"),
		},
		{ head: "Shows", cell: ({ clock_ms }) => moment(clock_ms - (clock_ms % 1000)) },
		{
			head: "Closed to",
			cell: ({ closed_through_ms }) =>
				closed_through_ms === null ? "nothing yet" : moment(closed_through_ms),
		},
		{ head: "Behind", number: true, cell: behind },
	];
	return html`<${Table} caption="Sources" columns=${columns} rows=${status.sources ?? []}
		keyOf=${({ name }) => name} empty="No source." />`;
}

function Learned({ detector }) {
	const { learned, learn, name } = detector;
	if (!(learn > 0) || learned >= learn) return "done";
	return html`<${FillBar} part=${learned / learn} near=${2} label=${`${name.slice(0, 80)} has learned`} />`;
}

// What wants attention first: those that fire, then those that learn.
function byAttention(a, b) {
	const left = (one) => Math.max(0, one.learn - one.learned);
	return b.firing - a.firing || left(b) - left(a) || a.name.localeCompare(b.name);
}

export function Detectors({ detectors, interval_ms }) {
	const [all, setAll] = useState(false);
	const sorted = [...(detectors ?? [])].sort(byAttention);
	const few = sorted.length > DETECTORS_FIRST + 2 && !all;
	const columns = [
		{
			head: "Detector",
			cell: ({ name }) => html`<b class="clip"><${Name} text=${name} most=${64} /></b>`,
		},
		{
			head: "Source",
			cell: ({ source }) => (source ? html`<${Name} text=${source} most=${40} />` : "none yet"),
		},
		{ head: "Kind", cell: ({ kind }) => kind },
		{ head: "Learned", cell: (detector) => html`<${Learned} detector=${detector} />` },
		{
			head: "Left to learn",
			number: true,
			cell: ({ learned, learn }) =>
				learned >= learn ? "–" : duration((learn - learned) * interval_ms),
		},
		{ head: "Slices", number: true, cell: ({ slices }) => exact(slices) },
		{ head: "Firing", number: true, cell: ({ firing }) => exact(firing) },
		{ head: "Memory", number: true, cell: ({ state_bytes }) => bytes(state_bytes) },
	];
	return html`<${Table} caption="Detectors" columns=${columns} 
			rows=${few ? sorted.slice(0, DETECTORS_FIRST) : sorted}
			keyOf=${({ name, source }) => `${name} ${source}`} empty="No detector is configured." />
		${
			few &&
			html`<p class="table-more">
				<button type="button" class="link-button" onClick=${() => setAll(true)}>
					Show all ${exact(sorted.length)}
				</button>
			</p>`
		}`;
}
