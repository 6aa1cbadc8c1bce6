// moved_with: other metrics that were anomalous at the time, in the order in which they began, so
// that what came first can be told from what followed.

import { clock, duration, title } from "../base/format.js";
import { html } from "../base/ui.js";
import { href } from "../base/url.js";
import { Icon } from "./icons.js";
import { Name } from "./text.js";

const WIDTH = 100;

function whenWords(lead_ms) {
	if (lead_ms === 0) return "at the same time";
	return `${duration(Math.abs(lead_ms))} ${lead_ms > 0 ? "before" : "after"}`;
}

function isUp(direction) {
	return direction === "up" || direction > 0;
}

function Track({ lead_ms, most_ms }) {
	const x = most_ms === 0 ? WIDTH / 2 : WIDTH / 2 - (lead_ms / most_ms) * (WIDTH / 2 - 6);
	return html`<svg class="lead" viewBox="0 0 100 16" preserveAspectRatio="none" aria-hidden="true">
		<path class="lead-rail" d="M0 8h100" />
		<path class="lead-zero" d="M50 1v14" />
		<path class="lead-span" d=${`M50 8L${x} 8`} />
		<path class="lead-dot" d=${`M${x} 8h0`} />
	</svg>`;
}

function Other({ entry, most_ms, own }) {
	const name = html`<${Name} text=${title(entry.metric)} most=${80} />`;
	const up = isUp(entry.direction);
	return html`<li class=${own ? "moved-row is-own" : "moved-row"}>
		<span class="moved-name clip">
			${entry.id ? html`<a href=${href(`/anomalies/${entry.id}`)}>${name}</a>` : name}
		</span>
		<span class="moved-way"><${Icon} name=${up ? "up" : "fall"} size=${14} />${up ? "up" : "down"}</span>
		<${Track} lead_ms=${entry.lead_ms} most_ms=${most_ms} />
		<span class="moved-when figures">${own ? "this one" : whenWords(entry.lead_ms)}</span>
		<span class="moved-at figures">${clock(entry.start_ms)}</span>
	</li>`;
}

export function MovedWith({ row, related }) {
	if (!related?.length)
		return html`<p class="quiet">No other metric was anomalous at the time.</p>`;
	const start = related[0].start_ms + related[0].lead_ms;
	const own = {
		metric: row.metric,
		direction: row.direction,
		start_ms: start,
		lead_ms: 0,
		own: true,
	};
	const all = [own, ...related].sort((a, b) => b.lead_ms - a.lead_ms || (a.own ? -1 : 0));
	const most_ms = Math.max(...all.map(({ lead_ms }) => Math.abs(lead_ms)));
	return html`<ul class="moved" role="list">
		${all.map(
			(entry) => html`<${Other} key=${entry.metric} entry=${entry} most_ms=${most_ms}
				own=${entry.own ?? false} />`,
		)}
	</ul>`;
}
