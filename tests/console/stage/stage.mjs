/*
 * stage: a private Redis, weird and weir-console on sockets and a free port in a temporary
 * directory, and what is fed to them. Programs come from WEIR_BUILD, which meson sets.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { free_port, ready, run, start, stop, until } from "./processes.mjs";
import { traffic, write_sums } from "./traffic.mjs";

const build = process.env.WEIR_BUILD;

export const SHOP = `interval: 10m
lateness: {event: 0s}
metrics:
  - {name: orders, event: purchase, by: [country, device]}
  - {name: revenue, event: purchase, agg: sum, by: [country, device]}
  - {name: page_views, event: page_view, by: [country]}
  - {name: conversion, ratio: orders / page_views, by: [country]}
`;

export class Stage {
	constructor(yaml) {
		// Not in /run or /dev/shm: the log wants a file system that takes O_DIRECT.
		const parent = process.env.TMPDIR ?? (tmpdir() === "/tmp" ? "/var/tmp" : tmpdir());
		this.folder = mkdtempSync(join(parent, "weir-console."));
		this.yaml = yaml;
		this.processes = [];
		this.files = 0;
	}

	path(name) {
		return join(this.folder, name);
	}

	#start(name, program, operands) {
		const child = start(program, operands, { log: this.path(`${name}.log`) });
		this.processes.push(child);
		return child;
	}

	async start_redis() {
		const socket = this.path("redis.sock");
		const operands = ["--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no"];
		this.redis = this.#start("redis", "redis-server", [...operands, "--dir", this.folder]);
		await until("redis-server", () => run("redis-cli", ["-s", socket, "ping"]).includes("PONG"));
	}

	async start_engine() {
		const places = `data_directory: data\nsocket: weir.sock\ncontrol_socket: control.sock\n`;
		const redis = this.redis ? `redis: {url: "unix://${this.path("redis.sock")}"}\n` : "";
		writeFileSync(this.path("weir.yaml"), `${places}environment: test\n${redis}${this.yaml}`);
		const operands = ["--config", this.path("weir.yaml")];
		this.engine = this.#start(`weird-${this.processes.length}`, `${build}/engine/weird`, operands);
		await ready(this.engine, "ready: producers");
	}

	async stop_engine() {
		const code = await stop(this.engine);
		if (code !== 0) throw new Error(`weird ended with ${code}`);
	}

	/** On a port of loopback; `more`: further options. */
	async start_console(more = []) {
		this.port ??= await free_port();
		this.url = `http://127.0.0.1:${this.port}`;
		const operands = ["--listen", `127.0.0.1:${this.port}`, "--data", this.path("data")];
		operands.push("--control", this.path("control.sock"), ...more);
		const program = `${build}/tools/console/weir-console`;
		this.console = this.#start(`console-${this.processes.length}`, program, operands);
		await until("weir-console", async () => {
			if (this.console.code !== undefined)
				throw Object.assign(new Error(`weir-console ended with ${this.console.code}`), {
					final: true,
				});
			return (await fetch(`${this.url}/-/healthy`)).ok;
		});
	}

	async stop_console() {
		const code = await stop(this.console);
		if (code !== 0) throw new Error(`weir-console ended with ${code}`);
	}

	async stop_redis() {
		await stop(this.redis);
	}

	/** A real shop's traffic, until stop_shop(). */
	start_shop(options) {
		const operands = ["--socket", this.path("weir.sock"), ...options];
		return this.#start("shop", `${build}/tools/shop/weir-shop`, operands);
	}

	/** Producers that call themselves so. */
	start_crowd(names) {
		const operands = [this.path("weir.sock"), ...names];
		return this.#start("crowd", `${build}/tests/console/console_crowd`, operands);
	}

	async stop_shop(shop) {
		await stop(shop);
	}

	/** weirctl COMMAND of this engine, and what it printed. */
	ctl(command, ...operands) {
		const socket = ["--socket", this.path("control.sock")];
		return run(`${build}/tools/weirctl/weirctl`, [command, ...socket, ...operands]);
	}

	/** The same, one JSON object in each line. */
	ctl_json(command, ...operands) {
		const lines = this.ctl(command, ...operands, "--json").split("\n");
		return lines.filter((line) => line).map((line) => JSON.parse(line));
	}

	/** Rows as traffic() makes them, and until they are closed, scored and stored. */
	async import_rows(rows, source = "shop") {
		const file = this.path(`sums-${this.files++}.csv`);
		write_sums(file, rows);
		const operands = ["--source", source, "--time-format", "ms", "--quiet"];
		operands.push("--dimension", "country", "--dimension", "device");
		operands.push("--event", "page_view", "--aggregate", "count=views");
		operands.push("--event", "purchase", "--aggregate", "count=orders,sum=revenue");
		this.import_file(file, operands);
		await this.settled(source, Number(rows.at(-1).split(",")[0]) + 1);
	}

	import_file(file, operands) {
		const socket = ["--socket", this.path("weir.sock")];
		return run(`${build}/tools/weirctl/weirctl`, ["import", file, ...socket, ...operands]);
	}

	async play(options) {
		await this.import_rows(traffic(options));
	}

	/** The source is closed up to there, and all of it is scored, stored and published. */
	async settled(source, until_ms) {
		await until(`${source} to be closed`, () => {
			const [answer] = this.ctl_json("status");
			const status = answer.status ?? answer;
			const closed = status.sources
				.filter(({ name }) => name === source)
				.map(({ closed_through_ms }) => closed_through_ms);
			const { closes, stored_through, outbox } = status.store;
			return (
				Math.max(...closed) >= until_ms && closes === stored_through && (!this.redis || !outbox)
			);
		});
	}

	/** Stop everything; the directory goes, unless it may tell why a test failed. */
	async end(passed) {
		for (const child of this.processes.toReversed?.() ?? [...this.processes].reverse())
			await stop(child);
		if (passed) rmSync(this.folder, { recursive: true, force: true });
		else console.error(`left for you: ${this.folder}`);
	}
}
