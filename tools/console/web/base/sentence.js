// sentence: an anomaly in plain words: "Revenue is 64 % below expected, mostly country=IT". In parts,
// because names come from outside and are set apart from our words (each in a <bdi>).

import { exact, percent, title } from "./format.js";

const MOSTLY = 0.5;
const FLOWS = ["count", "sum", "distinct"];

function isPlural(name) {
	return /s$/i.test(name) && !/(ss|us|is)$/i.test(name);
}

function verb(row, plural) {
	if (row.end_ms === null) return plural ? "are" : "is";
	return plural ? "were" : "was";
}

function stopped(row, plural) {
	if (row.end_ms !== null) return "stopped";
	return plural ? "have stopped" : "has stopped";
}

// What happened, without the subject: "is 64 % below expected".
function deviation(row, plural) {
	const { observed, expected, change, unit } = row;
	const is = verb(row, plural);
	const side = row.direction === "up" ? "above" : "below";
	// A share of 0 %, or a mean of 0, has not stopped.
	const isFlow = FLOWS.includes(row.aggregation);
	if (row.kind === "absence" || (isFlow && observed === 0 && expected > 0))
		return stopped(row, plural);
	if (observed !== null && expected !== null && expected <= 0 && observed > 0)
		return `${is} ${exact(observed, unit)} where none ${is === "is" || is === "are" ? "is" : "was"} expected`;
	if (typeof change !== "number") return `${is} ${side} what is expected`;
	if (change >= 2)
		return `${is} ${exact(Math.round((change + 1) * 10) / 10)} times what is expected`;
	return `${is} ${percent(change)} ${side} expected`;
}

function causes(row) {
	const found = (row.explanation ?? []).filter(({ slice }) => slice && slice !== row.slice);
	if (!found.length) return [];
	const parts = [{ text: found[0].share >= MOSTLY ? ", mostly " : ", in part " }];
	for (const [index, { slice }] of found.slice(0, 2).entries()) {
		if (index) parts.push({ text: " and " });
		parts.push({ text: slice, name: true });
	}
	if (found.length > 2) parts.push({ text: ` and ${found.length - 2} more` });
	return parts;
}

/** [{text, name: true where it comes from outside}], in reading order. */
export function sentence(row, { because = true } = {}) {
	const name = title(row.metric);
	const parts = [{ text: name, name: true, subject: true }];
	if (row.slice) parts.push({ text: " for " }, { text: row.slice, name: true });
	parts.push({ text: ` ${deviation(row, isPlural(name))}` });
	return because ? parts.concat(causes(row)) : parts;
}

/** The same as one string, for titles, labels and what is read aloud. */
export function sentenceText(row, options) {
	return sentence(row, options)
		.map(({ text }) => text)
		.join("");
}

const STATUS = {
	open: "Open",
	acknowledged: "Acknowledged",
	muted: "Muted",
	resolved: "Resolved",
	dismissed: "Dismissed",
	confirmed: "Confirmed",
};

export function statusWord(status) {
	return STATUS[status] ?? title(status ?? "");
}
