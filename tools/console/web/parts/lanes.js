// lanes: when it was, one row for each metric or dimension value. A cell's colour and pattern are
// its band's: the worse, the denser. A time is chosen by dragging, by a click, or with the keys; what
// is drawn stands in a table, too, that is read aloud only.

import { moment, span } from "../base/format.js";
import { bandOf, severityText } from "../base/severity.js";
import { ticks } from "../base/ticks.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../base/ui.js";
import { Glyph } from "./severity.js";
import { Name } from "./text.js";

const ROW = 24;
const CELL = 16;
const TICK_WIDTH = 88;
const FEW = 5;

function useWidth(element) {
	const [width, setWidth] = useState(0);
	useLayoutEffect(() => {
		const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
		setWidth(Math.floor(element.current.getBoundingClientRect().width));
		observer.observe(element.current);
		return () => observer.disconnect();
	}, []);
	return width;
}

// Solid, hatched, lined, dotted: from critical down.
function Patterns() {
	return html`
		<defs>
			<pattern id="lane-major" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
				<rect class="lane-ground is-major" width="5" height="5" />
				<rect class="lane-ink is-major" width="3" height="5" />
			</pattern>
			<pattern id="lane-minor" width="6" height="5" patternUnits="userSpaceOnUse">
				<rect class="lane-ground is-minor" width="6" height="5" />
				<rect class="lane-ink is-minor" width="6" height="1.8" />
			</pattern>
			<pattern id="lane-warning" width="5" height="5" patternUnits="userSpaceOnUse">
				<rect class="lane-ground is-warning" width="5" height="5" />
				<circle class="lane-ink is-warning" cx="2.5" cy="2.5" r="1.1" />
			</pattern>
		</defs>
	`;
}

// A row's cells, one shape for each band: hundreds of cells are few things to draw.
function Cells({ cells, row, width }) {
	const paths = {};
	const wide = Math.max(2, width - 1);
	const r = Math.min(2, wide / 2);
	const [over, down] = [(wide - 2 * r).toFixed(1), CELL - 2 * r];
	const top = row * ROW + (ROW - CELL) / 2;
	const corner = (x, y) => `a${r} ${r} 0 01${x} ${y}`;
	const round = `h${over}${corner(r, r)}v${down}${corner(-r, r)}h-${over}${corner(-r, -r)}v-${down}${corner(r, -r)}z`;
	for (const [index, peak] of cells) {
		const band = bandOf(peak)?.name ?? "warning";
		const start = `M${(index * width + 0.5 + r).toFixed(1)} ${top}`;
		paths[band] = (paths[band] ?? "") + start + round;
	}
	return Object.entries(paths).map(
		([band, path]) => html`<path
			key=${band}
			class=${`lane-cell is-${band}`}
			d=${path}
			fill=${band === "critical" ? null : `url(#lane-${band})`}
		/>`,
	);
}

function spanOfCells(reply, first, last) {
	const [a, b] = first <= last ? [first, last] : [last, first];
	return [reply.from_ms + a * reply.cell_ms, reply.from_ms + (b + 1) * reply.cell_ms];
}

function tell(reply, lanes, row, index) {
	const lane = lanes[row];
	const cell = lane?.cells.find(([at]) => at === index);
	const [from, until] = spanOfCells(reply, index, index);
	if (!cell) return { lane, when: span(from, until), cell: null };
	return { lane, when: span(from, until), cell: { peak: cell[1], count: cell[2] } };
}

function Readout({ told, choosing }) {
	if (!told)
		return html`<p class="lanes-readout">Drag across, or click a cell, to choose a time</p>`;
	const { lane, when, cell } = told;
	return html`
		<p class="lanes-readout">
			${choosing ? html`<strong>Choose ${choosing}</strong>` : html`<span>${when}</span>`}${" "}
			${lane && html`<span class="lanes-of"><${Name} text=${lane.title} most=${60} /></span>`}${" "}
			${
				cell
					? html`<span><${Glyph} severity=${cell.peak} size=${13} /> ${bandOf(cell.peak)?.word ?? "Low"} ${severityText(cell.peak)}, ${cell.count === 1 ? "one anomaly" : `${cell.count} anomalies`}</span>`
					: html`<span>nothing</span>`
			}
		</p>
	`;
}

function Table({ reply, lanes }) {
	return html`
		<div class="hidden"><table>
			<caption>Anomalies by time, worst first</caption>
			<thead><tr><th scope="col">Row</th><th scope="col">Worst</th><th scope="col">At</th><th scope="col">Spans with anomalies</th></tr></thead>
			<tbody>
				${lanes.map(({ name, title, cells }) => {
					const worst = cells.reduce((a, b) => (b[1] > a[1] ? b : a), cells[0]);
					const at = reply.from_ms + (worst?.[0] ?? 0) * reply.cell_ms;
					return html`
						<tr key=${name}>
							<th scope="row"><${Name} text=${title} /></th>
							<td>${worst ? `${bandOf(worst[1])?.word ?? "Low"} ${severityText(worst[1])}` : "none"}</td>
							<td>${worst ? moment(at) : ""}</td>
							<td>${cells.length}</td>
						</tr>
					`;
				})}
			</tbody>
		</table></div>
	`;
}

// Where the hand or the keys are: {row, index, from: where a choice began, or null}.
function useCursor(reply, lanes, onSpan) {
	const [cursor, setCursor] = useState(null);
	const cells = reply ? Math.max(1, Math.round((reply.to_ms - reply.from_ms) / reply.cell_ms)) : 1;
	const clamp = (value, most) => Math.min(most, Math.max(0, value));
	const choose = ({ index, from }) => {
		onSpan(...spanOfCells(reply, from ?? index, index));
		setCursor(null);
	};
	const move = (rows, columns, extend) => {
		const at = cursor ?? { row: 0, index: cells - 1, from: null };
		const index = clamp(at.index + columns, cells - 1);
		const row = clamp(at.row + rows, lanes.length - 1);
		setCursor({ row, index, from: extend ? (at.from ?? at.index) : null });
	};
	return { cursor, setCursor, cells, choose, move };
}

function keyOf(event, { cursor, setCursor, choose, move, cells }) {
	const far = event.ctrlKey ? 12 : 1;
	const moves = {
		ArrowLeft: [0, -far],
		ArrowRight: [0, far],
		ArrowUp: [-1, 0],
		ArrowDown: [1, 0],
		Home: [0, -cells],
		End: [0, cells],
	};
	if (moves[event.key]) move(...moves[event.key], event.shiftKey);
	else if ((event.key === "Enter" || event.key === " ") && cursor) choose(cursor);
	else if (event.key === "Escape" && cursor) setCursor(null);
	else return;
	event.preventDefault();
	event.stopPropagation();
}

function Plot({ reply, lanes, onSpan, onTold }) {
	const element = useRef(null);
	const width = useWidth(element);
	const hand = useCursor(reply, lanes, onSpan);
	const { cursor, setCursor, cells } = hand;
	const dragging = useRef(null);
	const cell = width / cells;
	const height = Math.max(1, lanes.length) * ROW;
	const first = cursor ? Math.min(cursor.index, cursor.from ?? cursor.index) : 0;
	const last = cursor ? Math.max(cursor.index, cursor.from ?? cursor.index) : 0;
	useEffect(() => {
		if (!cursor) return onTold(null, null);
		const far = cursor.from !== null && cursor.from !== cursor.index;
		onTold(
			tell(reply, lanes, cursor.row, cursor.index),
			far ? span(...spanOfCells(reply, first, last)) : null,
		);
	}, [cursor, reply]);
	const at = (event) => {
		const box = element.current.getBoundingClientRect();
		const index = Math.floor((event.clientX - box.left) / cell);
		const row = Math.floor((event.clientY - box.top) / ROW);
		return {
			index: Math.min(cells - 1, Math.max(0, index)),
			row: Math.min(lanes.length - 1, Math.max(0, row)),
		};
	};
	const onDown = (event) => {
		if (event.button !== 0) return;
		dragging.current = at(event).index;
		element.current.setPointerCapture(event.pointerId);
		setCursor({ ...at(event), from: dragging.current });
	};
	const onMove = (event) => setCursor({ ...at(event), from: dragging.current });
	const onUp = (event) => {
		if (dragging.current === null) return;
		const from = dragging.current;
		dragging.current = null;
		const { index, row } = at(event);
		const hit = lanes[row]?.cells.some(([place]) => place === index);
		if (index !== from || hit) hand.choose({ index, from });
		else setCursor(null);
	};
	const onLeave = () => dragging.current === null && setCursor(null);
	return html`
		<div
			class="lanes-plot"
			ref=${element}
			tabindex="0"
			role="application"
			aria-label="Anomalies by time. Arrow keys move, with Shift they choose a time, Enter shows only that time."
			onKeyDown=${(event) => keyOf(event, hand)}
			onBlur=${() => setCursor(null)}
			onPointerDown=${onDown}
			onPointerMove=${onMove}
			onPointerUp=${onUp}
			onPointerCancel=${onLeave}
			onPointerLeave=${onLeave}
		>
			<svg class="lanes-svg" width=${width} height=${height} aria-hidden="true">
				<${Patterns} />
				<path class="lane-line" d=${lanes.map((_, row) => `M0 ${row * ROW + ROW / 2}h${width}`).join("")} />
				${width > 0 && lanes.map((lane, row) => html`<${Cells} key=${lane.name} cells=${lane.cells} row=${row} width=${cell} />`)}
				${
					cursor &&
					html`
						<rect class="lane-span" x=${first * cell} y="0" width=${(last - first + 1) * cell} height=${height} />
						<rect class="lane-cursor" x=${cursor.index * cell} y=${cursor.row * ROW + 2} width=${cell} height=${ROW - 4} rx="3" />
					`
				}
			</svg>
		</div>
		<div class="lanes-axis" aria-hidden="true">
			${ticks(reply.from_ms, reply.to_ms, Math.max(2, Math.floor(width / TICK_WIDTH)))
				.map(({ time_ms, text }) => ({
					text,
					x: (time_ms - reply.from_ms) / (reply.to_ms - reply.from_ms),
				}))
				.filter(({ x }) => x < 1 - 76 / Math.max(76, width))
				.map(
					({ text, x }) =>
						html`<span key=${x} class="lanes-tick" style=${{ left: `${x * 100}%` }}>${text}</span>`,
				)}
		</div>
	`;
}

/** lanes: [{name, title, cells}]; onSpan(from_ms, to_ms), onLane(name). */
export function Lanes({ reply, lanes, onSpan, onLane }) {
	const [told, setTold] = useState(null);
	const [choosing, setChoosing] = useState(null);
	const [all, setAll] = useState(false);
	const shown = all ? lanes : lanes.slice(0, FEW);
	const onTold = (next, chosen) => {
		setTold(next);
		setChoosing(chosen);
	};
	return html`
		<div class="lanes">
			<ul class="lanes-names">
				${shown.map(
					({ name, title }) => html`
						<li key=${name}>
							<button type="button" class="lanes-name" onClick=${() => onLane(name)}>
								<${Name} text=${title} most=${60} />
							</button>
						</li>
					`,
				)}
			</ul>
			<div class="lanes-body">
				<${Plot} reply=${reply} lanes=${shown} onSpan=${onSpan} onTold=${onTold} />
			</div>
		</div>
		<div class="lanes-foot">
			<div aria-live="polite" class="lanes-live"><${Readout} told=${told} choosing=${choosing} /></div>
			${
				lanes.length > FEW &&
				html`<button type="button" class="link-button" aria-expanded=${all} onClick=${() => setAll(!all)}>${all ? "Fewer rows" : lanes.length === FEW + 1 ? "One more row" : `${lanes.length - FEW} more rows`}</button>`
			}
		</div>
		<${Table} reply=${reply} lanes=${lanes} />
	`;
}
