// soon: many reasons to do something, within a while, are one. The first begins the while: what never
// rests is followed all the same.

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
