// mute_dialog: keeps alerts back for a while: of one anomaly, of its series, or of more. What is
// muted is found, stored and shown as ever.

import { post, remove } from "../base/api.js";
import { duration, fromField, moment } from "../base/format.js";
import { notify } from "../base/notice.js";
import { html, useState } from "../base/ui.js";
import { zoneName } from "../base/zone.js";
import { Dialog, useSubmit } from "./dialog.js";
import { Name } from "./text.js";

const HOUR_MS = 3600000;
const SPANS = [
	{ key: "1h", text: "1 hour", for_ms: HOUR_MS },
	{ key: "1d", text: "1 day", for_ms: 24 * HOUR_MS },
	{ key: "1w", text: "1 week", for_ms: 168 * HOUR_MS },
	{ key: "until", text: "Until …", for_ms: null },
];

// What can be muted, from the least to the most, as the engine's mutes say it.
function scopesOf({ id, metric, slice, source, detector }) {
	const scopes = [
		{ key: "metric", of: { metric, source }, text: `all of ${metric}, total and slices` },
		{ key: "detector", of: { detector, source }, text: `all that ${detector} finds` },
		{ key: "id", of: { id }, text: "this anomaly only" },
	];
	if (slice)
		scopes.unshift({ key: "slice", of: { metric, slice, source }, text: `${metric} for ${slice}` });
	return scopes;
}

function Choice({ name, options, chosen, onChoose, label }) {
	return html`<fieldset class="choices">
		<legend>${label}</legend>
		${options.map(
			({ key, text }) => html`<label key=${key} class="choice">
				<input type="radio" name=${name} value=${key} checked=${chosen === key}
					onChange=${() => onChoose(key)} />
				<span><${Name} text=${text} most=${160} /></span>
			</label>`,
		)}
	</fieldset>`;
}

// The end as the engine wants it, or null where the field has none yet.
function endOf(span, until) {
	const { for_ms } = SPANS.find(({ key }) => key === span);
	if (for_ms !== null) return { for_ms };
	const until_ms = fromField(until);
	return until_ms === null ? null : { until_ms };
}

/** Ends a mute, and says so; onChange() then. */
export async function unmute(number, onChange) {
	try {
		await remove(`mutes/${number}`);
		notify("The mute is over.");
	} catch (error) {
		notify(`Still muted: ${error.message}`, { error: true });
	}
	await onChange();
}

export function MuteDialog({ row, isOpen, onClose, onChange }) {
	const scopes = scopesOf(row);
	const [scope, setScope] = useState(scopes[0].key);
	const [span, setSpan] = useState("1h");
	const [until, setUntil] = useState("");
	const [text, setText] = useState("");
	const end = endOf(span, until);
	const { submit, busy, problem } = useSubmit(async () => {
		const { of } = scopes.find(({ key }) => key === scope);
		const { number } = await post("mutes", { ...of, ...end, text });
		const how = end.for_ms ? `for ${duration(end.for_ms)}` : `until ${moment(end.until_ms)}`;
		onClose();
		notify(`Muted ${how}: found and shown as ever, but not told.`, {
			action: { label: "Undo", run: () => unmute(number, onChange) },
		});
		onChange();
	});
	return html`<${Dialog} isOpen=${isOpen} onClose=${onClose} title="Mute alerts">
		<form class="form" onSubmit=${submit}>
			<${Choice} name="span" label="For how long" options=${SPANS} chosen=${span} onChoose=${setSpan} />
			${
				span === "until" &&
				html`<label class="field">
				<span>Until, a time of ${zoneName().replaceAll("_", " ")}</span>
				<input class="input" type="datetime-local" required value=${until}
					onInput=${(event) => setUntil(event.target.value)} />
			</label>`
			}
			<${Choice} name="scope" label="What" options=${scopes} chosen=${scope} onChoose=${setScope} />
			<label class="field">
				<span>Why, for who wonders later</span>
				<input class="input" maxlength="2000" value=${text} autocomplete="off"
					onInput=${(event) => setText(event.target.value)} />
			</label>
			${problem && html`<p class="problem" role="alert">${problem}</p>`}
			<button type="submit" class="button is-main" disabled=${busy || end === null}>Mute</button>
		</form>
	<//>`;
}
