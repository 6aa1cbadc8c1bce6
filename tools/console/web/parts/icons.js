// icons: the few that the console has, drawn with one weight. All are decoration beside a word or a
// label, so none is read aloud.

import { html } from "../base/ui.js";

const PATHS = {
	anomalies: "M2 12h4l2-7 4 13 3-8 1 2h6",
	explore: "M3 19h18M4 15l5-5 4 3 7-8",
	tune: "M4 7h9M17 7h3M15 5v4M4 16h3M11 16h9M9 14v4",
	pipeline: "M3 7h7a4 4 0 014 4v2a4 4 0 004 4h3M3 17h5M16 7h5",
	sun: "M12 8a4 4 0 100 8 4 4 0 000-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.400 1.400M17.600 17.600L19 19M19 5l-1.400 1.400M6.400 17.600L5 19",
	moon: "M20 14.500A8 8 0 019.500 4 8 8 0 1020 14.500z",
	close: "M6 6l12 12M18 6L6 18",
	down: "M6 9l6 6 6-6",
	right: "M9 6l6 6-6 6",
	search: "M11 4a7 7 0 100 14 7 7 0 000-14zM16 16l4.500 4.500",
	check: "M5 12.500l4.500 4.500L19 7",
	export: "M12 4v11M7.500 11l4.500 4.500L16.500 11M5 20h14",
	up: "M12 19V5M6 11l6-6 6 6",
	fall: "M12 5v14M6 13l6 6 6-6",
};

export function Icon({ name, size = 18 }) {
	return html`
		<svg class="icon" viewBox="0 0 24 24" width=${size} height=${size} aria-hidden="true">
			<path d=${PATHS[name]} />
		</svg>
	`;
}

/** The console's mark: water over a weir. */
export function Mark() {
	return html`
		<svg class="mark" viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
			<path class="mark-wall" d="M15.500 16v11" />
			<path class="mark-water" d="M4 11h11c3.500 0 3 10 7 10h6" />
		</svg>
	`;
}
