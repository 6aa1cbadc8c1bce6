// chart_table: a chart's data as a table. Screen readers have it always; anybody can have it shown.

import { change, exact, moment } from "../base/format.js";
import { bandOf, severityText } from "../base/severity.js";
import { html, useMemo, useState } from "../base/ui.js";
import { spanNames } from "./chart_marks.js";

const ROWS_MAX = 48;
const NAMES_MAX = 40;

// Points to list: those that are marked, and of the others as many as there is room for, evenly.
function listed(chart, marked) {
	const rows = new Map(marked.slice(0, ROWS_MAX).map(([index, severity]) => [index, severity]));
	const apart = Math.max(1, Math.ceil(chart.time_ms.length / Math.max(1, ROWS_MAX - rows.size)));
	for (let i = 0; i < chart.time_ms.length; i += apart) if (!rows.has(i)) rows.set(i, null);
	return [...rows].sort((a, b) => a[0] - b[0]);
}

function Row({ chart, index, severity }) {
	const value = chart.value[index];
	const expected = chart.expected?.[index];
	const band = bandOf(severity ?? 0);
	const part = value != null && expected ? change(value / expected - 1) : "–";
	return html`<tr class=${band ? `marked marked-${band.name}` : null}>
		<th scope="row">${moment(chart.time_ms[index])}</th>
		<td>${exact(value, chart.unit)}</td>
		<td>${exact(expected, chart.unit)}</td>
		<td>${part}</td>
		<td>${band ? `${severityText(severity)} ${band.word.toLowerCase()}` : ""}</td>
	</tr>`;
}

export function ChartTable({ chart, marked, label }) {
	const [shown, setShown] = useState(false);
	const rows = useMemo(() => listed(chart, marked), [chart, marked]);
	const names = spanNames(chart);
	return html`<div class="chart-data">
		<button type="button" class="link-button" aria-expanded=${shown}
			onClick=${() => setShown(!shown)}>
			${shown ? "Hide the table" : "Show as a table"}
		</button>
		<div class=${shown ? "chart-table" : "chart-table hidden"} tabindex=${shown ? 0 : null}
			role=${shown ? "region" : null} aria-label=${shown ? "Data of the chart" : null}>
			<table>
				<caption>
					${label}: ${rows.length} of ${chart.time_ms.length} points, all that are marked
					among them
				</caption>
				<thead>
					<tr>
						<th scope="col">Time</th>
						<th scope="col">Observed</th>
						<th scope="col">Expected</th>
						<th scope="col">Difference</th>
						<th scope="col">Severity</th>
					</tr>
				</thead>
				<tbody>
					${rows.map(
						([index, severity]) => html`<${Row} key=${chart.time_ms[index]} chart=${chart}
							index=${index} severity=${severity} />`,
					)}
					${
						chart.open &&
						html`<tr>
						<th scope="row">${moment(chart.open.time_ms)}, going on</th>
						<td>${exact(chart.open.value, chart.unit)} so far</td>
						<td>${exact(chart.open.expected, chart.unit)} in the end</td>
						<td></td>
						<td></td>
					</tr>`
					}
				</tbody>
			</table>
			${
				names.length > 0 &&
				html`<ul aria-label="Notes and calendar in this span">
				${names.slice(0, NAMES_MAX).map(
					(span) => html`<li class="clip">
						${moment(span.from_ms)}: <bdi>${String(span.text).slice(0, 300)}</bdi>
					</li>`,
				)}
			</ul>`
			}
		</div>
	</div>`;
}
