// verdict: was this real? One press says so and can be taken back; a note may follow. What the engine
// made of it stands beside it, as the engine says it.

import { post, remove } from "../base/api.js";
import { ago, exact } from "../base/format.js";
import { announce, notify } from "../base/notice.js";
import { now } from "../base/now.js";
import { html, useState } from "../base/ui.js";
import { Name } from "./text.js";

export const VERDICTS = [
	{ verdict: "yes", key: "y", label: "Yes", says: "Real: an incident" },
	{ verdict: "no", key: "n", label: "No", says: "Not an anomaly" },
	{ verdict: "unsure", key: "u", label: "Not sure", says: "Not sure" },
];

const TEXT_MAX = 2000;

/** What feedback has changed, in words; null where nothing is known of it. */
function effectWords(effect) {
	if (typeof effect === "string") return effect || null;
	if (!effect || typeof effect.threshold !== "number") return null;
	const rise = effect.threshold - (effect.threshold_before ?? effect.threshold);
	const rounded = exact(Math.round(Math.abs(rise) * 10) / 10);
	if (effect.in_force === false) return "not in force any more";
	if (Math.abs(rise) < 0.05) return "no threshold has moved";
	const moved =
		rise > 0
			? `the like of it has to be ${rounded} more severe to fire`
			: `the like of it fires ${rounded} earlier`;
	return effect.suppressed > 0 ? `${moved}; ${exact(effect.suppressed)} held back so far` : moved;
}

/** The actions of a verdict: the page changes at once, and back where the engine refuses. */
export function verdictActions({ id, feedback, setPending, reload }) {
	const undo = async (number) => {
		setPending({ feedback: null });
		try {
			await remove(`feedback/${number}`);
			announce("Taken back");
		} catch (error) {
			notify(`Not taken back: ${error.message}`, { error: true });
		}
		await reload();
	};
	const say = async (verdict, text = "") => {
		if (feedback?.verdict === verdict && !text) return;
		const { says } = VERDICTS.find((one) => one.verdict === verdict);
		setPending({ feedback: { verdict, text, author: null, time_ms: now() } });
		try {
			// With a note it is said anew. First what was said without one is taken back: the engine
			// takes back what was said last only.
			if (text && feedback?.number && feedback.verdict === verdict)
				await remove(`feedback/${feedback.number}`);
			const { number } = await post(`anomalies/${id}/feedback`, { verdict, text });
			if (!text)
				notify(`Noted: ${says.toLowerCase()}.`, {
					action: { label: "Undo", run: () => undo(number) },
				});
		} catch (error) {
			notify(`Not noted: ${error.message}`, { error: true });
		}
		await reload();
	};
	return { say, undo };
}

function NoteForm({ feedback, say }) {
	const [text, setText] = useState("");
	const submit = (event) => {
		event.preventDefault();
		if (text.trim()) say(feedback.verdict, text.trim());
	};
	return html`<form class="verdict-note" onSubmit=${submit}>
		<label class="hidden" for="verdict-text">Why, for who reads it later</label>
		<input class="input" id="verdict-text" maxlength=${TEXT_MAX} value=${text} autocomplete="off"
			placeholder="Why? For who reads it later" onInput=${(event) => setText(event.target.value)} />
		<button type="submit" class="button" disabled=${!text.trim()}>Add the note</button>
	</form>`;
}

function Said({ feedback, undo }) {
	const { says } = VERDICTS.find(({ verdict }) => verdict === feedback.verdict) ?? { says: "" };
	const effect = effectWords(feedback.effect);
	return html`<p class="verdict-said">
		<b>${says}</b>
		${feedback.author && html`${" "}by <${Name} text=${feedback.author} most=${60} />`}
		${feedback.time_ms && html`, ${ago(feedback.time_ms)}`}
		${feedback.text && html`: “<${Name} text=${feedback.text} most=${500} />”`}
		${effect && html`. <span class="verdict-effect"><${Name} text=${effect} most=${300} /></span>`}
		${
			feedback.number &&
			html` ${" "}<button type="button" class="link-button" onClick=${() => undo(feedback.number)}>
			Undo
		</button>`
		}
	</p>`;
}

export function Verdict({ feedback, say, undo }) {
	const said = feedback?.verdict ?? null;
	return html`<div class="verdict">
		<div class="verdict-ask">
			<span class="verdict-question" id="verdict-question">Was this real?</span>
			<div class="segmented" role="group" aria-labelledby="verdict-question">
				${VERDICTS.map(
					({ verdict, label, key, says }) => html`<button key=${verdict} type="button"
						aria-pressed=${said === verdict} title=${`${says} (${key})`}
						onClick=${() => say(verdict)}>${label}</button>`,
				)}
			</div>
		</div>
		${feedback && html`<${Said} feedback=${feedback} undo=${undo} />`}
		${feedback && !feedback.text && html`<${NoteForm} feedback=${feedback} say=${say} />`}
	</div>`;
}
