// tune: its place is kept.

import { html } from "../base/ui.js";
import { Later } from "../parts/later.js";

const COMMANDS = [
	{
		command: "weirctl detectors list",
		text: "what detectors are at work, and how far they have learned",
	},
	{ command: "weirctl backtest", text: "what other settings would have found in the history" },
	{ command: "weirctl detectors set", text: "another setting, with its author and an undo" },
];

export function Screen() {
	return html`<${Later} title="Tune" commands=${COMMANDS}
		text="A detector with other settings, beside what it finds now: which confirmed incidents it would still catch, and which false alarms it would drop." />`;
}
