// now: the time by the console's clock. This machine's may be wrong by hours, and all that is shown is
// of the engine's times.

const NEAR_MS = 5000; // less is the way of an answer

let ahead_ms = 0;

export function now() {
	return Date.now() + ahead_ms;
}

/** What the console's clock says at this moment. */
export function setNow(now_ms) {
	const by_ms = now_ms - Date.now();
	ahead_ms = Math.abs(by_ms) < NEAR_MS ? 0 : by_ms;
}
