// path: numbers as the path of a line in a picture.

export function isNumber(value) {
	return typeof value === "number" && Number.isFinite(value);
}

export const tenth = (value) => Math.round(value * 10) / 10;

/** A line through places, "x y" each, broken where one is null. */
export function lineOf(places) {
	let path = "";
	for (const [index, place] of places.entries())
		if (place) path += (places[index - 1] ? "L" : "M") + place;
	return path;
}

/** A line through the values that are there; x(index), y(value). */
export function pathOf(values, x, y) {
	const place = (v, index) => (isNumber(v) ? `${tenth(x(index))} ${tenth(y(v))}` : null);
	return lineOf((values ?? []).map(place));
}
