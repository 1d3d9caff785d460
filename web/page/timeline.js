// SPDX-License-Identifier: MIT
// The timeline: lanes over time on a canvas, the events around the chosen moment, the EPT at it, and
// the table of reasons. What a trace holds is read in trace.js.
'use strict';

const LANE = 26, LEFT = 110;
const time = {trace: null, from: 0, to: 1, at: 0, hits: [], lanes: [], ranks: []};

const vm_name = (vm) => time.trace.names[vm] || `vm ${vm}`;
const ticks = (n) => Math.round(n).toLocaleString('en').replace(/,/g, ' ');

// Letters of the marks; what has none is no mark.
function mark_of(e) {
	const T = time.trace.types;

	return {[T.ZAP]: 'Z', [T.INVEPT]: 'I', [T.WBINVD]: 'W', [T.ATTACH]: 'A', [T.DETACH]: 'D', [T.COHERENCE]: 'C', [T.COUNT]: 'n', [T.TRANSITION]: 'T',
		[T.RETYPE]: 'R', [T.FAULT]: 'F', [T.STALE]: 'S', [T.MARK]: 'M', [T.END]: 'E'}[e.type];
}

// Lanes: each vCPU's exits, then per VM what the IOMMU tells, what is cleared, and leaves.
function make_lanes() {
	const T = time.trace.types, lanes = new Map();
	const lane = (key, name) => lanes.get(key) || lanes.set(key, {name, events: []}).get(key);

	for (const e of time.trace.events) {
		const vm = vm_name(e.vm);

		if (e.type === T.EXIT || e.type === T.INJECTION || e.type === T.MARK || e.type === T.END)
			lane(`${e.vm}.0.${e.vcpu}`, `${vm} vCPU ${e.vcpu}`).events.push(e);
		else if (e.type === T.INSTALL || e.type === T.RUN)
			lane(`${e.vm}.1`, `${vm} leaves`).events.push(e);
		else if (e.type === T.ZAP || e.type === T.RETYPE || e.type === T.INVEPT || e.type === T.WBINVD)
			lane(`${e.vm}.2`, `${vm} flush`).events.push(e);
		else
			lane(`${e.vm}.3`, `${vm} devices`).events.push(e);
	}
	time.lanes = [...lanes.keys()].sort().map((key) => lanes.get(key));
}

const REASON_COLOURS = ['--wt', '--wb', '--wc', '--wp', '--uc', '--wbi'];

// By rank, so that the costliest differ.
const reason_colour = (reason) => REASON_COLOURS[time.ranks.indexOf(reason) % REASON_COLOURS.length];

function colour_of(e, style) {
	if (e.type === time.trace.types.INSTALL || e.type === time.trace.types.RUN) {
		const type = leaf_type(Number(e.c & 0xffn));

		return style.getPropertyValue({WB: '--wb', UC: '--uc', WC: '--wc', WT: '--wt', WP: '--wp'}[type] || '--table');
	}
	return style.getPropertyValue(e.reason >= 0 ? reason_colour(e.reason) : '--accent');
}

const x_of = (t, width) => LEFT + (t - time.from) / (time.to - time.from) * (width - LEFT);

function draw_lane(g, lane, y, width, style) {
	let last = -1, letters_end = -1;

	g.fillStyle = style.getPropertyValue('--none');
	g.fillRect(LEFT, y, width - LEFT, LANE - 4);
	g.fillStyle = style.getPropertyValue('--ink');
	g.fillText(lane.name, 0, y + 15);
	for (const e of lane.events) {
		if (e.end < time.from || e.t > time.to)
			continue;
		const x = Math.max(x_of(e.t, width), LEFT), w = Math.max(x_of(e.end, width) - x, 1), mark = mark_of(e);

		if (!mark && w <= 1 && Math.floor(x) === last)
			continue; // another stands in this column already
		last = Math.floor(x);
		g.fillStyle = colour_of(e, style);
		g.fillRect(x, y, mark ? 2 : w, LANE - 4);
		g.fillStyle = style.getPropertyValue(mark ? '--ink' : '--type-ink');
		const label = mark || (e.reason >= 0 ? time.trace.reasons[e.reason] : ''), end = x + 4 + g.measureText(label).width;

		// What does not fit is not written; the letters of marks do not cover each other.
		if (mark ? x > letters_end : w > 20 && end < x + w) {
			g.fillText(label, x + 4, y + 15);
			letters_end = mark ? end : letters_end;
		}
	}
}

function draw_scale(g, y, width, style) {
	const span = time.to - time.from, step = 10 ** Math.floor(Math.log10(span / 4));

	g.fillStyle = style.getPropertyValue('--faint');
	for (let t = Math.ceil(time.from / step) * step, last = -1e9; t <= time.to; t += step) {
		const x = x_of(t, width);

		if (x - last < 120 || x > width - 60)
			continue;
		g.globalAlpha = 0.3;
		g.fillRect(x, 0, 1, y);
		g.globalAlpha = 1;
		g.fillText(ticks(t), x + 3, y + 12);
		last = x;
	}
}

function draw_lanes() {
	const canvas = by_id('lanes'), style = getComputedStyle(document.documentElement), ratio = window.devicePixelRatio || 1;
	const width = canvas.clientWidth, height = time.lanes.length * LANE + 18, g = canvas.getContext('2d');

	canvas.style.height = height + 'px';
	canvas.width = width * ratio;
	canvas.height = height * ratio;
	g.scale(ratio, ratio);
	g.font = '12px "DejaVu Sans Mono", monospace';
	time.lanes.forEach((lane, i) => draw_lane(g, lane, i * LANE, width, style));
	draw_scale(g, height - 18, width, style);
	for (const t of time.trace.gaps) {
		g.fillStyle = style.getPropertyValue('--bad');
		g.fillRect(x_of(t, width), 0, 2, height - 18);
		g.fillText('lost', x_of(t, width) + 4, 12);
	}
	const now = time.trace.events[time.at];

	if (now && now.t >= time.from && now.t <= time.to) {
		g.strokeStyle = style.getPropertyValue('--ink');
		g.strokeRect(x_of(now.t, width) - 1, 0, Math.max(x_of(now.end, width) - x_of(now.t, width), 1) + 2, height - 18);
	}
}

const AROUND = 60;

function show_events() {
	const first = Math.max(0, time.at - AROUND), hits = new Set(time.hits);
	const list = time.trace.events.slice(first, time.at + AROUND).map((e) => element('li', {'data-number': e.number,
		class: (e.number === time.at ? 'now' : '') + (hits.has(e.number) ? ' hit' : '')},
	element('span', {class: 'when'}, ticks(e.t)), element('span', {}, `${vm_name(e.vm)}.${e.vcpu}`), element('span', {}, text_of(e))));

	by_id('events').replaceChildren(...list);
	const now = by_id('events').querySelector('.now');

	if (now)
		by_id('events').scrollTop = now.offsetTop - by_id('events').offsetTop - 150;
}

function show_ept_at() {
	const now = time.trace.events[time.at], {leaves, doubt} = rebuild_ept(time.trace, now.vm, time.at);
	const rows = new Map();

	if (doubt) {
		by_id('rebuilt').replaceChildren(element('p', {class: 'bad'}, `It cannot be rebuilt: ${doubt}.`));
		return;
	}
	for (const [gpa, leaf] of [...leaves].sort((x, y) => x[0] - y[0])) {
		const key = `${leaf.level} ${leaf.bits & 0x78}`, row = rows.get(key) || rows.set(key, {leaf, count: 0, from: gpa, to: 0}).get(key);

		row.count++;
		row.to = gpa + leaf.size;
	}
	by_id('rebuilt').replaceChildren(
		element('p', {}, `${vm_name(now.vm)}: `, element('b', {id: 'rebuilt-count'}, String(leaves.size)), ` leaves after event ${time.at + 1} of ${time.trace.events.length}`),
		draw_leaves(leaves),
		table_of(['leaves', 'size', 'type', 'between'], [...rows.values()].map((r) => ({cells: [String(r.count), LEVEL_NAME[r.leaf.level], chip(leaf_type(r.leaf.bits), leaf_pat(r.leaf.bits)), `${hex(r.from)}-${hex(r.to - 1)}`]})), 'none: every page faults at its next touch'));
}

// One row over what the leaves span.
function draw_leaves(leaves) {
	const most = Math.max(2 ** 21, ...[...leaves].map(([gpa, leaf]) => gpa + leaf.size));
	const svg = element('svg', {viewBox: '0 0 460 36', width: '100%', role: 'img', 'aria-label': 'leaves over guest-physical addresses'}, element('rect', {x: 0, y: 0, width: 460, height: 18, class: 't-none'}));

	for (const [gpa, leaf] of leaves)
		svg.append(element('rect', {x: gpa / most * 460, y: 0, width: Math.max(leaf.size / most * 460, 1), height: 18, class: type_class(leaf_type(leaf.bits), leaf_pat(leaf.bits))}));
	svg.append(element('text', {x: 0, y: 32}, '0'), element('text', {x: 460, y: 32, 'text-anchor': 'end'}, hex(most)));
	return svg;
}

function show_reasons() {
	by_id('reasons').replaceChildren(table_of(['VM', 'exit', 'count', 'total ticks', 'mean', 'median', '99th', 'most'],
		reasons_of(time.trace).map((r) => ({cells: [vm_name(r.vm), element('span', {}, element('span', {class: 'chip', style: `color: var(--type-ink); background: var(${reason_colour(r.reason)})`}, String(r.reason)), ' ' + (time.trace.reasons[r.reason] || 'unknown')), ticks(r.count), ticks(r.total), r.mean.toFixed(1), ticks(r.median), ticks(r.most99), ticks(r.most)]})),
		'no exits in it: the hypervisor was told to trace events only'));
}

function show_moment() {
	draw_lanes();
	show_events();
	show_ept_at();
}

function choose(number) {
	const last = time.trace.events.length - 1, now = time.trace.events[time.at = Math.min(Math.max(number, 0), last)];
	const span = time.to - time.from;

	if (now.t < time.from || now.t > time.to)
		look_at(now.t - span / 2, now.t + span / 2);
	show_moment();
}

function look_at(from, to) {
	const span = Math.min(Math.max(to - from, 20), time.trace.last);

	time.from = Math.min(Math.max(from, 0), time.trace.last - span);
	time.to = time.from + span;
}

function zoom(factor, middle) {
	const at = middle ?? (time.trace.events[time.at].t >= time.from && time.trace.events[time.at].t <= time.to ? time.trace.events[time.at].t : (time.from + time.to) / 2);

	look_at(at - (at - time.from) * factor, at + (time.to - at) * factor);
	draw_lanes();
}

function search(direction) {
	const word = by_id('trace-search').value.trim().toLowerCase();

	time.hits = word ? time.trace.events.filter((e) => text_of(e).toLowerCase().includes(word)).map((e) => e.number) : [];
	const to = direction > 0 ? time.hits.find((n) => n > time.at) ?? time.hits[0] : direction < 0 ? time.hits.filter((n) => n < time.at).pop() ?? time.hits[time.hits.length - 1] : time.hits.find((n) => n >= time.at) ?? time.hits[0];

	if (to !== undefined)
		choose(to);
	else
		show_events();
	by_id('search-found').textContent = word ? `${time.hits.length} found${to !== undefined ? `, this is ${time.hits.indexOf(to) + 1}` : ''}` : '';
}

function describe(name) {
	const t = time.trace, T = t.types, count = (type) => t.events.filter((e) => e.type === type).length;

	by_id('trace-about').replaceChildren(`${name}: ${ticks(t.events.length)} events, ${ticks(count(T.EXIT))} exits, ${count(T.ZAP)} zaps, ${count(T.INVEPT)} INVEPTs, ${count(T.TRANSITION)} transitions; ${ticks(t.last)} ticks. `,
		t.lost ? element('span', {class: 'bad'}, `${ticks(t.lost)} records are lost. `) : '', t.ended ? '' : element('span', {class: 'bad'}, 'The file is cut off.'));
}

function open_trace(name, buffer) {
	try {
		time.trace = read_trace(buffer);
		if (!time.trace.events.length)
			throw new Error('it has no events');
	} catch (error) {
		by_id('trace-about').replaceChildren(element('span', {class: 'bad'}, `${name}: ${error.message}`));
		return;
	}
	by_id('trace-view').hidden = by_id('trace-parts').hidden = false;
	time.at = 0;
	time.hits = [];
	by_id('trace-search').value = by_id('search-found').textContent = '';
	look_at(0, time.trace.last);
	time.ranks = [...new Set(reasons_of(time.trace).sort((x, y) => y.total - x.total).map((r) => r.reason))];
	describe(name);
	make_lanes();
	show_reasons();
	show_moment();
}

async function open_file(file) {
	if (file)
		open_trace(file.name, await file.arrayBuffer());
}

// The demonstration's trace, packed into the page.
async function open_example() {
	const packed = new Blob([Uint8Array.from(atob(by_id('example').textContent), (c) => c.charCodeAt(0))]);
	const plain = packed.stream().pipeThrough(new DecompressionStream('gzip'));

	open_trace('the demonstration', await new Response(plain).arrayBuffer());
}

// The event nearest to a point of the canvas, on the lane under it.
function event_at(x, y) {
	const canvas = by_id('lanes'), lane = time.lanes[Math.floor(y / LANE)];
	const t = time.from + (x - LEFT) / (canvas.clientWidth - LEFT) * (time.to - time.from);
	const distance = (e) => (t < e.t ? e.t - t : t > e.end ? t - e.end : 0);

	return lane ? lane.events.reduce((best, e) => (distance(e) < distance(best) ? e : best)) : null;
}

function connect_canvas(canvas) {
	let drag = null;

	canvas.addEventListener('wheel', (event) => {
		const t = time.from + (event.offsetX - LEFT) / (canvas.clientWidth - LEFT) * (time.to - time.from);

		event.preventDefault();
		zoom(event.deltaY < 0 ? 0.7 : 1 / 0.7, t);
	}, {passive: false});
	canvas.addEventListener('pointerdown', (event) => {
		drag = {x: event.offsetX, from: time.from, to: time.to, moved: false};
		canvas.setPointerCapture(event.pointerId);
	});
	canvas.addEventListener('pointermove', (event) => {
		if (!drag || Math.abs(event.offsetX - drag.x) < 4)
			return;
		const by = (drag.x - event.offsetX) / (canvas.clientWidth - LEFT) * (drag.to - drag.from);

		drag.moved = true;
		look_at(drag.from + by, drag.to + by);
		draw_lanes();
	});
	canvas.addEventListener('pointerup', (event) => {
		const e = drag && !drag.moved ? event_at(event.offsetX, event.offsetY) : null;

		drag = null;
		if (e)
			choose(e.number);
	});
	canvas.addEventListener('keydown', time_key);
}

function time_key(event) {
	const by = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1, PageUp: -50, PageDown: 50, Home: -1e9, End: 1e9}[event.key];

	if (by)
		choose(time.at + by);
	else if (event.key === '+' || event.key === '-')
		zoom(event.key === '+' ? 0.5 : 2);
	else
		return;
	event.preventDefault();
}

function show_view(timeline) {
	by_id('play').hidden = timeline;
	by_id('time').hidden = !timeline;
	by_id('figures').hidden = timeline;
	by_id('show-play').setAttribute('aria-pressed', !timeline);
	by_id('show-time').setAttribute('aria-pressed', timeline);
	if (timeline && time.trace)
		draw_lanes();
}

function connect_timeline() {
	const whole = document.body;

	by_id('show-play').addEventListener('click', () => show_view(false));
	by_id('show-time').addEventListener('click', () => show_view(true));
	by_id('trace-file').addEventListener('change', () => open_file(by_id('trace-file').files[0]));
	by_id('trace-example').addEventListener('click', open_example);
	by_id('zoom-in').addEventListener('click', () => zoom(0.5));
	by_id('zoom-out').addEventListener('click', () => zoom(2));
	by_id('zoom-all').addEventListener('click', () => {
		look_at(0, time.trace.last);
		draw_lanes();
	});
	by_id('search-on').addEventListener('click', () => search(1));
	by_id('search-back').addEventListener('click', () => search(-1));
	by_id('trace-search').addEventListener('input', () => search(0));
	by_id('trace-search').addEventListener('keydown', (event) => {
		if (event.key === 'Enter')
			search(event.shiftKey ? -1 : 1);
	});
	by_id('events').addEventListener('click', (event) => {
		const row = event.target.closest('li');

		if (row)
			choose(Number(row.dataset.number));
	});
	by_id('events').addEventListener('keydown', time_key);
	connect_canvas(by_id('lanes'));
	for (const kind of ['dragover', 'dragleave', 'drop'])
		whole.addEventListener(kind, (event) => {
			event.preventDefault();
			whole.classList.toggle('dropping', kind === 'dragover');
			if (kind === 'drop') {
				show_view(true);
				open_file(event.dataTransfer.files[0]);
			}
		});
	window.addEventListener('resize', () => time.trace && !by_id('time').hidden && draw_lanes());
}

connect_timeline();
