// routes: which page is which screen. A screen is one file in screens/ that exports Screen.

import { loadOverview } from "./base/overview.js";
import { Screen as Anomalies } from "./screens/anomalies.js";
import { Screen as Anomaly } from "./screens/anomaly.js";
import { Screen as Explore } from "./screens/explore.js";
import { Screen as Pipeline } from "./screens/pipeline.js";
import { Screen as Tune } from "./screens/tune.js";

export const ROUTES = [
	{
		name: "anomalies",
		label: "Anomalies",
		path: "/",
		key: "1",
		screen: Anomalies,
		ready: loadOverview,
	},
	{
		name: "anomaly",
		path: "/anomalies/",
		under: "anomalies",
		screen: Anomaly,
	},
	{
		name: "explore",
		label: "Explore",
		path: "/explore",
		key: "2",
		later: true,
		screen: Explore,
	},
	{
		name: "tune",
		label: "Tune",
		path: "/tune",
		key: "3",
		later: true,
		screen: Tune,
	},
	{
		name: "pipeline",
		label: "Pipeline",
		path: "/pipeline",
		key: "4",
		screen: Pipeline,
	},
];

function decode(text) {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}

/** {route, id} of a path, or null: a path that ends in / has one more part, the id. */
export function findRoute(path) {
	for (const route of ROUTES) {
		if (route.path === path)
			return route.path.length > 1 && path.endsWith("/") ? null : { route, id: "" };
		if (route.path.length > 1 && route.path.endsWith("/") && path.startsWith(route.path))
			return { route, id: decode(path.slice(route.path.length)) };
	}
	return null;
}
