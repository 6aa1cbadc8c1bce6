// help: the keys of this page, and how to read the signs.

import { listKeys } from "../base/keys.js";
import { session } from "../base/session.js";
import { BANDS } from "../base/severity.js";
import { html } from "../base/ui.js";
import { zoneName } from "../base/zone.js";
import { Dialog } from "./dialog.js";
import { Glyph } from "./severity.js";

const NAMES = {
	ArrowUp: "\u2191",
	ArrowDown: "\u2193",
	Escape: "Esc",
	Enter: "Enter",
	" ": "Space",
};

const MEANING = {
	critical: "less than once in two years by chance",
	major: "less than once a week by chance, up to that",
	minor: "some a week by chance",
	warning: "worth a look when something else moves too",
};

function Keys() {
	return html`
		<dl class="keys">
			${listKeys().map(
				({ key, text }) => html`
					<div key=${key}>
						<dt><kbd>${NAMES[key] ?? key}</kbd></dt>
						<dd>${text}</dd>
					</div>
				`,
			)}
		</dl>
	`;
}

function Bands() {
	return html`
		<dl class="bands">
			${BANDS.map(
				({ name, word, from }) => html`
					<div key=${name}>
						<dt><${Glyph} severity=${from} size=${18} /> ${word}, from ${from}</dt>
						<dd>${MEANING[name]}</dd>
					</div>
				`,
			)}
		</dl>
	`;
}

export function Help({ isOpen, onClose }) {
	return html`
		<${Dialog} isOpen=${isOpen} onClose=${onClose} title="Help">
			<h3>Keys</h3>
			<${Keys} />
			<h3>Severity</h3>
			<p>From 0 to 100, the same for every metric: how seldom chance alone does this to one series.</p>
			<${Bands} />
			<p class="small">
				Times are those of ${zoneName().replaceAll("_", " ")}. The address of a page holds all that you
				have chosen on it: send it to somebody, or keep it.
				${session.get()?.version && ` This is weir ${session.get().version}.`}
			</p>
		<//>
	`;
}
