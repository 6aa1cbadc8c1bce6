/*
 * browser: Debian's Chromium by playwright-core, and a list of everything that it complains of:
 * errors in its console, exceptions, failed requests, what the content security policy stopped.
 */
import { installed, launch } from "./chromium.mjs";

const axe_source = installed("axe-core").source;

export class Browser {
	constructor() {
		this.complaints = [];
		this.forgiven = [];
		this.pages = 0;
	}

	/** What a story brings about on purpose, as an engine that is gone, is no complaint from here on. */
	forgive(pattern) {
		this.forgiven.push(pattern);
	}

	async start() {
		this.chromium = await launch();
	}

	/** A page of its own profile; width, height, colorScheme, reducedMotion as playwright has them. */
	async open(url, { width = 1280, height = 800, ...more } = {}) {
		const viewport = { width, height };
		const context = await this.chromium.newContext({ viewport, locale: "en-GB", ...more });
		context.setDefaultTimeout(60000);
		const page = await context.newPage();
		this.#listen(page);
		await page.addInitScript(() => {
			window.__stopped_by_policy = [];
			document.addEventListener("securitypolicyviolation", (event) => {
				window.__stopped_by_policy.push(`${event.violatedDirective} ${event.blockedURI}`);
				console.error(`content security policy: ${event.violatedDirective} ${event.blockedURI}`);
			});
		});
		await page.goto(url);
		this.last = page;
		this.pages++;
		return page;
	}

	#listen(page) {
		const complain = (text) => {
			if (this.forgiven.some((pattern) => pattern.test(text))) return;
			this.complaints.push(`${new URL(page.url()).pathname}: ${text}`);
		};
		page.on("console", (message) => {
			if (message.type() === "error") complain(`console: ${message.text()}`);
		});
		page.on("pageerror", (error) => complain(`exception: ${error.stack ?? error}`));
		page.on("dialog", (dialog) => {
			complain(`dialog: ${dialog.message()}`);
			dialog.dismiss();
		});
		page.on("request", (request) => {
			if (request.url().endsWith("/api/v1/csp")) complain(`report: ${request.postData()}`);
		});
		page.on("response", (response) => {
			if (response.status() >= 400) complain(`${response.status()} ${response.url()}`);
		});
	}

	/** What axe-core finds wrong with the page as it is now, in words. */
	async judge(page) {
		await page.evaluate(axe_source);
		const { violations } = await page.evaluate(() => window.axe.run(document));
		return violations.flatMap(({ id, help, nodes }) =>
			nodes.map((node) => `${id}: ${help}: ${node.target.join(" ")} (${node.failureSummary})`),
		);
	}

	/** A picture and the text of the page in hand, for who must find out why a story failed. */
	async picture(path) {
		if (this.last && !this.last.isClosed()) await this.last.screenshot({ path });
	}

	async end() {
		await this.chromium?.close();
	}
}
