// take: see the script beside it, which finds a browser and playwright-core.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { launch } from "../../../tests/console/stage/chromium.mjs";

const SIZES = { wide: { width: 1440, height: 900 }, narrow: { width: 360, height: 740 } };
const THEMES = ["light", "dark"];
const HEIGHT_MAX = 8000;
const SETTLE_MS = 700; // pictures that follow each other, as small charts do
const RATES_MS = 6000; // the pipeline has rates only after some seconds

// What is photographed: an address, what has to be there first, and what is done before.
function screensOf(id) {
	const anomaly = `/anomalies/${id}`;
	const chart = ".chart-plot canvas";
	return [
		{ name: "anomalies", path: "/", wait: "main h1, main h2, main table" },
		{
			name: "filtered",
			path: "/?severity=75&direction=down",
			wait: "main h1, main h2, main table",
		},
		{ name: "anomaly", path: anomaly, wait: chart },
		{ name: "year", path: `${anomaly}?chart=400d`, wait: chart },
		{ name: "mute", path: anomaly, wait: chart, keys: ["m"], still: true },
		{ name: "help", path: "/", wait: "main", keys: ["?"], still: true },
		{ name: "pipeline", path: "/pipeline", wait: ".stages", settle_ms: RATES_MS },
		{ name: "explore", path: "/explore", wait: "main h1, main h2" },
		{ name: "tune", path: "/tune", wait: "main h1, main h2" },
	];
}

// The most severe anomaly of the metric that has cost most, or null where there is none.
async function pickAnomaly(base) {
	const reply = await fetch(new URL("/api/v1/anomalies?by=group&sort=impact&limit=20", base));
	const { rows } = await reply.json();
	const cost = ({ impact, unit }) => (unit === "value" ? Math.abs(impact ?? 0) : 0);
	return rows?.sort((a, b) => cost(b) - cost(a) || b.peak - a.peak)[0]?.id ?? null;
}

async function openPage(browser, base, screen, theme, size) {
	const page = await browser.newPage({
		viewport: SIZES[size],
		colorScheme: theme,
		locale: "en-GB",
	});
	page.on("pageerror", (error) => console.error(`${screen.name}: ${error.stack}`));
	page.on("console", (message) => {
		if (message.type() === "error") console.error(`${screen.name}: ${message.text()}`);
	});
	const url = new URL(screen.path, base);
	url.searchParams.set("theme", theme);
	await page.goto(url.href);
	await page.waitForSelector(screen.wait, { timeout: 30000 });
	for (const key of screen.keys ?? []) await page.keyboard.press(key);
	return page;
}

// The whole page as one screen: what stands at its foot is then at the foot of the picture.
async function stretch(page, size) {
	const height = await page.evaluate(() => document.documentElement.scrollHeight);
	await page.setViewportSize({ ...SIZES[size], height: Math.min(HEIGHT_MAX, height) });
}

async function picture(browser, base, screen, theme, size, folder) {
	const page = await openPage(browser, base, screen, theme, size);
	if (!screen.still) await stretch(page, size);
	await page.waitForTimeout(screen.settle_ms ?? SETTLE_MS);
	const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
	if (wider > 0)
		console.error(`${screen.name} ${theme} ${size}: ${wider} px wider than the window`);
	const path = join(folder, `${screen.name}-${theme}-${size}.png`);
	await page.screenshot({ path });
	await page.close();
	console.log(path);
}

// What one sees first, no more: the picture says what it is, the console shows the rest.
async function readmePicture(browser, base, screen, theme) {
	const page = await openPage(browser, base, screen, theme, "wide");
	await page.waitForTimeout(SETTLE_MS);
	const path = fileURLToPath(new URL(`../${screen.name}.png`, import.meta.url));
	await page.screenshot({ path });
	await page.close();
	console.log(path);
}

const options = {
	only: { type: "string" },
	anomaly: { type: "string" },
	readme: { type: "boolean" },
};
const { values, positionals } = parseArgs({ options, allowPositionals: true });
const [base, folder] = positionals;
const id = values.anomaly ?? (await pickAnomaly(base));
const screens = screensOf(id).filter(({ path }) => id !== null || !path.startsWith("/anomalies/"));
const browser = await launch();
const named = (name) => screens.find((screen) => screen.name === name);
if (values.readme) {
	await readmePicture(browser, base, named("anomalies"), "light");
	await readmePicture(browser, base, named("anomaly"), "dark");
} else {
	mkdirSync(folder, { recursive: true });
	for (const screen of screens.filter(({ name }) => !values.only || name === values.only))
		for (const theme of THEMES)
			for (const size of Object.keys(SIZES))
				await picture(browser, base, screen, theme, size, folder);
}
await browser.close();
