/*
 * anomalies: the first page: what was found is listed and drawn; slider and filters change list,
 * count and address, and back and forward bring them back; what is new appears by itself.
 */
import { until } from "../stage/processes.mjs";
import { play_incident, play_weeks } from "../stage/scenes.mjs";
import { assert, story, words } from "../stage/story.mjs";

await story("anomalies", async ({ stage, browser, step }) => {
	await play_weeks(stage);
	await stage.start_console();
	const page = await browser.open(`${stage.url}/?severity=0&range=all`);
	const list = page.getByRole("region", { name: "Anomalies" });
	const rows = list.locator("ol > li[data-id]");
	const slider = page.getByRole("slider", { name: "Least severity shown" });
	const count = page.getByRole("group", { name: "Severity" }).locator("output");

	/** What the API has for these filters, which the page must show. */
	async function answer(query) {
		const reply = await fetch(`${stage.url}/api/v1/anomalies?${new URLSearchParams(query)}`);
		assert.equal(reply.status, 200);
		return reply.json();
	}
	/** Until the list, the count and the slider are those of the filters; the answer of the API. */
	async function shows(query) {
		const { rows: wanted, total, histogram } = await answer({ severity: 0, ...query });
		const severity = Number(query.severity ?? 0);
		const shown = histogram.slice(severity).reduce((sum, each) => sum + each, 0);
		const ids = wanted.map(({ id }) => id).join(" ");
		await until(`${wanted.length} rows of ${JSON.stringify(query)}`, async () => {
			const listed = await rows.evaluateAll((all) =>
				all.map(({ dataset }) => dataset.id).join(" "),
			);
			return listed === ids && (await words(count)).includes(`${shown} of ${total} shown`);
		});
		return wanted;
	}
	const address = (name) => new URL(page.url()).searchParams.get(name);
	const choose = async (menu, option) => {
		await page.getByRole("button", { name: menu, exact: false }).first().click();
		await page.getByRole("menuitemcheckbox", { name: option }).click();
		await page.keyboard.press("Escape");
	};

	let all;
	await step("what was found is listed, in sentences", async () => {
		all = await shows({});
		assert.ok(all.length >= 5, `${all.length} rows`);
		const told = await words(rows);
		assert.match(told, /Orders were \d+ % below expected, mostly country=DE/);
		assert.match(told, /instead of/);
		assert.match(told, /mostly .*device=mobile/);
	});
	await step("the slider changes list, count, number box and address", async () => {
		for (const severity of ["100", "90", "99"]) {
			await slider.fill(severity);
			await shows({ severity });
			assert.equal(address("severity"), severity);
			assert.equal(await page.getByLabel("Severity from").inputValue(), severity);
		}
		const some = await shows({ severity: 99 });
		assert.ok(some.length > 0 && some.length < all.length, `${some.length} of ${all.length}`);
	});
	await step("the number box does the same", async () => {
		await page.getByLabel("Severity from").fill("0");
		await page.keyboard.press("Enter");
		await until("severity 0 in the address", () => address("severity") === "0");
		await shows({});
		assert.equal(await slider.inputValue(), "0");
	});
	await step("filters by metric, place, status, detector and direction", async () => {
		const filters = [
			["Metric", /^Orders/, { metric: "orders" }],
			["Where", /^DE/, { slice: "country=DE" }],
			["Status", /^Resolved/, { status: "resolved" }],
			["Detector", /orders/, { detector: "orders-seasonal" }],
			["Direction", /^Below/, { direction: "down" }],
		];
		for (const [menu, option, query] of filters) {
			await choose(menu, option);
			const [[name, value]] = Object.entries(query);
			await until(`${name} in the address`, () => address(name) !== null);
			const found = await shows({ ...query, [name]: address(name) });
			assert.ok(found.length > 0 && found.length <= all.length, `${name}=${value}`);
			await page.getByRole("button", { name: new RegExp(`^Remove ${menu}`) }).click();
			await until(`no ${name} in the address`, () => address(name) === null);
		}
		await shows({});
	});
	await step("two of them, a search, and all cleared again", async () => {
		await choose("Metric", /^Orders/);
		await choose("Where", /^mobile/);
		const both = await shows({ metric: "orders", slice: "device=mobile" });
		assert.ok(both.length > 0 && both.length < all.length);
		await page.getByRole("searchbox", { name: /^Search/ }).fill("mobile");
		await shows({ metric: "orders", slice: "device=mobile", q: "mobile" });
		await page.goto(`${stage.url}/?severity=0&range=all&metric=orders&slice=device=mobile`);
		await shows({ metric: "orders", slice: "device=mobile" });
		await page.getByRole("button", { name: "Clear all" }).click();
		await until("no filter in the address", () => !address("metric") && !address("slice"));
	});
	await step("back and forward bring list, count and address back", async () => {
		await page.goto(`${stage.url}/?severity=0&range=all`);
		await shows({});
		await choose("Metric", /^Revenue/);
		await shows({ metric: "revenue" });
		await slider.fill("100");
		await shows({ metric: "revenue", severity: 100 });
		await page.goBack();
		await page.goBack();
		await shows({});
		await page.goForward();
		await shows({ metric: "revenue" });
		await page.goBack();
		await shows({});
	});
	await step("rows can be sorted, and opened", async () => {
		await list.getByRole("combobox").selectOption("severity");
		await shows({ sort: "severity" });
		assert.equal(address("sort"), "severity");
		await list
			.getByRole("button", { name: /more series/ })
			.first()
			.click();
		await list.locator("ul").getByRole("link").first().waitFor();
		await list.getByRole("combobox").selectOption("newest");
	});
	await step("a metric of today narrows the list to it", async () => {
		const orders = page
			.getByRole("region", { name: /^Today/ })
			.getByRole("button", { name: /^Orders/ });
		await orders.click();
		await shows({ metric: "orders" });
		assert.equal(await orders.getAttribute("aria-pressed"), "true");
		await orders.click();
		await shows({});
	});
	await step("the lanes say when it was, by metric and by dimension", async () => {
		const table = page.getByRole("table", { name: /Anomalies by time/ });
		await until("a lane of orders", async () =>
			(await table.allTextContents()).join().includes("Orders"),
		);
		await page.getByRole("combobox", { name: /^by/ }).selectOption("country");
		await until("a lane of DE", async () => (await table.allTextContents()).join().includes("DE"));
		await page.goto(`${stage.url}/?severity=0`);
		const plot = page.getByRole("application", { name: /^Anomalies by time/ });
		await plot.focus();
		for (let i = 0; i < 3; i++) await page.keyboard.press("Shift+ArrowLeft");
		await page.keyboard.press("Enter");
		await until("a time in the address", () => address("from_ms") && address("to_ms"));
		await shows({ from_ms: address("from_ms"), to_ms: address("to_ms") });
		await page.getByRole("button", { name: /^Remove Time/ }).click();
		await until("no time in the address", () => !address("from_ms"));
	});
	await step("what is new appears by itself, in list, headline and count", async () => {
		await page.goto(stage.url);
		await until("all is as expected", async () =>
			(await words(page.getByRole("main").getByRole("heading", { level: 1 }))).includes(
				"All is as expected",
			),
		);
		await page.evaluate(() => {
			window.__not_loaded_anew = true;
		});
		await play_incident(stage);
		await until("the incident in the list", async () => {
			const waiting = list.getByRole("button", { name: /new$/ });
			if (await waiting.isVisible()) await waiting.click();
			return /Orders for .*country=IT.* (is|are) \d+ % below expected/.test(await words(rows));
		});
		await until("the incident in the headline", async () =>
			/country=IT/.test(await words(page.getByRole("main").getByRole("heading", { level: 1 }))),
		);
		assert.equal(await page.evaluate(() => window.__not_loaded_anew), true);
	});
});
