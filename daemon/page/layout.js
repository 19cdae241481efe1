// SPDX-License-Identifier: BSD-2-Clause
// Places for the blocks of a graph: in layers, as data flows, with few crossings.
"use strict";

// blocks: names; links: {from, to, canal}. Gives {layers: [[item]], paths: [[item]]}, where an item is a block, or a
// bend of a link that crosses a layer: {block?, layer, place}; a path has the items that its link goes by. Triggers
// lead back as well as forth, and so they decide nothing.
function layers(blocks, links) {
	const out = new Map(blocks.map(name => [name, []]));
	const open = new Map(blocks.map(name => [name, 0]));
	for (const link of links)
		if (link.canal !== "trigger" && out.has(link.from) && out.has(link.to)) {
			out.get(link.from).push(link.to);
			open.set(link.to, open.get(link.to) + 1);
		}
	const rank = new Map(blocks.map(name => [name, 0]));
	const ready = blocks.filter(name => !open.get(name));
	for (let name; (name = ready.shift()) !== undefined;)
		for (const next of out.get(name)) {
			rank.set(next, Math.max(rank.get(next), rank.get(name) + 1));
			open.set(next, open.get(next) - 1);
			if (!open.get(next))
				ready.push(next);
		}
	// What only triggers lead to stands behind them.
	for (const link of links)
		if (link.canal === "trigger" && rank.get(link.to) === 0 && !out.get(link.to).length)
			rank.set(link.to, rank.get(link.from) + 1);
	return rank;
}

function arrange(blocks, links) {
	const rank = layers(blocks, links);
	const rows = [];
	const items = new Map();
	const put = (item, layer) => {
		item.layer = layer;
		(rows[layer] = rows[layer] || []).push(item);
		item.near = [[], []];
		return item;
	};
	for (const name of blocks)
		items.set(name, put({block: name}, rank.get(name)));
	const paths = links.map(link => {
		const from = items.get(link.from), to = items.get(link.to), path = [from];
		const step = Math.sign(to.layer - from.layer);
		for (let at = from.layer + step; step && at !== to.layer; at += step)
			path.push(put({}, at));
		path.push(to);
		for (let i = 1; i < path.length; i++) {
			path[i - 1].near[step > 0 ? 1 : 0].push(path[i]);
			path[i].near[step > 0 ? 0 : 1].push(path[i - 1]);
		}
		return path;
	});
	for (let i = 0; i < rows.length; i++)
		rows[i] = rows[i] || [];
	sweep(rows);
	return {rows, paths, items};
}

// Each goes to the middle of those that it is linked to, there and back.
function sweep(rows) {
	const number = row => row.forEach((item, i) => item.place = i - (row.length - 1) / 2);
	rows.forEach(number);
	for (let round = 0; round < 6; round++) {
		const side = round % 2;
		for (const row of side ? rows.slice().reverse() : rows) {
			for (const item of row) {
				const near = item.near[side].filter(other => other.layer !== item.layer);
				item.wish = near.length ? near.reduce((sum, n) => sum + n.place, 0) / near.length : item.place;
			}
			row.sort((a, b) => a.wish - b.wish);
			number(row);
		}
	}
}

// What dot tells in JSON, as layout gives it; the boxes are as large as it was told. Its y grows upwards.
function layout_told(told, blocks, links, w, h) {
	const [, , width, height] = told.bb.split(",").map(Number), edge = 8;
	const place = pair => {
		const [x, y] = pair.split(",").map(Number);
		return {x: x + edge, y: height - y + edge};
	};
	const names = told.objects.map(object => object.name), at = new Map();
	for (const {name, pos} of told.objects) {
		const {x, y} = place(pos);
		at.set(name, {x: x - w / 2, y: y - h / 2});
	}
	const ways = new Map((told.edges || []).map(way => [`${names[way.tail]} ${names[way.head]} ${way.id}`, way.pos]));
	const paths = links.map(({from, to, canal}) => {
		const points = ways.get(`${from} ${to} ${canal}`).split(" ").map(place).map(({x, y}) => `${x} ${y}`);
		return `M${points[0]}C${points.slice(1).join(" ")}`;
	});
	if (!blocks.every(name => at.has(name)))
		throw new Error("it is another graph");
	return {width: width + 2 * edge, height: height + 2 * edge, at, paths};
}

// How wide the picture is, from left to right and downwards.
function widths(blocks, links, w) {
	const counts = [];
	for (const layer of layers(blocks, links).values())
		counts[layer] = (counts[layer] || 0) + 1;
	return {right: counts.length * (w + 56), down: Math.max(1, ...counts.filter(n => n)) * (w + 16)};
}

// {width, height, at: Map of name to {x, y}, paths: ["M…"]}: boxes of w by h, from left to right or, narrow, downwards.
function layout(blocks, links, w, h, narrow) {
	const {rows, paths, items} = arrange(blocks, links);
	const along = narrow ? h + 44 : w + 56, across = narrow ? w + 16 : h + 22;
	const most = Math.max(1, ...rows.map(row => row.length));
	const spot = item => {
		const a = item.layer * along, c = (item.place + (most - 1) / 2) * across;
		return narrow ? {x: c + 8, y: a + 8} : {x: a + 8, y: c + 8};
	};
	const size = [rows.length * along - along + (narrow ? h : w) + 16, most * across];
	const end = (item, out) => {
		const {x, y} = spot(item);
		if (!item.block)
			return {x: x + w / 2, y: y + h / 2};
		return narrow ? {x: x + w / 2, y: out ? y + h : y} : {x: out ? x + w : x, y: y + h / 2};
	};
	const curve = path => {
		let d = "", before = null;
		path.forEach((item, i) => {
			const here = end(item, i === 0);
			if (!before) {
				d = `M${here.x} ${here.y}`;
			} else if (narrow) {
				const middle = (before.y + here.y) / 2;
				d += `C${before.x} ${middle} ${here.x} ${middle} ${here.x} ${here.y}`;
			} else {
				const middle = (before.x + here.x) / 2;
				d += `C${middle} ${before.y} ${middle} ${here.y} ${here.x} ${here.y}`;
			}
			before = here;
		});
		return d;
	};
	const at = new Map();
	for (const [name, item] of items)
		at.set(name, spot(item));
	return {width: narrow ? size[1] : size[0], height: narrow ? size[0] : size[1], at, paths: paths.map(curve)};
}
