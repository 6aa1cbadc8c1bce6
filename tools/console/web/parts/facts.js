// facts: an anomaly in five numbers: what was observed, what was expected, the difference, what it
// has cost or brought so far, and how severe it is.

import { change, duration, exact, figure, moment, percent, signed, title } from "../base/format.js";
import { html } from "../base/ui.js";
import { useImpact } from "./impact.js";
import { Severity } from "./severity.js";

// "749 fewer orders", "9,300 less revenue": of sums over the whole anomaly, so far.
function impactWords(impact, { unit, metric }) {
	const name = title(metric).toLowerCase();
	const less = unit === "count" ? "fewer" : "less";
	return `${impact < 0 ? less : "more"} ${name} than expected`;
}

function Fact({ term, value, note, strong }) {
	return html`<div class=${strong ? "fact is-strong" : "fact"}>
		<dt>${term}</dt>
		<dd class="fact-value figures">${value}</dd>
		${note && html`<dd class="fact-note">${note}</dd>`}
	</div>`;
}

// Which period the numbers are of: that of the most severe revision.
function periodText(row, strongest) {
	const period = row.frequency_ms > 0 ? row.frequency_ms : row.interval_ms;
	const from_ms = strongest ? strongest.at_ms - period : row.peak_ms;
	if (row.frequency_ms === -1) return "in a month";
	return `in ${duration(period)}, from ${moment(from_ms)}`;
}

function rangeText(revision, unit) {
	if (!revision || revision.lower === null || revision.upper === null) return null;
	return `usual: ${exact(revision.lower, unit)} – ${exact(revision.upper, unit)}`;
}

export function Facts({ row, strongest }) {
	const { unit, observed, expected } = row;
	const known = observed !== null && expected !== null;
	const exactly = useImpact(row);
	const impact = exactly?.sum ?? row.impact;
	const until_ms = row.end_ms ?? exactly?.through_ms ?? row.source_through_ms;
	const over = `over ${duration(until_ms - row.start_ms)}${row.end_ms === null ? ", so far" : ""}`;
	const about = exactly || !row.impact_about ? "" : "about ";
	return html`<dl class="facts">
		<${Fact} term="Observed" value=${exact(observed, unit)} note=${periodText(row, strongest)} />
		<${Fact} term="Expected" value=${exact(expected, unit)} note=${rangeText(strongest, unit)} />
		<${Fact} term="Difference" value=${known ? signed(observed - expected, unit) : "–"}
			note=${row.change === null ? null : `${percent(row.change)} ${row.direction === "up" ? "above" : "below"} (${change(row.change)})`} />
		<${Fact} strong term=${impact > 0 ? "Gained" : "Lost"}
			value=${impact === null ? "–" : `${about}${figure(Math.abs(impact), unit)}`}
			note=${impact === null ? "shares and means have no sum" : `${impactWords(impact, row)}, ${over}`} />
		<div class="fact">
			<dt>Severity</dt>
			<dd class="fact-value"><${Severity} severity=${row.peak} /></dd>
			<dd class="fact-note">
				${row.end_ms === null ? `now ${Math.floor(row.severity)}` : "at its worst"}
			</dd>
		</div>
	</dl>`;
}
