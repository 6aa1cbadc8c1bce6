// incident: one row of the list: how bad, what, what it costs, since when, for how long, and how it
// stands. One row stands for all that belongs together; its members can be opened.

import { get } from "../base/api.js";
import { duration, exact, moment, signed } from "../base/format.js";
import { statusWord } from "../base/sentence.js";
import { Component, html, useEffect, useState } from "../base/ui.js";
import { href } from "../base/url.js";
import { Icon } from "./icons.js";
import { Severity } from "./severity.js";
import { Ago, Name, Sentence } from "./text.js";

// The detector that a metric has by itself needs no mention.
function usual({ detector, metric, kind }) {
	return detector === metric || detector === `${metric}-${kind}`;
}

function Evidence({ row }) {
	const { observed, expected, unit } = row;
	return html`<span class="evidence">${exact(observed, unit)} instead of ${exact(expected, unit)}</span>`;
}

function Facts({ row, now_ms }) {
	const isOpen = row.end_ms === null;
	const lasts = duration((row.end_ms ?? Math.max(row.through_ms, now_ms)) - row.start_ms);
	return html`
		<div class="row-fact is-impact">
			<span class="row-label">Impact</span>
			<span class="row-value">${row.impact_about && html`<span class="row-about">about </span>`}${signed(row.impact, row.unit)}</span>
		</div>
		<div class="row-fact is-start">
			<span class="row-label">Started</span>
			<span class="row-value"><${Ago} time_ms=${row.start_ms} now_ms=${now_ms} /></span>
			<span class="row-more">${moment(row.start_ms, now_ms)}</span>
		</div>
		<div class="row-fact is-duration">
			<span class="row-label">Duration</span>
			<span class="row-value">${lasts}</span>
			${isOpen && html`<span class="row-more">going on</span>`}
		</div>
		<div class="row-fact is-status">
			<span class="row-label">Status</span>
			<span class=${`status is-${row.status}`}>${statusWord(row.status)}</span>
		</div>
	`;
}

function Member({ row, now_ms }) {
	return html`
		<li class="member">
			<${Severity} severity=${row.peak} />
			<a class="member-link" href=${href(`/anomalies/${row.id}`)}><${Sentence} row=${row} because=${false} /></a>
			<span class="member-more"><${Evidence} row=${row} /></span>
			<span class="member-more"><${Ago} time_ms=${row.start_ms} now_ms=${now_ms} /></span>
			<span class=${`status is-${row.status}`}>${statusWord(row.status)}</span>
		</li>
	`;
}

function Members({ id, now_ms }) {
	const [state, setState] = useState({ members: null, error: null });
	useEffect(() => {
		const abort = new AbortController();
		get(`anomalies/${id}`, null, { signal: abort.signal }).then(
			(reply) => setState({ members: reply.members.filter((row) => row.id !== id), error: null }),
			(error) => error.name !== "AbortError" && setState({ members: null, error }),
		);
		return () => abort.abort();
	}, [id]);
	if (state.error) return html`<p class="small members">${state.error.message}</p>`;
	if (!state.members) return html`<p class="small members">One moment</p>`;
	return html`
		<ul class="members">
			${state.members.map((row) => html`<${Member} key=${row.id} row=${row} now_ms=${now_ms} />`)}
		</ul>
	`;
}

function Expander({ row, isOpen, onToggle }) {
	const more = row.members - 1;
	if (more < 1) return null;
	return html`
		<button type="button" class="expander" aria-expanded=${isOpen} onClick=${() => onToggle(row.id)}>
			<${Icon} name="right" size=${14} />
			${more === 1 ? "one more series" : `${more} more series`}
		</button>
	`;
}

const MINUTE_MS = 60000;

// A thousand of them may be there: one is drawn anew only when something of it has changed.
export class Incident extends Component {
	shouldComponentUpdate(next) {
		const now = this.props;
		return (
			next.row !== now.row ||
			next.isOpen !== now.isOpen ||
			next.isNew !== now.isNew ||
			next.home !== now.home ||
			Math.floor(next.now_ms / MINUTE_MS) !== Math.floor(now.now_ms / MINUTE_MS)
		);
	}

	render({ row, now_ms, isNew, isOpen, onToggle }) {
		return html`
		<li class=${isNew ? "incident is-new" : "incident"} data-id=${row.id}>
			<div class="incident-row">
				<${Severity} severity=${row.peak} />
				<div class="incident-what">
					<a class="incident-link" href=${href(`/anomalies/${row.id}`)}><${Sentence} row=${row} /></a>
					<div class="incident-more">
						<${Evidence} row=${row} />
						${!usual(row) && html`<span class="incident-detector">found by <${Name} text=${row.detector} most=${40} /></span>`}
						<${Expander} row=${row} isOpen=${isOpen} onToggle=${onToggle} />
					</div>
				</div>
				<${Facts} row=${row} now_ms=${now_ms} />
			</div>
			${isOpen && html`<${Members} id=${row.id} now_ms=${now_ms} />`}
		</li>
	`;
	}
}
