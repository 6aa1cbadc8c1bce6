// timeline: what happened to an anomaly, in order: its revisions, the alerts that were sent, what
// people said and did. Times are the engine's; what people wrote is their own words.

import { clock, day, machineTime } from "../base/format.js";
import { html } from "../base/ui.js";
import { Name } from "./text.js";

const KINDS = {
	revision: "Changed",
	alert: "Alert",
	ack: "Acknowledged",
	feedback: "Feedback",
	note: "Note",
	mute: "Muted",
};

// What these are their text says; the word is for who does not see the sign.
const ITSELF = ["revision", "alert"];
const TEXT_SHOWN = 600;

function Sign({ kind }) {
	const shape = {
		revision: html`<circle cx="8" cy="8" r="4" />`,
		alert: html`<path d="M3 4h10v8H3z M3 4l5 4 5-4" />`,
		ack: html`<path d="M3 8.500l3.500 3.500L13 4.500" />`,
		feedback: html`<path d="M3 3h10v7H8l-3 3v-3H3z" />`,
		note: html`<path d="M4 3h8v10H4z M6 6h4 M6 9h4" />`,
		mute: html`<path d="M3 6h3l3-3v10l-3-3H3z M11 6l3 4 M14 6l-3 4" />`,
	}[kind];
	return html`<svg class="sign" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">${shape}</svg>`;
}

function Entry({ entry }) {
	return html`<li class=${`event is-${KINDS[entry.kind] ? entry.kind : "revision"}`}>
		<time class="event-at figures" datetime=${machineTime(entry.at_ms)}>${clock(entry.at_ms)}</time>
		<${Sign} kind=${entry.kind} />
		<div class="event-body">
			<span class=${ITSELF.includes(entry.kind) ? "hidden" : "event-kind"}>${KINDS[entry.kind] ?? "Changed"}</span>
			${entry.author && html`<span class="event-author"> by <${Name} text=${entry.author} most=${60} /></span>`}
			${entry.text && html`<div class="event-text"><${Name} text=${entry.text} most=${TEXT_SHOWN} /></div>`}
		</div>
	</li>`;
}

export function Timeline({ timeline }) {
	if (!timeline?.length) return html`<p class="quiet">Nothing has happened yet.</p>`;
	const days = [];
	for (const entry of timeline) {
		const name = day(entry.at_ms);
		if (days.at(-1)?.name !== name) days.push({ name, entries: [] });
		days.at(-1).entries.push(entry);
	}
	return html`<div class="timeline">
		${days.map(
			({ name, entries }, at) => html`<section key=${`${name}${at}`}>
				<h3 class="timeline-day">${name}</h3>
				<ol class="events" role="list">
					${entries.map((entry, index) => html`<${Entry} key=${index} entry=${entry} />`)}
				</ol>
			</section>`,
		)}
	</div>`;
}
