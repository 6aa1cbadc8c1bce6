// note_dialog: a remark, on the anomaly or on a span of the chart, for who looks at it later.

import { post } from "../base/api.js";
import { span } from "../base/format.js";
import { notify } from "../base/notice.js";
import { html, useRef, useState } from "../base/ui.js";
import { Dialog, useSubmit } from "./dialog.js";

const TEXT_MAX = 2000;

export function NoteDialog({ row, isOpen, onClose, onDone }) {
	const [text, setText] = useState("");
	const [onChart, setOnChart] = useState(true);
	const until_ms = row.end_ms ?? row.through_ms;
	// The first of two that is kept is not said again where the second is refused.
	const kept = useRef(null);
	const { submit, busy, problem } = useSubmit(async () => {
		const { metric, slice, source, start_ms } = row;
		if (kept.current !== text) await post(`anomalies/${row.id}/notes`, { text });
		kept.current = text;
		if (onChart) await post("notes", { metric, slice, source, from_ms: start_ms, until_ms, text });
		kept.current = null;
		setText("");
		onClose();
		onDone();
		notify("The note is kept.");
	});
	return html`<${Dialog} isOpen=${isOpen} onClose=${onClose} title="Annotate">
		<form class="form" onSubmit=${submit}>
			<label class="field">
				<span>Note</span>
				<textarea class="input" rows="3" maxlength=${TEXT_MAX} required value=${text}
					onInput=${(event) => setText(event.target.value)}></textarea>
			</label>
			<label class="choice">
				<input type="checkbox" checked=${onChart} onChange=${() => setOnChart(!onChart)} />
				<span>Also on the charts, from ${span(row.start_ms, until_ms)}</span>
			</label>
			${problem && html`<p class="problem" role="alert">${problem}</p>`}
			<button type="submit" class="button is-main" disabled=${busy || !text.trim()}>Keep the note</button>
		</form>
	<//>`;
}
