// pipeline: is what is shown elsewhere true? From the producers' rings to Redis, each second: what is
// wrong, in words, on top; then every stage with its figures.

import { get } from "../base/api.js";
import { copyText } from "../base/clipboard.js";
import { duration, exact, moment } from "../base/format.js";
import { useKeys } from "../base/keys.js";
import { useLive } from "../base/live.js";
import { notify } from "../base/notice.js";
import { now } from "../base/now.js";
import { html, useEffect, useRef, useState } from "../base/ui.js";
import { FillBar } from "../parts/fill_bar.js";
import { remember, stat } from "../parts/pipeline_numbers.js";
import { bytes, Stages } from "../parts/pipeline_stages.js";
import { Detectors, Lanes, Producers, Sources } from "../parts/pipeline_tables.js";
import { problemsOf } from "../parts/problems.js";
import { Failure } from "../parts/state.js";
import { Name, useNow } from "../parts/text.js";

const OLD_MS = 5000; // a look that is older is said to be old

// What the engine says of itself, each second, and a short history of it.
function useLooks() {
	const [looks, setLooks] = useState({ look: null, history: [], at_ms: 0 });
	const [problem, setProblem] = useState(null);
	const take = (look) => {
		if (!look?.status) return;
		setProblem(null);
		setLooks(({ history }) => ({ look, history: remember(history, look), at_ms: now() }));
	};
	const ask = () => get("pipeline").then(take, (error) => setProblem(error.message));
	useEffect(() => {
		ask();
	}, []);
	useLive("pipeline", take);
	useLive("reset", ask);
	// One that is back speaks by itself, within a second.
	useLive("engine", (engine) => {
		if (engine && !engine.up) setProblem(engine.error ?? "The engine is away.");
	});
	return { ...looks, problem, ask };
}

const SIGNS = { bad: "Wrong", warn: "Watch", note: "Note" };

function Problem({ problem }) {
	return html`<li class=${`trouble is-${problem.level}`}>
		<span class="trouble-sign">${SIGNS[problem.level]}</span>
		<div>
			<p class="trouble-text">${problem.name && html`<${Name} text=${problem.name} most=${80} />`}${problem.text}</p>
			<p class="small"><${Name} text=${problem.hint} most=${400} /></p>
		</div>
	</li>`;
}

function Problems({ problems, away }) {
	const list = away
		? [
				{
					level: "bad",
					text: "The engine is away.",
					hint: `${away} What is shown is what it said last.`,
				},
				...problems,
			]
		: problems;
	if (list.length === 0)
		return html`<p class="all-well"><span class="stage-sign" aria-hidden="true"></span>All is well.</p>`;
	return html`<ul class="troubles" role="list" aria-label="What is wrong">
		${list.map((problem) => html`<${Problem} key=${`${problem.name ?? ""}${problem.text}`} problem=${problem} />`)}
	</ul>`;
}

function Panel({ title, note, children }) {
	return html`<section class="panel is-wide">
		<header class="panel-head"><h2>${title}</h2>${note && html`<p class="small">${note}</p>`}</header>
		${children}
	</section>`;
}

function Limit({ term, used, most, of }) {
	return html`<div class="limit">
		<dt>${term}</dt>
		<dd>
			<span class="figures">${of ?? exact(used)}${most > 0 && html`<span class="quiet"> of ${exact(most)}</span>`}</span>
			${most > 0 && html`<${FillBar} part=${used / most} near=${0.8} label=${term} />`}
		</dd>
	</div>`;
}

function Limits({ look }) {
	const { limits = {}, series, intake } = look.status;
	const size = stat(look, "disk_size_bytes");
	const used = size - stat(look, "disk_free_bytes");
	return html`<dl class="limits">
		<${Limit} term="Series" used=${series} most=${limits.series} />
		<${Limit} term="Producers" used=${intake?.producers ?? 0} most=${limits.producers} />
		<div class="limit">
			<dt>Disk</dt>
			<dd><span class="figures">${bytes(used)}<span class="quiet"> of ${bytes(size)}</span></span>
				<${FillBar} part=${size > 0 ? used / size : null} near=${0.9} label="Disk" /></dd>
		</div>
		<${Limit} term="Memory of the engine" of=${bytes(stat(look, "resident_memory_bytes"))} />
		<${Limit} term="History" of=${bytes(stat(look, "history_file_bytes"))} />
		<${Limit} term="Series over the limit" used=${look.status.series_overflowed ?? 0} />
	</dl>`;
}

function About({ look, session }) {
	const { status } = look;
	const rows = [
		["Engine", status.version],
		["Console", session.version],
		["Process", status.pid],
		["Running for", duration(status.up_ms)],
		["Started", moment(status.started_ms - (status.started_ms % 1000))],
		["Data directory", status.data_directory],
		["Input and output", status.io],
		["Durability", status.durability],
		["At the last start", status.recovery],
	];
	return html`<dl class="about">
		${rows.map(([term, value]) => html`<div key=${term}><dt>${term}</dt><dd><${Name} text=${value} most=${300} /></dd></div>`)}
	</dl>`;
}

async function copyDiagnostics(look, problems) {
	const text = JSON.stringify(
		{ ...look, problems: problems.map((one) => `${one.name ?? ""}${one.text}`) },
		null,
		2,
	);
	if (await copyText(text))
		notify("Diagnostics copied: no event and no name of a customer is in them.");
	else
		notify(
			"They could not be copied: the browser does not allow it. weirctl status --json says the same.",
			{ error: true },
		);
}

// Says how old what is shown is, once it is old; drawn on its own, each second.
function Age({ at_ms }) {
	const age = useNow(1000) - at_ms;
	return html`<span class=${age > OLD_MS ? "age is-old" : "age quiet"}>
		${age > OLD_MS ? `as it was ${duration(age)} ago` : "each second"}
	</span>`;
}

export function Screen({ session }) {
	const { look, history, at_ms, problem, ask } = useLooks();
	const latest = useRef(null);
	const problems = look ? problemsOf(look, history) : [];
	latest.current = () => look && copyDiagnostics(look, problems);
	useKeys([{ key: "c", text: "Copy diagnostics", run: () => latest.current() }]);
	if (!look && problem)
		return html`<${Failure} title="The engine does not answer" text=${problem} retry=${ask} />`;
	if (!look) return null;
	return html`<div class="pipeline">
		<header class="pipeline-head">
			<h1>Pipeline</h1>
			<${Age} at_ms=${at_ms} />
			<button type="button" class="button" onClick=${() => latest.current()} title="c">Copy diagnostics</button>
		</header>
		<${Problems} problems=${problems} away=${problem} />
		<h2 class="hidden">From the producer to the alert</h2>
		<${Stages} look=${look} history=${history} />
		<${Panel} title="Producers"><${Producers} producers=${look.producers} history=${history} /><//>
		<${Panel} title="Limits"><${Limits} look=${look} /><//>
		<${Panel} title="Detectors" note="What has not learned enough says nothing yet.">
			<${Detectors} detectors=${look.detectors} interval_ms=${look.status.interval_ms} />
		<//>
		<${Panel} title="Sources"><${Sources} status=${look.status} /><//>
		<${Panel} title="Lanes"><${Lanes} status=${look.status} history=${history} /><//>
		<${Panel} title="Versions"><${About} look=${look} session=${session} /><//>
	</div>`;
}
