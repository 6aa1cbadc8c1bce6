// chart_theme: the colours that a canvas needs, read from the design tokens, and the shapes that
// stand for a severity's band. A canvas does not inherit either.

import { colour } from "../base/theme.js";

const TOKENS = {
	paper: "--raised",
	sunken: "--sunken",
	ink: "--ink",
	quiet: "--ink-3",
	line: "--line",
	edge: "--line-strong",
	accent: "--accent",
	tint: "--accent-tint",
	observed: "--observed",
	expected: "--expected",
	band: "--band",
	compare: "--compare",
	critical: "--critical",
	major: "--major",
	minor: "--minor",
	warning: "--warning",
	criticalTint: "--critical-tint",
	majorTint: "--major-tint",
	minorTint: "--minor-tint",
	warningTint: "--warning-tint",
};

// An octagon, a triangle, a diamond; a warning is a ring.
const SHAPES = {
	critical: [
		[-0.45, -1.1],
		[0.45, -1.1],
		[1.1, -0.45],
		[1.1, 0.45],
		[0.45, 1.1],
		[-0.45, 1.1],
		[-1.1, 0.45],
		[-1.1, -0.45],
	],
	major: [
		[0, -1.2],
		[1.2, 0.95],
		[-1.2, 0.95],
	],
	minor: [
		[0, -1.25],
		[1.25, 0],
		[0, 1.25],
		[-1.25, 0],
	],
};

export function chartTheme() {
	const colours = Object.entries(TOKENS).map(([name, token]) => [name, colour(token)]);
	const { fontFamily } = window.getComputedStyle(document.body);
	return { ...Object.fromEntries(colours), sans: fontFamily };
}

// A closed path of the band's own shape around (x, y), those of parts/severity.js: told apart without
// any colour.
export function shapePath(band, x, y, r) {
	const path = new Path2D();
	const corners = SHAPES[band];
	if (corners) {
		for (const [right, down] of corners) path.lineTo(x + right * r, y + down * r);
		path.closePath();
	} else path.arc(x, y, r * 0.85, 0, 2 * Math.PI);
	return path;
}
