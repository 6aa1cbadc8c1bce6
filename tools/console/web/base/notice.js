// notice: what is said for a moment at the edge of the page, and what is only read aloud.

import { createStore } from "./store.js";

const SHOWN_MS = 7000;

let next = 1;

export const notices = createStore([]);
export const spoken = createStore("");

/** Read aloud by screen readers when they are done with what they say. */
export function announce(text) {
	spoken.set(spoken.get() === text ? `${text}\u00a0` : text);
}

export function dismiss(id) {
	notices.set(notices.get().filter((notice) => notice.id !== id));
}

/** Shows a line for some seconds; action {label, run} is offered beside it (undo). An error stays. */
export function notify(text, { error = false, action = null } = {}) {
	const id = next++;
	notices.set([...notices.get().slice(-2), { id, text, error, action }]);
	if (!error) window.setTimeout(() => dismiss(id), action ? SHOWN_MS * 2 : SHOWN_MS);
	return id;
}
