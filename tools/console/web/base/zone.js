// zone: the clocks of the engine's zone. All times are shown by them. Making an Intl.DateTimeFormat
// takes as long as drawing half a page, so a zone says once when its clocks are changed, and dates are
// reckoned; the browser is asked only where nobody said.

const SECOND = 1000;

let zone = { name: "UTC", turns: [[Number.NEGATIVE_INFINITY, 0]], asked: null };

function formatter(name) {
	const number = "numeric";
	return new Intl.DateTimeFormat("en-GB", {
		timeZone: name,
		hourCycle: "h23",
		year: number,
		month: number,
		day: number,
		hour: number,
		minute: number,
		second: number,
	});
}

/** Once, from the session. turns: [[since_ms, ahead_ms]], oldest first; null: nobody knows. */
export function setZone(name, turns) {
	if (turns?.length) zone = { name, turns, asked: null };
	else if (name === "UTC") zone = { name, turns: [[Number.NEGATIVE_INFINITY, 0]], asked: null };
	else
		try {
			zone = { name, turns: null, asked: formatter(name) };
		} catch {
			setZone("UTC", null);
		}
}

export function zoneName() {
	return zone.name;
}

function ask(time_ms) {
	const parts = zone.asked.formatToParts(time_ms);
	const of = Object.fromEntries(parts.map(({ type, value }) => [type, Number(value)]));
	const local = Date.UTC(of.year, of.month - 1, of.day, of.hour, of.minute, of.second);
	return local - Math.floor(time_ms / SECOND) * SECOND;
}

/** How far the zone's clocks are ahead of UTC at a time, in ms. */
export function zoneOffset(time_ms) {
	if (!zone.turns) return ask(time_ms);
	const turn = zone.turns.findLast(([since_ms]) => since_ms <= time_ms);
	return (turn ?? zone.turns[0])[1];
}

/** A Date whose UTC fields are what the zone's clocks show. */
export function zoned(time_ms) {
	return new Date(time_ms + zoneOffset(time_ms));
}
