/*
 * shell: what stands around every page: where one is, where one can go, help, light and dark, whether
 * the engine is there; and addresses that are none.
 */
import { until } from "../stage/processes.mjs";
import { assert, story, words } from "../stage/story.mjs";

const PAGES = [
	{ name: "Anomalies", path: "/" },
	{ name: "Explore", path: "/explore" },
	{ name: "Tune", path: "/tune" },
	{ name: "Pipeline", path: "/pipeline" },
];

const shown_theme = (page) =>
	page.evaluate(() => window.getComputedStyle(document.documentElement).backgroundColor);

async function walk(page) {
	for (const { name, path } of PAGES.concat(PAGES[0])) {
		const link = page.getByRole("navigation").getByRole("link", { name });
		await link.click();
		await page.waitForURL((url) => url.pathname === path);
		await until(`${name} to be the page`, async () => {
			const current = await link.getAttribute("aria-current");
			return current === "page" && (await page.title()).includes(name);
		});
	}
}

// Who had a browser go out for it, each time: the page itself ("link") or its script; what the page has
// named and what its script asks for is one.
const askers = (page, path) =>
	page.evaluate(
		(path) =>
			performance
				.getEntriesByType("resource")
				.filter(({ name }) => new URL(name).pathname === path)
				.map(({ initiatorType }) => initiatorType),
		path,
	);

await story("shell", async ({ stage, browser, step }) => {
	await stage.start_console();
	for (const width of [1280, 390])
		await step(`${width} wide, what the first page names is what it asks for`, async () => {
			const page = await browser.open(stage.url, { width });
			await page.getByRole("heading", { level: 1 }).first().waitFor();
			assert.deepEqual(await askers(page, "/api/v1/first"), ["link"]);
			assert.deepEqual((await askers(page, "/api/v1/overview")).slice(0, 1), ["link"]);
			await page.context().close();
		});
	const page = await browser.open(stage.url, { colorScheme: "light" });

	await step("the navigation leads to every screen", () => walk(page));
	await step("back and forward go where one was", async () => {
		await page.goBack();
		await page.waitForURL((url) => url.pathname === "/pipeline");
		await page.goForward();
		await page.waitForURL((url) => url.pathname === "/");
	});
	await step("keys lead there too", async () => {
		await page.keyboard.press("4");
		await page.waitForURL((url) => url.pathname === "/pipeline");
		await page.keyboard.press("1");
		await page.waitForURL((url) => url.pathname === "/");
	});
	await step("? opens the help with the keys of the page, Escape closes it", async () => {
		await page.keyboard.press("?");
		const help = page.getByRole("dialog", { name: "Help" });
		await help.waitFor();
		for (const key of ["t", "?"])
			assert.ok((await help.locator("kbd").allInnerTexts()).includes(key));
		await page.keyboard.press("Escape");
		await help.waitFor({ state: "hidden" });
	});
	await step("light and dark: by key and button, in the address, from page to page", async () => {
		const light = await shown_theme(page);
		await page.keyboard.press("t");
		await page.waitForURL((url) => url.searchParams.get("theme") === "dark");
		const dark = await shown_theme(page);
		assert.notEqual(dark, light);
		await page.getByRole("navigation").getByRole("link", { name: "Pipeline" }).click();
		await page.waitForURL((url) => url.pathname === "/pipeline");
		assert.equal(new URL(page.url()).searchParams.get("theme"), "dark");
		await page.reload();
		assert.equal(await shown_theme(page), dark);
		await page.getByRole("button", { name: "Switch to light" }).click();
		await until("light", async () => (await shown_theme(page)) === light);
	});
	await step("as the system has it, where nobody chose", async () => {
		const other = await browser.open(stage.url, { colorScheme: "dark" });
		assert.notEqual(await shown_theme(other), await shown_theme(page));
		await other.close();
	});
	await step("when the engine goes away and comes back, the page says so", async () => {
		const state = page.getByRole("banner").getByRole("status");
		await until("Live", async () => (await words(state)).includes("Live"));
		await stage.stop_engine();
		await until("Engine away", async () => (await words(state)).includes("Engine away"));
		await stage.start_engine();
		await until("Live again", async () => (await words(state)).includes("Live"));
	});
	await step("when the console goes away and comes back, the page finds it again", async () => {
		const state = page.getByRole("banner").getByRole("status");
		browser.forgive(/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET/);
		await stage.stop_console();
		await until("Reconnecting", async () => (await words(state)).includes("Reconnecting"));
		await stage.start_console();
		await until("Live again", async () => (await words(state)).includes("Live"));
	});
	await step("an address that is none is none", async () => {
		assert.equal((await fetch(`${stage.url}/nowhere`)).status, 404);
	});
});
