// theme: light, dark, or as the system has it. Chosen in the address (?theme=dark), else as chosen
// here before. Told to the style sheet by data-theme; what draws on a canvas asks colour().

import { createStore } from "./store.js";
import { change, query } from "./url.js";

const SAVED = "weir-theme";
const CHOICES = ["light", "dark"];
const system = window.matchMedia("(prefers-color-scheme: dark)");

function saved() {
	try {
		return window.localStorage.getItem(SAVED);
	} catch {
		return null;
	}
}

function choice() {
	return [query().get("theme"), saved()].find((name) => CHOICES.includes(name)) ?? "system";
}

function shown(name) {
	if (name !== "system") return name;
	return system.matches ? "dark" : "light";
}

/** {choice: "light" | "dark" | "system", shown: "light" | "dark"} */
export const theme = createStore({ choice: "system", shown: "light" });

function apply() {
	const name = choice();
	const next = { choice: name, shown: shown(name) };
	const { dataset } = document.documentElement;
	if (name === "system") delete dataset.theme;
	else dataset.theme = name;
	const now = theme.get();
	if (now.choice !== next.choice || now.shown !== next.shown) theme.set(next);
}

function chooseTheme(name) {
	try {
		if (name === "system") window.localStorage.removeItem(SAVED);
		else window.localStorage.setItem(SAVED, name);
	} catch {
		// The address has it.
	}
	change({ theme: name === "system" ? null : name }, { replace: true });
	apply();
}

/** From light to dark and back, whatever the system has. */
export function toggleTheme() {
	chooseTheme(theme.get().shown === "dark" ? "light" : "dark");
}

/** A token as a colour that a canvas understands: colour("--accent"). */
export function colour(token) {
	const probe = document.createElement("span");
	probe.style.color = `var(${token})`;
	document.body.append(probe);
	const value = window.getComputedStyle(probe).color;
	probe.remove();
	return value;
}

export function startTheme() {
	apply();
	system.addEventListener("change", apply);
	window.addEventListener("popstate", apply);
}
