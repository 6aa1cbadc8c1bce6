// headline: the first line: the worst that is open, and how much more there is; or that all is well.

import { get } from "../base/api.js";
import { OPEN_QUERY } from "../base/filters.js";
import { duration } from "../base/format.js";
import { useLive } from "../base/live.js";
import { BANDS } from "../base/severity.js";
import { useSoon } from "../base/soon.js";
import { html, useEffect, useState } from "../base/ui.js";
import { href } from "../base/url.js";
import { peekEarly } from "../early.js";
import { Icon } from "./icons.js";
import { Glyph } from "./severity.js";
import { Sentence } from "./text.js";

const AGAIN_MS = 1000;

// How many of each band, of what is open.
function bandsOf(histogram) {
	return BANDS.map((band, index) => {
		const until = BANDS[index - 1]?.from ?? 101;
		const count = histogram.slice(band.from, until).reduce((sum, each) => sum + each, 0);
		return { ...band, count };
	}).filter(({ count }) => count > 0);
}

function Counts({ reply }) {
	return html`
		<ul class="now-counts" aria-label="Open now">
			${bandsOf(reply.histogram).map(
				({ name, word, from, count }) => html`
					<li key=${name}>
						<a class="open-count" href=${href("/", { status: OPEN_QUERY.status, severity: from, range: "all" })}>
							<${Glyph} severity=${from} size=${18} /> <strong>${count}</strong> ${word.toLowerCase()}
						</a>
					</li>
				`,
			)}
			<li class="small">open now</li>
		</ul>
	`;
}

function Worst({ row, now_ms }) {
	const lasts = duration(Math.max(row.through_ms, now_ms) - row.start_ms);
	return html`
		<h1 class="now-text">
			<${Glyph} severity=${row.peak} size=${30} />
			<a class="now-link" href=${href(`/anomalies/${row.id}`)}>
				<${Sentence} row=${row} /> <span class="now-for">for ${lasts}</span>
			</a>
		</h1>
	`;
}

export function Headline({ now_ms }) {
	const [reply, setReply] = useState(() => peekEarly("anomalies", OPEN_QUERY));
	const refresh = () => get("anomalies", OPEN_QUERY).then(setReply, () => {});
	const soon = useSoon(refresh, AGAIN_MS);
	useLive("anomaly", soon);
	useLive("reset", soon);
	useEffect(() => {
		if (!reply) refresh();
	}, []);
	const row = reply?.rows[0];
	return html`
		<header class="now">
			${row && html`<${Worst} row=${row} now_ms=${now_ms} /><${Counts} reply=${reply} />`}
			${
				reply &&
				!row &&
				html`<h1 class="now-text"><${Icon} name="check" size=${30} /> <span>All is as expected</span></h1>`
			}
			${!reply && html`<h1 class="hidden">Anomalies</h1>`}
		</header>
	`;
}
