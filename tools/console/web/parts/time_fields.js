// time_fields: a time of one's own, from and until, in the engine's zone.

import { fromField, toField } from "../base/format.js";
import { html, useState } from "../base/ui.js";
import { zoneName } from "../base/zone.js";

function Field({ name, label, value }) {
	return html`
		<label class="field">
			<span>${label}</span>
			<input class="input" type="datetime-local" name=${name} value=${toField(value)} required />
		</label>
	`;
}

/** onSpan(from_ms, to_ms) */
export function TimeFields({ from_ms, to_ms, onSpan }) {
	const [wrong, setWrong] = useState(null);
	const submit = (event) => {
		event.preventDefault();
		const given = new FormData(event.target);
		const from = fromField(given.get("from"));
		const until = fromField(given.get("until"));
		if (from === null || until === null) setWrong("Both need a day and a time.");
		else if (from >= until) setWrong("The end has to be after the beginning.");
		else onSpan(from, until);
	};
	return html`
		<form class="time-fields" onSubmit=${submit}>
			<${Field} name="from" label="From" value=${from_ms} />
			<${Field} name="until" label="Until" value=${to_ms} />
			<p class="small">${wrong ? html`<span role="alert">${wrong}</span>` : `Times of ${zoneName().replaceAll("_", " ")}`}</p>
			<button type="submit" class="button is-main">Show this time</button>
		</form>
	`;
}
