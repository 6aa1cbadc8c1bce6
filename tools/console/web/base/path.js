// path: numbers as the path of a line in a picture.

export function isNumber(value) {
	return typeof value === "number" && Number.isFinite(value);
}

/** A line through the values that are there, broken where one is not; x(index), y(value). */
export function pathOf(values, x, y) {
	let path = "";
	let on = false;
	for (const [index, value] of (values ?? []).entries()) {
		if (isNumber(value)) path += `${on ? "L" : "M"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
		on = isNumber(value);
	}
	return path;
}
