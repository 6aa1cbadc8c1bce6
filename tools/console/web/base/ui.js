// ui: what every file draws with, from the one vendored file (preact, its hooks, htm).

export {
	Component,
	html,
	render,
	useCallback,
	useEffect,
	useErrorBoundary,
	useLayoutEffect,
	useMemo,
	useRef,
	useState,
} from "../vendor/htm-preact.js";
