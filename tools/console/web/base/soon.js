// soon: what is done later than it is wanted. Many reasons to do something, within a while, are one; the
// first begins the while: what never rests is followed all the same. What nobody waits for is done when
// nothing else is to be done.

import { useEffect, useRef } from "./ui.js";

/** A function that has `run` done once, `wait_ms` after it was first called; not after the component. */
export function useSoon(run, wait_ms) {
	const latest = useRef(run);
	latest.current = run;
	const timer = useRef(0);
	useEffect(() => () => window.clearTimeout(timer.current), []);
	return () => {
		timer.current ||= window.setTimeout(() => {
			timer.current = 0;
			latest.current();
		}, wait_ms);
	};
}

const LATEST_MS = 1000;

/** Has `run` done when the page has nothing to do; the answer gives it up. */
export function whenIdle(run) {
	if (!window.requestIdleCallback) {
		const timer = window.setTimeout(run, 50);
		return () => window.clearTimeout(timer);
	}
	const asked = window.requestIdleCallback(run, { timeout: LATEST_MS });
	return () => window.cancelIdleCallback(asked);
}
