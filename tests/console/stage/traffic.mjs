/*
 * traffic: a made-up shop in sums of ten minutes: the same numbers for the same seed. weirctl
 * imports them under the clock of their own times, so that weeks take seconds.
 */
import { writeFileSync } from "node:fs";

export const STEP_MS = 600_000;
export const DAY_MS = 86_400_000;
/** A Monday; the stage's time zone is UTC. */
export const MONDAY_MS = Date.UTC(2026, 4, 4);

const COUNTRIES = { DE: 0.4, IT: 0.3, FR: 0.2, AT: 0.1 };
const DEVICES = { desktop: 0.45, mobile: 0.55 };

/** Numbers between 0 and 1 that follow from a seed (mulberry32). */
export function random_from(seed) {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
	};
}

/** About as many as `mean`, as counts are: by a normal draw, never below 0. */
function draw(mean, random) {
	const around = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
	return Math.max(0, Math.round(mean + Math.sqrt(mean) * around));
}

/** How busy the shop is then, 1 on average: a day, and a calmer weekend. */
function busy(ms) {
	const hour = (ms % DAY_MS) / 3_600_000;
	const day = new Date(ms).getUTCDay();
	return (1 + 0.6 * Math.sin(((hour - 9) * Math.PI) / 12)) * (day === 0 || day === 6 ? 0.7 : 1.1);
}

/**
 * Rows of a file for import, from `from_ms` to `to_ms`: views, orders and revenue by country and
 * device. incidents: [{from_ms, to_ms, country, device, event, factor}], a missing key being any.
 */
export function traffic({ from_ms, to_ms, seed = 1, incidents = [] }) {
	const random = random_from(seed + from_ms / STEP_MS);
	const rows = [];
	for (let ms = from_ms; ms < to_ms; ms += STEP_MS)
		for (const [country, of_country] of Object.entries(COUNTRIES))
			for (const [device, of_device] of Object.entries(DEVICES)) {
				const mean = 900 * busy(ms) * of_country * of_device;
				const factor = (event) =>
					incidents
						.filter((i) => ms >= i.from_ms && ms < i.to_ms)
						.filter((i) => (i.country ?? country) === country)
						.filter((i) => (i.device ?? device) === device)
						.filter((i) => (i.event ?? event) === event)
						.reduce((product, i) => product * i.factor, 1);
				const views = draw(mean * factor("page_view"), random);
				const orders = draw(mean * 0.12 * factor("purchase"), random);
				const revenue = (orders * (38 + 4 * random())).toFixed(2);
				rows.push([ms, country, device, views, orders, revenue].join(","));
			}
	return rows;
}

/** Into a CSV file as stage.import_sums() takes it. */
export function write_sums(path, rows) {
	writeFileSync(path, `time,country,device,views,orders,revenue\n${rows.join("\n")}\n`);
}
