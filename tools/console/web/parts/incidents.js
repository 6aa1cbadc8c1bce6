// incidents: the list. It never jumps under the hand: what is new waits above it while it is read.

import { MOST_ROWS } from "../base/anomalies.js";
import { SORTS } from "../base/filters.js";
import { whenIdle } from "../base/soon.js";
import { html, useEffect, useState } from "../base/ui.js";
import { href } from "../base/url.js";
import { Icon } from "./icons.js";
import { Incident } from "./incident.js";
import { Nothing } from "./state.js";

function Exports({ onExport }) {
	return ["csv", "json"].map(
		(format) => html`
			<button key=${format} type="button" class="export" aria-label=${`Save as ${format.toUpperCase()}`} onClick=${() => onExport(format)}>
				<${Icon} name="export" size=${16} />${format.toUpperCase()}
			</button>
		`,
	);
}

function Head({ sort, onSort, onExport }) {
	return html`
		<div class="list-head">
			<h2 class="section-title">What was found</h2>
			<div class="list-tools">
				<label class="sort">
					<span class="hidden">Sort</span>
					<select class="select" value=${sort} onChange=${(event) => onSort(event.target.value)}>
						${SORTS.map(({ name, text }) => html`<option key=${name} value=${name} selected=${name === sort}>${text}</option>`)}
					</select>
				</label>
				<${Exports} onExport=${onExport} />
			</div>
		</div>
	`;
}

function Foot({ reply, onMore }) {
	const [busy, setBusy] = useState(false);
	if (!reply.cursor) return null;
	if (reply.rows.length >= MOST_ROWS)
		return html`<p class="small list-foot">These are the first ${MOST_ROWS}. Narrow the filters to see others.</p>`;
	const more = async () => {
		setBusy(true);
		await onMore();
		setBusy(false);
	};
	return html`
		<div class="list-foot">
			<button type="button" class="button" disabled=${busy} onClick=${more}>Show more</button>
			<span class="small">${reply.rows.length} of ${reply.shown}</span>
		</div>
	`;
}

/** What is there when nothing is: why, and the way out. */
function Empty({ reply, filters, onClear, onAll, onLower }) {
	const below = reply.histogram.slice(0, filters.severity).reduce((a, b) => a + b, 0);
	if (below)
		return html`
			<${Nothing} title="Nothing this severe" text=${`${below} of lower severity: move the slider, or press [.`}>
				<button type="button" class="button" onClick=${onLower}>Show them</button>
			<//>
		`;
	if (!reply.total)
		return html`<${Nothing} title="Nothing so far" text="New anomalies appear here by themselves." />`;
	return html`
		<${Nothing} title="All is as expected" text=${`Nothing of this in the time chosen; ${reply.total} in all.`}>
			<div class="state-ways">
				<button type="button" class="button" onClick=${onAll}>Show all times</button>
				<button type="button" class="button" onClick=${onClear}>Clear the filters</button>
			</div>
		<//>
	`;
}

// Of the list, so many pixels of a row at least, below so many of what stands above it.
const ROW = 72;
const ABOVE = 400;

// What is below the screen is drawn when nothing else is to be done, twice as much each time.
function useFew(count) {
	const [few, setFew] = useState(
		() => 2 + Math.ceil(Math.max(0, window.innerHeight - ABOVE) / ROW),
	);
	useEffect(() => (few < count ? whenIdle(() => setFew(few * 2)) : undefined), [few, count]);
	return few;
}

export function Incidents({ list, filters, now_ms, opened, onToggle, on }) {
	const { reply, rows, waiting, error } = list;
	const home = href("/");
	const few = useFew(rows.length);
	return html`
		<section class="list" aria-label="Anomalies">
			<${Head} sort=${filters.sort} onSort=${on.sort} onExport=${on.exportAll} />
			${error && html`<p class="list-error" role="alert">${error.message} <button type="button" class="link-button" onClick=${list.refresh}>Try again</button></p>`}
			${
				waiting > 0 &&
				html`<button type="button" class="waiting" onClick=${on.showWaiting}><${Icon} name="up" size=${15} /> ${waiting} new</button>`
			}
			${
				reply &&
				rows.length > 0 &&
				html`
					<div class="columns" aria-hidden="true">
						<span>Severity</span><span>What</span><span class="is-impact">Impact</span><span>Started</span><span>Duration</span><span>Status</span>
					</div>
				`
			}
			<ol class="incidents">
				${rows.slice(0, few).map(
					(row) => html`
						<${Incident} key=${row.id} row=${row} now_ms=${now_ms} home=${home} isNew=${list.arrived.has(row.id)} isOpen=${opened.has(row.id)} onToggle=${onToggle} />
					`,
				)}
				${!reply && !error && Array.from({ length: 6 }, (_, index) => html`<li key=${index} class="incident is-waiting" aria-hidden="true"></li>`)}
			</ol>
			${reply && !rows.length && html`<${Empty} reply=${reply} filters=${filters} onClear=${on.clear} onAll=${on.all} onLower=${on.lower} />`}
			${reply && rows.length > 0 && html`<${Foot} reply=${reply} onMore=${list.more} />`}
		</section>
	`;
}
