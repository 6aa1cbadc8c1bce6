/*
 * pipeline: a real shop attaches, and the page shows it, each second and by itself: its rate, its
 * rings, lanes, sources, versions; that Redis is away, that the engine is away, that all is well again.
 */
import { until } from "../stage/processes.mjs";
import { assert, story, words } from "../stage/story.mjs";

const LIVE = `interval: 1s
lateness: {wall: 200ms}
metrics:
  - {name: page_views, event: page_view, by: [country]}
  - {name: orders, event: purchase}
`;

await story(
	"pipeline",
	async ({ stage, browser, step }) => {
		await stage.start_console();
		const page = await browser.open(`${stage.url}/pipeline`, {
			permissions: ["clipboard-read", "clipboard-write"],
		});
		const main = page.getByRole("main");
		const table = (name) => main.getByRole("region", { name, exact: true });
		const troubles = main.getByRole("list", { name: "What is wrong" });
		const telling = (text) => until(text, async () => (await words(main)).includes(text));

		await step("an engine without producers: all is well", async () => {
			await main.getByRole("heading", { name: "Pipeline", level: 1 }).waitFor();
			await telling("All is well.");
			const status = stage.ctl_json("status")[0];
			const versions = await words(main.locator("dl.about"));
			for (const fact of [status.version, String(status.pid), status.durability])
				assert.ok(versions.includes(fact), `${fact} in ${versions}`);
		});
		let shop;
		await step("a shop attaches and is shown by itself", async () => {
			shop = stage.start_shop(["--clock", "wall", "--days", "0", "--forever", "--rate", "60000"]);
			await until("its row", async () => (await words(table("Producers"))).includes("weir-shop"));
		});
		await step("its rate moves each second", async () => {
			const rate = async () => /weir-shop.*?\n(.*)/s.exec(await words(table("Producers")))?.[1];
			await until("a rate", async () => /[1-9]/.test((await rate()) ?? ""));
			const before = await rate();
			await until("another look", async () => (await rate()) !== before);
		});
		await step("lanes, sources and stages speak of it", async () => {
			await until("a source", async () => (await words(table("Sources"))).includes("shop"));
			assert.match(await words(table("Lanes")), /\d/);
			const stages = await words(main.getByRole("list", { name: "From producer to alert" }));
			for (const name of ["Producers", "Redis"])
				assert.ok(stages.includes(name), `${name} in ${stages}`);
			assert.match(await words(table("Detectors")), /page_views/);
		});
		await step("a shop that ends is gone", async () => {
			await stage.stop_shop(shop);
			await until("no row", async () => !(await words(table("Producers"))).includes("weir-shop"));
		});
		await step("Redis goes away and comes back", async () => {
			await stage.stop_redis();
			await until("the words", async () => /Redis is away/.test(await words(troubles)));
			await stage.start_redis();
			await telling("All is well.");
		});
		await step("what it shows can be copied", async () => {
			await main.getByRole("button", { name: "Copy diagnostics" }).click();
			await until("JSON", async () => {
				const text = await page.evaluate(() => navigator.clipboard.readText());
				return JSON.parse(text).status.version;
			});
		});
		await step("the engine goes away and comes back", async () => {
			await stage.stop_engine();
			await telling("The engine is away.");
			await stage.start_engine();
			await telling("All is well.");
		});
	},
	{ yaml: LIVE },
);
