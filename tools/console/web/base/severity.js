// severity: 0 to 100 means the same for every metric; its bands have a name, a shape and a colour.

export const BANDS = [
	{ name: "critical", word: "Critical", from: 75 },
	{ name: "major", word: "Major", from: 50 },
	{ name: "minor", word: "Minor", from: 25 },
	{ name: "warning", word: "Warning", from: 3 },
];

/** The band of a severity, or null below all of them. */
export function bandOf(severity) {
	return BANDS.find(({ from }) => severity >= from) ?? null;
}

/** Rounded down, so that what is shown as 75 is critical. */
export function severityText(severity) {
	return typeof severity === "number" ? String(Math.floor(severity)) : "\u2013";
}
