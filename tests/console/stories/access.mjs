/*
 * access: axe-core finds nothing wrong on any screen, in both themes, wide and narrow, with dialogs
 * and menus open, full and empty.
 */
import { until } from "../stage/processes.mjs";
import { play_incident, play_weeks } from "../stage/scenes.mjs";
import { assert, story } from "../stage/story.mjs";

await story("access", async ({ stage, browser, step }) => {
	let judged = 0;
	const problems = [];
	/** Judge the page in both themes; open: what is to be opened first. */
	async function judge(what, path, { width = 1280, ready, open = async () => {} }) {
		for (const theme of ["light", "dark"]) {
			const url = new URL(path, stage.url);
			url.searchParams.set("theme", theme);
			const page = await browser.open(url.href, { width, reducedMotion: "reduce" });
			await ready(page);
			await open(page);
			for (const problem of await browser.judge(page))
				problems.push(`${what}, ${theme}: ${problem}`);
			judged++;
			await page.context().close();
		}
	}
	const heading = (page) =>
		page.getByRole("main").getByRole("heading", { level: 1 }).first().waitFor();
	const rows = (page) => page.getByRole("main").locator("li[data-id]").first().waitFor();
	const press = (key, role, name) => async (page) => {
		await page.keyboard.press(key);
		await page.getByRole(role, { name }).first().waitFor();
	};

	await stage.start_console();
	await step("the first run", () => judge("first run", "/", { ready: heading }));
	await play_weeks(stage);
	await step("a list without an anomaly", async () => {
		const nothing = (page) =>
			page.getByText("Nothing was found").or(page.getByText("Nothing of this")).first().waitFor();
		await judge("an empty list", "/?range=1h", { ready: nothing });
	});
	await play_incident(stage);
	const { rows: found } = await (
		await fetch(`${stage.url}/api/v1/anomalies?severity=0&by=each`)
	).json();
	const one = `/anomalies/${found.find(({ metric }) => metric === "orders").id}`;
	const chart = (page) =>
		until("a drawing", () =>
			page
				.getByRole("figure")
				.locator("canvas")
				.first()
				.evaluate(({ width }) => width > 100),
		);

	await step("the anomalies, wide and narrow", async () => {
		await judge("anomalies", "/?severity=0&range=all", { ready: rows });
		await judge("anomalies, narrow", "/?severity=0&range=all", { width: 390, ready: rows });
	});
	await step("with a menu, with members, with the help", async () => {
		await judge("menu", "/?severity=0", {
			ready: rows,
			open: async (page) => {
				await page.getByRole("button", { name: /^Metric/ }).click();
				await page.getByRole("menuitemcheckbox").first().waitFor();
			},
		});
		await judge("members", "/?severity=0", {
			ready: rows,
			open: async (page) => {
				await page
					.getByRole("button", { name: /more series/ })
					.first()
					.click();
				await page.locator("ul.members").first().waitFor();
			},
		});
		await judge("help", "/", { ready: heading, open: press("?", "dialog", "Help") });
	});
	await step("one anomaly, wide and narrow", async () => {
		await judge("anomaly", one, { ready: chart });
		await judge("anomaly, narrow", one, { width: 390, ready: chart });
	});
	await step("with its table, with its dialogs", async () => {
		await judge("table", one, {
			ready: chart,
			open: async (page) => {
				await page.getByRole("button", { name: "Show as a table" }).click();
				await page.getByRole("region", { name: "Data of the chart" }).waitFor();
			},
		});
		await judge("mute", one, { ready: chart, open: press("m", "dialog", "Mute alerts") });
		await judge("note", one, { ready: chart, open: press("w", "dialog", "Annotate") });
	});
	await step("the pipeline, wide and narrow", async () => {
		const table = (page) => page.getByRole("region", { name: "Sources" }).waitFor();
		await judge("pipeline", "/pipeline", { ready: table });
		await judge("pipeline, narrow", "/pipeline", { width: 390, ready: table });
	});
	await step("what comes later", async () => {
		const later = (page) => page.getByText("later").first().waitFor();
		await judge("explore", "/explore", { ready: later });
		await judge("tune", "/tune", { ready: later });
	});
	console.log(`PROOF console-access ${judged} ${problems.length}`);
	assert.deepEqual(problems, []);
});
