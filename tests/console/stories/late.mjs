/*
 * late: orders that come when an anomaly is over already: what it has cost is less then, in the list
 * and on its page.
 */
import { until } from "../stage/processes.mjs";
import { NOON_MS, play_incident, play_weeks } from "../stage/scenes.mjs";
import { assert, story, words } from "../stage/story.mjs";
import { STEP_MS, traffic } from "../stage/traffic.mjs";

const LATE = 120; // orders of the ones that were missing

await story("late", async ({ stage, browser, step }) => {
	let now_ms = NOON_MS + 6 * STEP_MS;
	/** The next interval, and with it what is of one before. */
	const go_on = async (late = []) => {
		const rows = traffic({ from_ms: now_ms, to_ms: now_ms + STEP_MS });
		now_ms += STEP_MS;
		await stage.import_rows([...late, ...rows]);
	};
	const query = "severity=0&range=all&metric=orders&slice=country%3DIT";
	const get = async (path) => (await fetch(`${stage.url}/api/v1/${path}`)).json();
	const found = async () => {
		const { rows } = await get("anomalies?severity=0&metric=orders&slice=country%3DIT");
		return rows.find(({ start_ms }) => start_ms === NOON_MS);
	};
	/** Observed less expected, of the chart. */
	const charted = async ({ metric, slice, source, start_ms, end_ms, interval_ms }) => {
		const span = { from_ms: start_ms, to_ms: end_ms, step_ms: interval_ms };
		const asked = new URLSearchParams({ metric, slice, source, ...span });
		const { value, expected } = await get(`chart?${asked}`);
		return value.reduce((sum, each, i) => sum + each - expected[i], 0);
	};
	const costs = (text, sum) => {
		const [, shown] = text.match(/(?:Impact|Lost)\s*\D?([\d,]+)/) ?? [];
		return Boolean(shown) && Math.abs(Number(shown.replaceAll(",", "")) + sum) <= 1;
	};

	await play_weeks(stage);
	await play_incident(stage);
	await stage.start_console();
	// To its end and no further: what ended a moment ago is summed again the soonest.
	let row;
	do {
		await go_on();
		row = await until("the anomaly", found);
		assert.ok(now_ms < NOON_MS + 24 * STEP_MS, "it does not end");
	} while (row.status !== "resolved");
	const page = await browser.open(`${stage.url}/?${query}`);
	const main = page.getByRole("main");
	let cost;
	const listed = () => words(main.locator(`li[data-id="${row.id}"] .is-impact`));
	const facts = () => words(main.locator("dl.facts"));

	await step("over, it has cost what its chart says, in the list and on its page", async () => {
		await until("its exact cost", async () => {
			row = await found();
			return !row.impact_about;
		});
		cost = await charted(row);
		assert.ok(cost < -LATE, String(cost));
		await page.goto(`${stage.url}/?${query}`);
		await until("that in the list", async () => costs(await listed(), cost));
		await main.locator(`li[data-id="${row.id}"]`).getByRole("link").first().click();
		await until("that on its page", async () => costs(await facts(), cost));
		await page.goBack();
	});
	await step("what comes late makes it less in the list, which is not loaded anew", async () => {
		await until("the list", async () => costs(await listed(), cost));
		await page.evaluate(() => {
			window.__not_loaded_anew = true;
		});
		await go_on([[NOON_MS + 3 * STEP_MS, "IT", "desktop", 1, LATE, 0].join(",")]);
		const less = await charted(row);
		assert.ok(less > cost + LATE / 2 && less < 0, `${less}, ${cost} before`);
		await until("its corrected cost", async () => Math.abs((await found()).impact - less) < 0.01);
		await go_on(); // the list follows what is closed
		await until("that in the list", async () => costs(await listed(), less));
		assert.equal(await page.evaluate(() => window.__not_loaded_anew), true);
		cost = less;
	});
	await step("and on its page", async () => {
		await main.locator(`li[data-id="${row.id}"]`).getByRole("link").first().click();
		await until("that on its page", async () => costs(await facts(), cost));
	});
});
