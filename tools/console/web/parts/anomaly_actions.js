// anomaly_actions: what can be done about an anomaly: look after it, keep its alerts back, write on
// it, carry it elsewhere. Each has a key; each that the engine refuses says why.

import { post } from "../base/api.js";
import { copyText } from "../base/clipboard.js";
import { useKeys } from "../base/keys.js";
import { notify } from "../base/notice.js";
import { html, useState } from "../base/ui.js";
import { MuteDialog, unmute } from "./mute_dialog.js";
import { NoteDialog } from "./note_dialog.js";
import { VERDICTS } from "./verdict.js";

const ID_DIGITS = 12;

/** The command that says the same on a terminal. */
function commandFor({ metric, id }) {
	return `weirctl anomalies --metric ${metric} --revisions --json | grep ${id.slice(0, ID_DIGITS)}`;
}

async function copied(text, what) {
	if (await copyText(text)) notify(`${what} copied.`);
	else notify(`${what} could not be copied: the browser does not allow it.`, { error: true });
}

async function acknowledge({ row, setPending, reload }) {
	setPending({ ack: true });
	try {
		await post(`anomalies/${row.id}/ack`, { text: "" });
		notify("Acknowledged: others see that somebody looks after it.");
	} catch (error) {
		notify(`Not acknowledged: ${error.message}`, { error: true });
	}
	await reload();
}

export function Actions({ row, event, say, setPending, reload }) {
	const [dialog, setDialog] = useState(null);
	const ended = row.end_ms !== null;
	const ack = () => {
		if (ended) notify("It is over: nobody has to look after it any more.");
		else if (row.ack) notify("It is acknowledged already.");
		else acknowledge({ row, setPending, reload });
	};
	useKeys([
		...VERDICTS.map(({ key, verdict, says }) => ({ key, text: says, run: () => say(verdict) })),
		{ key: "a", text: "Acknowledge", run: ack },
		{ key: "m", text: "Mute", run: () => setDialog("mute") },
		{ key: "w", text: "Write a note", run: () => setDialog("note") },
	]);
	const close = () => setDialog(null);
	return html`<div class="actions">
		${
			!ended &&
			html`<button type="button" class="button" aria-pressed=${row.ack} onClick=${ack} title="a">
			${row.ack ? "Acknowledged" : "Acknowledge"}
		</button>`
		}
		<button type="button" class="button" onClick=${() => setDialog("mute")} title="m">Mute</button>
		<button type="button" class="button" onClick=${() => setDialog("note")} title="w">Annotate</button>
		<button type="button" class="button" onClick=${() => copied(commandFor(row), "The command")}>
			Copy command
		</button>
		<button type="button" class="button"
			onClick=${() => copied(JSON.stringify(event, null, 2), "The JSON")}>Copy JSON</button>
		<${MuteDialog} row=${row} isOpen=${dialog === "mute"} onClose=${close} onChange=${reload} />
		<${NoteDialog} row=${row} isOpen=${dialog === "note"} onClose=${close} onDone=${reload} />
	</div>`;
}

/** The mutes that hold this one back, each with an end to it. */
export function Mutes({ mutes, reload, children }) {
	if (!mutes?.length) return null;
	return html`<ul class="mutes" role="list">
		${mutes.map(
			(mute) => html`<li key=${mute.number}>
			${children(mute)}${" "}
			<button type="button" class="link-button" onClick=${() => unmute(mute.number, reload)}>
				End the mute
			</button>
		</li>`,
		)}
	</ul>`;
}
