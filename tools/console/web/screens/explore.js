// explore: its place is kept.

import { html } from "../base/ui.js";
import { Later } from "../parts/later.js";

const COMMANDS = [
	{ command: "weirctl history", text: "which metrics there are, and of how many slices" },
	{ command: "weirctl history revenue --since 7d", text: "a metric over any span" },
	{ command: "weirctl tail", text: "events as they are kept" },
];

export function Screen() {
	return html`<${Later} title="Explore" commands=${COMMANDS}
		text="Any metric, split by any dimension, beside yesterday, last week and last year; with what was expected of it and what was missing." />`;
}
