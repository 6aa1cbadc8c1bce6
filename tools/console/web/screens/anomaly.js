// anomaly: everything about one of them: what it is in a sentence, how it looks over time, what it
// costs, where it comes from, what moved with it, what was done; and what can be done now.

import { get } from "../base/api.js";
import { sourceNow } from "../base/filters.js";
import { duration, moment, title } from "../base/format.js";
import { useKeys } from "../base/keys.js";
import { useLive } from "../base/live.js";
import { sentenceText, statusWord } from "../base/sentence.js";
import { useSoon } from "../base/soon.js";
import { html, useEffect, useRef, useState } from "../base/ui.js";
import { change, hrefBack, openBack } from "../base/url.js";
import { Affected } from "../parts/affected.js";
import { Actions, Mutes } from "../parts/anomaly_actions.js";
import { AnomalyChart } from "../parts/anomaly_chart.js";
import { Contributions } from "../parts/contributions.js";
import { Facts } from "../parts/facts.js";
import { MovedWith } from "../parts/moved_with.js";
import { Severity } from "../parts/severity.js";
import { SeverityStory } from "../parts/severity_story.js";
import { Failure } from "../parts/state.js";
import { Ago, Name, Sentence, useNow } from "../parts/text.js";
import { Timeline } from "../parts/timeline.js";
import { Verdict, verdictActions } from "../parts/verdict.js";

const SMALL_STEPS = 30;
const AGAIN_MS = 1000; // a burst of revisions is one reason to look

// The anomaly as the engine has it, and on top of it what was just said and is on its way there.
function useAnomaly(id) {
	const [state, setState] = useState({ detail: null, problem: null });
	const [pending, setPending] = useState({});
	const latest = useRef(0);
	const reload = async () => {
		const mine = ++latest.current;
		const result = await get(`anomalies/${encodeURIComponent(id)}`).then(
			(detail) => () => ({ detail, problem: null }),
			(problem) => (before) => ({ ...before, problem }),
		);
		// What was asked for later knows more.
		if (mine !== latest.current) return;
		setState(result);
		setPending({});
	};
	useEffect(() => {
		reload();
	}, []);
	const later = useSoon(reload, AGAIN_MS);
	useLive("anomaly", (row) => {
		const mine = state.detail?.row;
		if (mine && (row?.id === mine.id || row?.group === mine.group)) later();
	});
	useLive("reset", later);
	return { ...state, pending, setPending, reload };
}

// What the page shows: what the engine has, with what was just said of it.
function withPending(detail, pending) {
	const { ack, feedback } = pending;
	return {
		...detail,
		row: ack === undefined ? detail.row : { ...detail.row, ack },
		operator: feedback === undefined ? detail.operator : { ...detail.operator, feedback },
	};
}

function strongestOf(revisions) {
	return revisions?.reduce((a, b) => ((b.severity ?? 0) > (a.severity ?? 0) ? b : a), revisions[0]);
}

// through_ms: how far the data of its source go, null until that is known.
function When({ row, through_ms }) {
	const now_ms = sourceNow(through_ms, useNow());
	const lasted = (row.end_ms ?? through_ms ?? row.source_through_ms) - row.start_ms;
	const ended = row.end_ms !== null;
	return html`<p class="detail-when">
		<span class=${`status is-${row.status}`}>${statusWord(row.status)}</span>
		<span>from ${moment(row.start_ms)}, ${ended ? "for" : "going on for"} ${duration(lasted)}</span>
		<span class="quiet"><${Ago} time_ms=${row.start_ms} now_ms=${now_ms} /></span>
		<span class="quiet">found by <${Name} text=${row.detector} most=${80} /></span>
		${
			row.first_mover &&
			row.first_mover !== row.metric &&
			html`<span class="quiet">moved first: <${Name} text=${title(row.first_mover)} most=${80} /></span>`
		}
	</p>`;
}

function Section({ title, note, wide, children }) {
	return html`<section class=${wide ? "panel is-wide" : "panel"}>
		<header class="panel-head"><h2>${title}</h2>${note && html`<p class="small">${note}</p>`}</header>
		${children}
	</section>`;
}

function Head({ detail, through_ms, setPending, reload }) {
	const { row, operator, mutes, event } = detail;
	const feedback = operator?.feedback ?? null;
	const { say, undo } = verdictActions({ id: row.id, feedback, setPending, reload });
	useKeys([{ key: "Escape", text: "Back to the list", run: () => openBack("/") }]);
	return html`<header class="detail-head">
		<p class="crumb"><a href=${hrefBack("/")}>Anomalies</a></p>
		<div class="detail-title">
			<${Severity} severity=${row.peak} />
			<h1 class="headline"><${Sentence} row=${row} /></h1>
		</div>
		<${When} row=${row} through_ms=${through_ms} />
		<div class="detail-do">
			<${Verdict} feedback=${feedback} say=${say} undo=${undo} />
			<${Actions} row=${row} event=${event} say=${say} setPending=${setPending} reload=${reload} />
		</div>
		<${Mutes} mutes=${mutes} reload=${reload}>
			${(mute) => html`Muted until ${moment(mute.until_ms)}${mute.author && html` by <${Name} text=${mute.author} most=${60} />`}${mute.text && html`: <${Name} text=${mute.text} most=${300} />`}.`}
		<//>
	</header>`;
}

// The same span by steps, so that twenty small charts are not fetched anew with every interval.
function steady({ from_ms, to_ms }) {
	const step_ms = Math.max(1, Math.round((to_ms - from_ms) / SMALL_STEPS));
	const end_ms = Math.ceil(to_ms / step_ms) * step_ms;
	return { from_ms: end_ms - Math.round((to_ms - from_ms) / step_ms) * step_ms, to_ms: end_ms };
}

function Body({ detail, span, setSpan, query }) {
	const { row, revisions, came_about, contributions, members, related, timeline } = detail;
	const view = query.get("of");
	const others = members?.length ?? 0;
	return html`
		<${AnomalyChart} row=${row} query=${query} onSpan=${setSpan} />
		<${Facts} row=${row} strongest=${strongestOf(revisions)} />
		<div class="panels">
			<${Section} title="Where it comes from"
				note="Shares of the difference, 100 % in each dimension. Choose one to see its chart.">
				<${Contributions} contributions=${contributions} unit=${row.unit} chosen=${view}
					onChoose=${(slice) => change({ of: slice }, { replace: true })} />
			<//>
			<div class="panel-stack">
				<${Section} title="How severe, and why">
					<${SeverityStory} row=${row} came_about=${came_about} strongest=${strongestOf(revisions)} />
				<//>
				<${Section} title="What else moved">
					<${MovedWith} row=${row} related=${related} />
				<//>
			</div>
		</div>
		${
			others > 1 &&
			span &&
			html`<${Section} wide title="Affected series" note=${`${others} of ${title(row.metric)}, the most severe first`}>
			<${Affected} members=${members} current=${row.id} ...${steady(span)} />
		<//>`
		}
		<${Section} wide title="What happened">
			<${Timeline} timeline=${timeline} />
		<//>
	`;
}

// Of another anomaly nothing is kept.
export function Screen({ id, query }) {
	return html`<${Anomaly} key=${id} id=${id} query=${query} />`;
}

function Anomaly({ id, query }) {
	const { detail, problem, pending, setPending, reload } = useAnomaly(id);
	const [span, setSpan] = useState(null);
	useEffect(() => {
		if (detail) document.title = `${sentenceText(detail.row).slice(0, 200)} · weir`;
	}, [detail]);
	if (!detail && problem)
		return problem.status === 404
			? html`<${Failure} title="There is no such anomaly" text=${problem.message} home />`
			: html`<${Failure} title="This anomaly cannot be shown" text=${problem.message} retry=${reload} />`;
	if (!detail) return null;
	const shown = withPending(detail, pending);
	return html`<article class="detail">
		${problem && html`<p class="problem" role="alert">What is shown is of before: ${problem.message}</p>`}
		<${Head} detail=${shown} through_ms=${span?.through_ms ?? null} setPending=${setPending} reload=${reload} />
		<${Body} detail=${shown} span=${span} setSpan=${setSpan} query=${query} />
	</article>`;
}
