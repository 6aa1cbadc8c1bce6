// export: all that the filters leave, as a file: page by page from the API, put together here.

import { get } from "./api.js";

const PAGE = 1000;
const MOST_PAGES = 20;
const COLUMNS = [
	"id",
	"group",
	"metric",
	"slice",
	"source",
	"detector",
	"kind",
	"status",
	"severity",
	"peak",
	"direction",
	"start",
	"end",
	"observed",
	"expected",
	"change",
	"impact",
	"verdict",
];

async function fetchAll(asked) {
	const rows = [];
	let cursor = null;
	for (let page = 0; page < MOST_PAGES; page++) {
		const reply = await get("anomalies", { ...asked, by: "each", limit: PAGE, cursor });
		rows.push(...reply.rows);
		cursor = reply.cursor;
		if (!cursor) break;
	}
	return rows;
}

// Quoted where it must be; what a spreadsheet would take for a formula is made text.
function cell(value) {
	if (value === null || value === undefined) return "";
	if (typeof value === "number") return String(value);
	const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
	return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function toCsv(rows) {
	const time = (ms) => (typeof ms === "number" ? new Date(ms).toISOString() : null);
	const lines = rows.map((row) => {
		const told = { ...row, start: time(row.start_ms), end: time(row.end_ms) };
		return COLUMNS.map((name) => cell(told[name])).join(",");
	});
	return `${[COLUMNS.join(","), ...lines].join("\r\n")}\r\n`;
}

/** Saves them as anomalies.csv or anomalies.json; how many there were. */
export async function saveAll(asked, format) {
	const rows = await fetchAll(asked);
	const text = format === "csv" ? toCsv(rows) : `${JSON.stringify(rows, null, "\t")}\n`;
	const type = format === "csv" ? "text/csv" : "application/json";
	const url = URL.createObjectURL(new Blob([text], { type }));
	const link = document.createElement("a");
	link.href = url;
	link.download = `anomalies.${format}`;
	link.click();
	window.setTimeout(() => URL.revokeObjectURL(url), 1000);
	return rows.length;
}
