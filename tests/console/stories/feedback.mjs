/*
 * feedback: what is said in the browser changes what the engine flags next, and taking it back
 * restores it: the same surge of orders three times, hushed the second time only.
 */
import { until } from "../stage/processes.mjs";
import { assert, story, words } from "../stage/story.mjs";

const MINUTE_MS = 60_000;
const BEGIN_MS = Date.UTC(2026, 0, 5);
const WINDOW = `interval: 60s
lateness: {event: 0s}
metrics:
  - {name: orders, event: purchase}
detectors:
  - {name: orders-window, metric: orders, kind: window, window: 30, k: 4, severity: 10, direction: up}
`;

/** Sums of minutes: `usual` orders in each, and so many in the last three of them if it surges. */
function minutes(from, count, surge) {
	return Array.from({ length: count }, (_, i) => {
		const orders = surge && i >= count - 8 && i < count - 4 ? 200 : 40 + ((from + i) % 3);
		return [BEGIN_MS + (from + i) * MINUTE_MS, "IT", "mobile", 0, orders, 0].join(",");
	});
}

await story(
	"feedback",
	async ({ stage, browser, step }) => {
		const found = () =>
			stage.ctl_json("anomalies", "--limit", "100").filter(({ data }) => data.slice === "");
		let minute = 0;
		const surge = async () => {
			await stage.import_rows(minutes(minute, 120, true));
			minute += 120;
			return found().length;
		};
		await stage.start_console();
		const page = await browser.open(`${stage.url}/?severity=0`);
		const main = page.getByRole("main");

		await step("a surge is flagged", async () => {
			assert.equal(await surge(), 1);
			await main
				.getByRole("link", { name: /Orders/ })
				.last()
				.click();
			await page.waitForURL(/\/anomalies\//);
		});
		await step("it is none, says somebody, and the page says what follows", async () => {
			await main.getByRole("button", { name: "No", exact: true }).click();
			const verdict = main.locator(".verdict");
			await verdict.getByRole("button", { name: "Undo" }).waitFor();
			await until("the effect", async () => /more severe to fire/.test(await words(verdict)));
		});
		await step("the same surge is not flagged any more", async () => {
			assert.equal(await surge(), 1);
		});
		await step("it is taken back", async () => {
			await main.locator(".verdict").getByRole("button", { name: "Undo" }).click();
			await until("nothing said", async () => (await main.locator(".verdict-said").count()) === 0);
			await until("the engine to know", () => !found().at(-1).operator?.feedback);
		});
		await step("the same surge is flagged again", async () => {
			assert.equal(await surge(), 2);
			await page.goto(`${stage.url}/?severity=0&range=all`);
			const rows = main.locator("li[data-id]");
			await until("two rows", async () => (await rows.count()) === 2);
		});
	},
	{ yaml: WINDOW },
);
