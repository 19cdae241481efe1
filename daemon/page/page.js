// SPDX-License-Identifier: BSD-2-Clause
// What the daemon tells, drawn: it is asked for what is on the screen alone, once a second. The boxes are as large as
// http_layout.c has them.
"use strict";

const SVG = "http://www.w3.org/2000/svg", WIDTH = 158, HEIGHT = 66, KEPT = 20, EVENTS = 50, OTHERS = 10, EACH = 4;
const engines = new Map(); // name: {row, shown, stats, before, at, box, parts, visible}
const el = id => document.getElementById(id);
let open = null; // {engine, block, back, tap, trace}: whose panel is open

// ---- words and numbers

function make(tag, words, cls) {
	const node = document.createElement(tag);
	if (words !== undefined)
		node.textContent = words;
	if (cls)
		node.className = cls;
	return node;
}

function draw(tag, attributes, parent, words) {
	const node = document.createElementNS(SVG, tag);
	for (const [name, value] of Object.entries(attributes))
		node.setAttribute(name, value);
	if (words !== undefined)
		node.textContent = words;
	parent.append(node);
	return node;
}

const sum = object => Object.values(object || {}).reduce((a, b) => a + b, 0);

function short(number) {
	for (const unit of ["", "k", "M", "G"]) {
		if (number < 999.5 || unit === "G")
			return (number < 9.95 && number % 1 ? number.toFixed(1) : Math.round(number).toString()) + unit;
		number /= 1000;
	}
}

const reasons = object => Object.entries(object || {}).map(([why, n]) => `${n.toLocaleString("en")} ${why}`).join(", ");
const first_line = text => (text || "").split("\n")[0];
const cut = (text, most) => text.length > most ? text.slice(0, most - 1) + "…" : text;

function lasted(seconds) {
	const units = [["d", 86400], ["h", 3600], ["min", 60]];
	const found = units.find(([, s]) => seconds >= s);
	return found ? `${Math.floor(seconds / found[1])} ${found[0]}` : `${Math.floor(seconds)} s`;
}

// ---- asking

async function ask(method, params) {
	const query = new URLSearchParams(params).toString();
	const answer = await fetch(`/api/${method}${query && "?"}${query}`);
	if (!answer.ok)
		throw new Error(await answer.text());
	return answer.json();
}

function rate(engine, now, before, member) {
	const seconds = (engine.at - engine.then) / 1000;
	return before && seconds > 0 ? Math.max(0, now[member] - before[member]) / seconds : 0;
}

const block_of = (stats, name) => stats && stats.blocks.find(block => block.name === name);
const link_of = (stats, link) => stats && stats.links.find(other =>
	other.from === link.from && other.to === link.to && other.canal === link.canal);

// ---- an engine's box

const seen = new IntersectionObserver(entries => {
	for (const entry of entries) {
		const engine = engines.get(entry.target.dataset.engine);
		if (!engine)
			continue;
		engine.visible = entry.isIntersecting;
		if (engine.visible)
			look(engine);
	}
}, {rootMargin: "200px"});

function box_new(name) {
	const box = make("article"), head = make("div");
	box.dataset.engine = name;
	box.setAttribute("aria-label", `engine ${name}`);
	const parts = {
		state: make("span", "", "state"), numbers: make("span", "", "numbers"), why: make("p", "", "why"),
		picture: make("div", undefined, "picture"), bad: make("span", "", "bad"),
	};
	head.append(make("h2", name), parts.state, parts.numbers, parts.bad);
	box.append(head, parts.why, parts.picture);
	seen.observe(box);
	return {box, parts};
}

function set_rows(rows) {
	const names = new Set(rows.map(row => row.engine));
	for (const [name, engine] of engines)
		if (!names.has(name)) {
			seen.unobserve(engine.box);
			engine.box.remove();
			engines.delete(name);
		}
	for (const row of rows) {
		let engine = engines.get(row.engine);
		if (!engine)
			engines.set(row.engine, engine = {name: row.engine, ...box_new(row.engine)});
		engine.row = row;
		if (!engine.box.parentNode)
			place(engine);
		tell_head(engine);
	}
	el("none").hidden = rows.length > 0;
	find();
}

function place(engine) {
	const after = [...el("engines").children].find(box => box.dataset.engine > engine.name);
	el("engines").insertBefore(engine.box, after || null);
}

function tell_head(engine) {
	const {row, stats, before, parts} = engine;
	parts.state.textContent = row.state + (row.differs ? ", differs from its file" : "");
	parts.state.className = `state ${row.state}`;
	parts.why.textContent = row.why || "";
	parts.why.hidden = !row.why;
	parts.numbers.textContent = "";
	parts.bad.textContent = "";
	if (!stats)
		return;
	const total = stats.total, old = before && before.total;
	const cpu = before ? (stats.cpu_ns - before.cpu_ns) / 1e4 / Math.max(1, engine.at - engine.then) : 0;
	parts.numbers.textContent = [
		row.state === "running" ? `up ${lasted(stats.uptime_s)}` : "",
		`in ${short(rate(engine, total, old, "in"))}/s`, `out ${short(rate(engine, total, old, "out"))}/s`,
		`filtered ${short(total.filtered)}`, `held ${short(stats.blocks.reduce((n, b) => n + b.held, 0))}`,
		`CPU ${Math.max(0, cpu).toFixed(0)} %`].filter(word => word).join(" · ");
	parts.bad.textContent = total.dropped ? `dropped ${total.dropped.toLocaleString("en")}` : "";
}

// ---- the picture

// Moves what is drawn to where that plan has it.
function lay_out({svg, links, blocks}, plan) {
	svg.setAttribute("width", plan.width);
	svg.setAttribute("height", plan.height);
	svg.setAttribute("viewBox", `0 0 ${plan.width} ${plan.height}`);
	links.forEach(({line, flow}, i) => {
		line.setAttribute("d", plan.paths[i]);
		flow.setAttribute("d", plan.paths[i]);
	});
	for (const {block, node} of blocks) {
		const {x, y} = plan.at.get(block.name);
		node.setAttribute("transform", `translate(${x} ${y})`);
	}
}

// As Graphviz would draw it, where the daemon has that, and unless it was drawn again meanwhile.
async function ask_layout(engine, svg) {
	const {blocks, links, revision} = engine.drawn, {name, down} = engine;
	if (engine.svg !== svg)
		return;
	try {
		const answer = await fetch(`/layout?${new URLSearchParams({engine: name, revision, down})}`);
		const plan = answer.status === 200 &&
			layout_told(await answer.json(), blocks.map(block => block.name), links, WIDTH, HEIGHT);
		if (plan && engine.svg === svg)
			lay_out(engine, plan);
	} catch (error) {
		// it is told in another way than was thought
	}
}

// From left to right where that fits; else whichever way has less beside what is seen.
function goes_down({shown, parts}) {
	const wide = widths(shown.blocks.map(block => block.name), shown.links, WIDTH);
	return wide.right > parts.picture.clientWidth && wide.down < wide.right;
}

// In our own way first. One layout is asked for at a time: the daemon makes no more, and a browser has few connections.
let layouts = Promise.resolve();
function draw_engine(engine, down) {
	const {blocks, links} = engine.shown, svg = document.createElementNS(SVG, "svg");
	svg.setAttribute("role", "group");
	svg.setAttribute("aria-label", `the graph of ${engine.name}`);
	engine.links = links.map(link => ({
		link, line: draw("path", {class: `link ${link.canal}`, "stroke-width": 1.5}, svg),
		flow: draw("path", {class: "flow"}, svg),
	}));
	for (const {link, line} of engine.links)
		line.tip = draw("title", {}, line, `${link.from} to ${link.to}`);
	engine.blocks = blocks.map(block => draw_block(engine, block, svg));
	engine.svg = svg;
	engine.drawn = engine.shown;
	engine.down = down;
	lay_out(engine, layout(blocks.map(block => block.name), links, WIDTH, HEIGHT, down));
	engine.parts.picture.replaceChildren(svg);
	layouts = layouts.then(() => ask_layout(engine, svg));
}

function draw_block(engine, block, svg) {
	const node = draw("g", {class: "block", tabindex: 0, role: "button"}, svg);
	draw("rect", {width: WIDTH, height: HEIGHT, rx: 8}, node);
	draw("text", {class: "name", x: 10, y: 18}, node, cut(block.name, 20));
	draw("text", {class: "soft", x: 10, y: 32}, node, cut(block.type, 24));
	const counts = draw("text", {class: "soft", x: 10, y: 46}, node, ""), more = draw("text", {x: 10, y: 59}, node, "");
	node.dataset.block = block.name;
	node.addEventListener("click", () => show_panel(engine.name, block.name));
	node.addEventListener("keydown", event => {
		if (event.key === "Enter" || event.key === " ") {
			event.preventDefault();
			show_panel(engine.name, block.name);
		}
	});
	return {block, node, counts, more};
}

// What there is to say below a block's name, the worst first: [words, class].
function trouble(stats, state) {
	const dropped = sum(stats && stats.dropped), waits = stats && stats.waits_for || [];
	if (state === "failed")
		return ["failed", "bad"];
	if (dropped)
		return [`dropped ${short(dropped)} ${Object.keys(stats.dropped)[0]}`, "bad"];
	if (stats && stats.errors)
		return [`${short(stats.errors)} errors`, "bad"];
	if (waits.length)
		return [`waits for ${waits.join(", ")}`, "waits"];
	if (stats && stats.held)
		return [`held ${short(stats.held)}`, "soft"];
	return sum(stats && stats.filtered) ? [`filtered ${short(sum(stats.filtered))}`, "soft"] : ["", "soft"];
}

function tell_blocks(engine) {
	for (const {block, node, counts, more} of engine.blocks) {
		const now = block_of(engine.stats, block.name), before = block_of(engine.before, block.name);
		const state = now && now.state || block.state;
		const [words, cls] = trouble(now, state);
		const speed = now ? `in ${short(rate(engine, now, before, "in"))}/s, out ${short(rate(engine, now, before, "out"))}/s` : "";
		counts.textContent = speed;
		more.textContent = cut(words, 22);
		more.setAttribute("class", cls);
		node.setAttribute("class", "block" + (state === "failed" ? " failed" : sum(now && now.dropped) ? " lost"
			: now && now.waits_for && now.waits_for.length ? " held-back" : state === "stopped" ? " dims" : ""));
		node.setAttribute("aria-label", [block.name, block.type, state, speed, words].filter(word => word).join(", "));
	}
}

function tell_links(engine) {
	for (const {link, line, flow} of engine.links) {
		const now = link_of(engine.stats, link);
		const flows = now ? rate(engine, now, link_of(engine.before, link), "messages") : 0;
		const width = flows > 0 ? 2 + 2 * Math.log10(1 + flows) : 1.5;
		line.setAttribute("stroke-width", width.toFixed(1));
		flow.setAttribute("stroke-width", (width * .45).toFixed(1));
		flow.setAttribute("class", `flow ${flows > 1000 ? "fast" : flows > 30 ? "quick" : flows > 0 ? "slow" : ""}`);
		line.dataset.rate = flows.toFixed(2);
		line.tip.textContent = `${link.from} to ${link.to}, ${link.canal}: ${short(flows)} a second, ` +
			`${(now ? now.messages : 0).toLocaleString("en")} in all`;
	}
}

async function look(engine) {
	if (engine.busy)
		return;
	engine.busy = true;
	try {
		if (!engine.shown || engine.shown.revision !== engine.row.revision)
			engine.shown = await ask("engine.show", {engine: engine.name});
		const stats = await ask("engine.stats", {engine: engine.name});
		engine.before = engine.stats;
		engine.then = engine.at;
		engine.stats = stats;
		engine.at = performance.now();
		const down = goes_down(engine);
		if (engine.drawn !== engine.shown || engine.down !== down)
			draw_engine(engine, down);
		tell_head(engine);
		tell_blocks(engine);
		tell_links(engine);
		if (open && open.engine === engine.name)
			tell_panel();
	} catch (error) {
		// gone meanwhile, or busy: the list tells
	}
	engine.busy = false;
}

// ---- what is wrong

function faults_of({name, row, stats, before}) {
	const found = [];
	if (row.state === "failed")
		found.push([name, null, `${name} should run and does not: ${row.why || ""}`]);
	else if (row.why)
		found.push([name, null, `${name}: ${row.why}`]);
	for (const block of stats ? stats.blocks : []) {
		const old = block_of(before, block.name);
		if (block.state === "failed")
			found.push([name, block.name, `${name}.${block.name} has failed: ${first_line(block.last_error)}`]);
		else if (sum(block.dropped))
			found.push([name, block.name, `${name}.${block.name} has lost messages: ${reasons(block.dropped)}` +
				(old && sum(block.dropped) > sum(old.dropped) ? ", and goes on losing" : "") +
				(block.last_error ? `; the last error: ${first_line(block.last_error)}` : "")]);
		else if (block.errors)
			found.push([name, block.name, `${name}.${block.name}: ${block.errors} errors, the last: ${first_line(block.last_error)}`]);
		if (block.waits_for && block.waits_for.length && old && old.waits_for && old.waits_for.length)
			found.push([name, block.name, `${name}.${block.name} is held back by ${block.waits_for.join(", ")}`]);
	}
	if (!stats && row.failed_blocks)
		found.push([name, null, `${row.failed_blocks} blocks of ${name} have failed`]);
	return found;
}

// A few of each, so that one does not hide another.
function faults() {
	return [...engines.values()].flatMap(engine => {
		const found = faults_of(engine), more = found.length - EACH;
		return more > 1 ? [...found.slice(0, EACH), [engine.name, null, `and ${more} more of ${engine.name}`]] : found;
	});
}

function tell_faults() {
	const list = el("fault-list"), found = faults();
	const text = JSON.stringify(found);
	if (list.dataset.told === text)
		return;
	list.dataset.told = text;
	list.replaceChildren(...found.map(([engine, block, words]) => {
		const item = make("li"), button = make("button", words);
		button.type = "button";
		button.addEventListener("click", () => go(engine, block));
		item.append(button);
		return item;
	}));
	el("faults").hidden = !found.length;
}

function go(name, block) {
	engines.get(name).box.scrollIntoView({block: "nearest"});
	if (block)
		show_panel(name, block);
}

// ---- a block's panel

function pairs(list, rows) {
	list.replaceChildren(...rows.flatMap(([name, value, cls]) => [make("dt", name), make("dd", value, cls)]));
}

function tell_panel() {
	const engine = engines.get(open.engine);
	const block = engine && engine.shown && engine.shown.blocks.find(b => b.name === open.block);
	const now = engine && block_of(engine.stats, open.block);
	if (!block)
		return;
	el("panel-about").textContent = [block.type, block.label, now && now.state, block.note].filter(word => word).join(" · ");
	const params = Object.entries(block.params || {});
	pairs(el("panel-params"), params.length ? params.map(([name, value]) =>
		[name, typeof value === "string" ? value : JSON.stringify(value)]) : [["none", ""]]);
	if (!now)
		return;
	const before = block_of(engine.before, open.block);
	pairs(el("panel-counts"), [
		["in", `${now.in.toLocaleString("en")}, ${short(rate(engine, now, before, "in"))} a second`],
		["out", `${now.out.toLocaleString("en")}, ${short(rate(engine, now, before, "out"))} a second`],
		["held", now.held.toLocaleString("en")], ["filtered", reasons(now.filtered) || "0"],
		["dropped", reasons(now.dropped) || "0", sum(now.dropped) ? "bad" : ""],
		["errors", now.errors.toLocaleString("en"), now.errors ? "bad" : ""],
		["last error", now.last_error || "none"], ["CPU", `${(now.cpu_ns / 1e9).toFixed(2)} s`],
		...(now.waits_for && now.waits_for.length ? [["waits for", now.waits_for.join(", ")]] : [])]);
}

// Text as it is; bytes that are none in hex.
function readable(message) {
	if (typeof message === "string")
		return message;
	let hex = message && message.hex || "";
	if (message && message.base64) {
		const bytes = atob(message.base64);
		if (/^[\x20-\x7e\s]*$/.test(bytes))
			return bytes;
		hex = [...bytes.slice(0, 64)].map(c => c.charCodeAt(0).toString(16).padStart(2, "0")).join(" ");
	}
	return hex || JSON.stringify(message);
}

function add_messages(messages) {
	const list = el("panel-messages");
	for (const item of messages.slice(-KEPT)) {
		const row = make("li"), time = make("time", item.time ? new Date(item.time * 1000).toLocaleTimeString() : "");
		row.append(time, (item.canal === "high" ? ">> " : "> ") + cut(readable(item.message), 400));
		list.prepend(row);
	}
	while (list.children.length > KEPT)
		list.lastChild.remove();
}

async function why_not(path) {
	const abort = new AbortController();
	const answer = await fetch(path, {signal: abort.signal}), text = answer.ok ? "" : (await answer.text()).trim();
	abort.abort();
	try {
		return JSON.parse(text).message;
	} catch (error) {
		return text;
	}
}

// What comes for the open block: `each` gets it, `note` tells why nothing does.
function stream(at, params, name, note, each) {
	const path = `${at}?${new URLSearchParams(params)}`, source = new EventSource(path);
	note.textContent = "";
	source.addEventListener(name, event => each(JSON.parse(event.data)));
	source.addEventListener("error", async () => {
		source.close();
		const why = await why_not(path).catch(() => "");
		if (open && (source === open.tap || source === open.trace))
			note.textContent = why || "Nothing more comes.";
	});
	return source;
}

function tap() {
	const {engine, block} = open;
	open.tap = stream("/api/block.tap", {engine, block}, "block.packets", el("panel-tap"),
		told => add_messages(told.messages || []));
}

// ---- what becomes of a message

// Depth first: how deep a step stands follows from how many were to come.
function depths(steps) {
	const left = [];
	return steps.map(step => {
		const came = step.canal !== "trigger" && step.did !== "released";
		while (came && left.length && !left[left.length - 1])
			left.pop();
		if (came && left.length)
			left[left.length - 1]--;
		const depth = left.length;
		if (step.to && step.to.length)
			left.push(step.to.length);
		return depth;
	});
}

const SIGNS = {low: ">", high: ">>", trigger: "^"};

function add_fate(told) {
	const list = el("trace-steps"), deep = depths(told.steps || []);
	if (told.message)
		list.append(make("li", `${SIGNS[told.message.canal] || ">"} ${cut(readable(told.message.message), 200)}`, "traced"));
	(told.steps || []).forEach((step, i) => {
		const why = step.why ? ` (${first_line(step.why)})` : "";
		const row = make("li", `${SIGNS[step.canal]} ${step.block}: ${[step.did, ...(step.changed || [])].join(" ")}${why}`,
			step.did === "dropped" || step.did === "error" ? "bad" : "");
		row.setAttribute("aria-level", deep[i] + 1);
		row.style.setProperty("--deep", deep[i] + 1);
		list.append(row);
	});
	if (told.ended)
		open.trace.close();
	el("trace-note").textContent = told.ended ? "" : "What becomes of the rest follows.";
}

function end_trace() {
	if (open && open.trace)
		open.trace.close();
	el("trace-steps").replaceChildren();
	el("trace-note").textContent = "";
}

function trace(event) {
	event.preventDefault();
	const {engine, block} = open, filter = el("trace-filter").value.trim();
	end_trace();
	open.trace = stream("/trace", {engine, block, ...(filter && {filter})}, "block.traced", el("trace-note"), add_fate);
	el("trace-note").textContent = "It waits for one.";
}

function show_panel(engine, block) {
	const back = open ? open.back : document.activeElement;
	end_trace();
	if (open)
		open.tap.close();
	el("panel-messages").replaceChildren();
	el("panel-title").textContent = `${engine}.${block}`;
	open = {engine, block, back};
	tap();
	el("panel").hidden = false;
	tell_panel();
	el("panel").focus();
}

function close_panel() {
	if (!open)
		return;
	end_trace();
	open.tap.close();
	el("panel").hidden = true;
	if (open.back && open.back.focus)
		open.back.focus();
	open = null;
}

// ---- what happened

function tell_event(event) {
	const row = make("li"), data = event.data || {};
	row.append(make("time", new Date(event.time * 1000).toLocaleTimeString()),
		`${event.name} ${event.engine}${event.block ? "." + event.block : ""} ` +
		(first_line(data.message) || data.state || data.why || reasons(data.dropped) || data.comment || ""));
	el("events").prepend(row);
	while (el("events").children.length > EVENTS)
		el("events").lastChild.remove();
}

function listen() {
	const source = new EventSource("/events");
	for (const name of ["engine.created", "engine.destroyed", "engine.state", "engine.changed", "engine.confirmed",
		"engine.taken_back", "block.error", "block.note", "block.state", "block.dropped"])
		source.addEventListener(name, message => {
			const event = JSON.parse(message.data), engine = engines.get(event.engine);
			tell_event(event);
			if (engine && name === "engine.created") // another of that name
				engine.shown = null;
			if (name.startsWith("engine."))
				refresh();
		});
}

// ---- again and again

function find() {
	const words = el("find").value.trim().toLowerCase();
	for (const {name, shown, box} of engines.values())
		box.hidden = words !== "" && !name.toLowerCase().includes(words) &&
			!(shown && shown.blocks.some(b => `${b.name} ${b.type}`.toLowerCase().includes(words)));
}

// All that are on the screen, and of the others a few in turn.
let next = 0;
function chosen() {
	const all = [...engines.values()].filter(engine => !engine.box.hidden);
	const others = all.filter(engine => !engine.visible);
	next = others.length > next ? next : 0;
	const some = others.slice(next, next + OTHERS);
	next += OTHERS;
	return all.filter(engine => engine.visible).concat(some);
}

let refreshing = false;
async function refresh() {
	if (refreshing)
		return;
	refreshing = true;
	try {
		set_rows((await ask("engine.list")).engines);
		el("lost").hidden = true;
		const states = [...engines.values()].map(engine => engine.row.state);
		el("about").textContent = `${states.length} engines, ${states.filter(s => s === "running").length} running`;
	} catch (error) {
		el("lost").hidden = false;
	}
	refreshing = false;
}

async function turn() {
	if (!document.hidden) {
		await refresh();
		await Promise.all(chosen().map(look));
		tell_faults();
	}
	setTimeout(turn, 1000);
}

el("find").addEventListener("input", find);
el("panel-close").addEventListener("click", close_panel);
el("trace").addEventListener("submit", trace);
addEventListener("keydown", event => {
	if (event.key === "Escape")
		close_panel();
	if (event.key === "/" && document.activeElement !== el("find")) {
		event.preventDefault();
		el("find").focus();
	}
});
listen();
turn();
