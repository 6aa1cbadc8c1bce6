// keys: what single keys do. A component says what its keys do while it is on the page; the help
// lists exactly those. Keys with Ctrl, Alt or Meta are the browser's; in a field only Escape is ours.

import { useLayoutEffect, useRef } from "./ui.js";

const sets = [];

function isField(element) {
	if (!element) return false;
	if (element.isContentEditable) return true;
	if (element.tagName === "TEXTAREA" || element.tagName === "SELECT") return true;
	return element.tagName === "INPUT" && !["range", "checkbox", "radio"].includes(element.type);
}

// Enter and Space on what has the focus are that thing's own.
function isControl(element) {
	return Boolean(element?.closest?.("a, button, input, select, textarea, summary, [role=menu]"));
}

function handle(event) {
	if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
	if (isField(event.target) && event.key !== "Escape") return;
	if ((event.key === "Enter" || event.key === " ") && isControl(event.target)) return;
	const inDialog = document.querySelector("dialog[open]");
	for (const set of [...sets].reverse()) {
		if (inDialog && !set.dialog) continue;
		const found = set.current.find(({ key, when }) => key === event.key && (!when || when()));
		if (!found) continue;
		event.preventDefault();
		found.run(event);
		return;
	}
}

window.addEventListener("keydown", handle);

/** keys: [{key: "j", text: "Next anomaly", run, when?}]; a later component goes before. */
export function useKeys(keys, { dialog = false } = {}) {
	const set = useRef(null);
	set.current ??= { current: keys, dialog };
	set.current.current = keys;
	// What is on the page has its keys: not a frame later, which on a busy machine is long.
	useLayoutEffect(() => {
		const mine = set.current;
		sets.push(mine);
		return () => sets.splice(sets.indexOf(mine), 1);
	}, []);
}

/** What the help lists: [{key, text}], those of the page first. */
export function listKeys() {
	const seen = new Set();
	const found = [];
	for (const { current } of [...sets].reverse())
		for (const { key, text } of current)
			if (text && !seen.has(key)) {
				seen.add(key);
				found.push({ key, text });
			}
	return found;
}
