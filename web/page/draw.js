// SPDX-License-Identifier: MIT
// The state as pictures and tables. Nothing here changes the machine: each function takes the state
// (web/state.c) and returns or fills elements.
'use strict';

const RAM = 64 << 20;
const LETTERS = {WB: 'B', UC: 'U', WC: 'C', WT: 'T', WP: 'P'};
const TYPE_WORDS = {WB: 'write-back', UC: 'uncacheable', WC: 'write-combining', WT: 'write-through', WP: 'write-protected'};
const LEVEL_SIZE = [0, 4096, 2 ** 21, 2 ** 30, 2 ** 39];
const LEVEL_NAME = ['', '4K', '2M', '1G', ''];

// element('p', {class: 'x'}, 'text', child...)
function element(name, attributes, ...children) {
	const svg = ['svg', 'rect', 'text', 'g', 'title', 'line', 'path'].includes(name);
	const e = svg ? document.createElementNS('http://www.w3.org/2000/svg', name) : document.createElement(name);

	for (const [key, value] of Object.entries(attributes || {}))
		if (value !== false && value !== undefined)
			e.setAttribute(key, value === true ? '' : value);
	e.append(...children.filter((child) => child !== null));
	return e;
}

const hex = (n) => '0x' + Number(n).toString(16);
const size = (n) => (n % 2 ** 30 === 0 ? `${n / 2 ** 30}G` : n % 2 ** 20 === 0 ? `${n / 2 ** 20}M` : `${n / 1024}K`);
// Bit 6 clear: the guest's PAT applies; lower case and a class of its own when it does not.
const letter = (type, pat) => (pat ? LETTERS[type] || '?' : (LETTERS[type] || '?').toLowerCase());
const type_class = (type, pat) => `t-${type}${pat ? '' : 'i'}`;
const type_words = (type, pat) => type + (pat ? '' : ' + ignore PAT');
const chip = (type, pat = true) => element('span', {class: `chip ${type_class(type, pat)}`, title: type_words(type, pat)}, letter(type, pat));

// Every leaf of the EPT, in runs: {gpa, end, leaf, pat, old, level}.
function leaves(table, list = []) {
	for (const e of table.entries) {
		if (e.table)
			leaves(e.table, list);
		else
			list.push({...e, gpa: Number(e.gpa), level: table.level,
				end: Number(e.gpa) + (e.last - e.first + 1) * LEVEL_SIZE[table.level]});
	}
	return list;
}

// One row of the map of guest-physical space.
function space_row(y, name, parts) {
	const left = 74, width = 536, row = element('g', {}, element('text', {x: 0, y: y + 13}, name),
		element('rect', {x: left, y, width, height: 17, class: 't-none'}));

	for (const part of parts) {
		const x = left + part.start / RAM * width, w = Math.max((Math.min(part.end, RAM) - part.start) / RAM * width, 2);

		if (part.start >= RAM)
			continue;
		row.append(element('rect', {x, y, width: w, height: 17, class: part.class + (part.old ? ' old' : '')},
			element('title', {}, `${hex(part.start)}-${hex(part.end - 1)}: ${part.title}`)));
		if (w >= 14)
			row.append(element('text', {x: x + w / 2, y: y + 13, 'text-anchor': 'middle', class: 'on'}, part.letter));
	}
	return row;
}

function draw_space(state, into) {
	const types = (vcpu) => vcpu.types.map((t) => ({start: Number(t.gpa), end: Number(t.end), class: type_class(t.type, true), letter: letter(t.type, true), title: 'MTRR ' + t.type}));
	const all = leaves(state.ept).map((l) => ({start: l.gpa, end: l.end, class: type_class(l.leaf, l.pat), letter: letter(l.leaf, l.pat), old: l.old,
		title: `${LEVEL_NAME[l.level]} leaves, ${type_words(l.leaf, l.pat)}${l.old ? ', of an old type' : ''}`}));
	const cached = (vcpu) => vcpu.tlb.map((t) => ({start: Number(t.gpa), end: Number(t.gpa) + LEVEL_SIZE[t.level], class: type_class(t.leaf, t.pat),
		letter: letter(t.leaf, t.pat), old: t.stale, title: `cached ${type_words(t.leaf, t.pat)}${t.stale ? ', stale' : ''}`}));
	const rows = [];

	rows.push(['MTRR 0', types(state.vcpus[0])]);
	if (JSON.stringify(state.vcpus[0].types) !== JSON.stringify(state.vcpus[1].types))
		rows.push(['MTRR 1', types(state.vcpus[1])]);
	rows.push(['EPT', all], ['TLB 0', cached(state.vcpus[0])], ['TLB 1', cached(state.vcpus[1])]);
	const svg = element('svg', {viewBox: `0 0 612 ${rows.length * 21 + 16}`, width: '100%', role: 'img',
		'aria-label': 'types by MTRR, EPT leaves and cached translations over guest-physical addresses'});
	rows.forEach(([name, parts], i) => svg.append(space_row(i * 21, name, parts)));
	for (let m = 0; m <= 64; m += 16)
		svg.append(element('text', {x: 74 + m / 64 * 536, y: rows.length * 21 + 12, 'text-anchor': m === 64 ? 'end' : m ? 'middle' : 'start'}, m ? `${m}M` : '0'));
	into.replaceChildren(svg);
}

function draw_legend(into) {
	into.replaceChildren(...Object.keys(LETTERS).map((t) => element('span', {}, chip(t), ` ${t}, ${TYPE_WORDS[t]}`)),
		element('span', {}, chip('WB', false), ' small letter: the PAT is ignored'),
		element('span', {}, element('span', {class: 'chip t-table'}, '▸'), ' table'),
		element('span', {}, element('span', {class: 'chip gone'}, '×'), ' cleared by this step'),
		element('span', {class: 'bad'}, 'framed: of an old type, or stale'));
}

// The cells of one table: 512 entries, rows of 32 without any entry left out (but the first).
function cells_of(table) {
	const cells = Array(512).fill(null);

	for (const e of table.entries)
		for (let i = e.first; i <= e.last; i++)
			cells[i] = e;
	return cells;
}

function draw_cell(table, index, e, open, before) {
	const gpa = Number(table.gpa) + index * LEVEL_SIZE[table.level];
	let attributes = {type: 'button', class: 'cell t-none', tabindex: -1, 'data-gpa': hex(gpa), 'data-level': table.level, 'data-index': index};
	let text = '·', words = 'not present', fresh = before === null;

	if (!e && before) {
		attributes.class = 'cell t-none gone';
		text = '×';
		words = 'not present any more';
	} else if (e && e.table) {
		attributes.class = 'cell t-table' + (open ? ' open' : '');
		text = '▸';
		words = `table at ${e.table.at}`;
	} else if (e) {
		attributes.class = `cell ${type_class(e.leaf, e.pat)}${e.old ? ' old' : ''}${fresh ? ' new' : ''}`;
		text = letter(e.leaf, e.pat);
		words = `${LEVEL_NAME[table.level]} leaf, ${type_words(e.leaf, e.pat)}${e.accessed ? ', accessed' : ''}${e.dirty ? ', dirty' : ''}${e.old ? ', of an old type' : ''}`;
	}
	attributes.title = attributes['aria-label'] = `entry ${index}, ${hex(gpa)}: ${words}`;
	return element('button', attributes, text);
}

const TABLE_NAMES = ['', 'PT', 'PD', 'PDPT', 'PML4'];

function draw_level(table, open_index, before) {
	const cells = cells_of(table), old_cells = before ? cells_of(before) : null;
	const present = cells.filter((c) => c).length;
	const grid = element('div', {class: 'grid', role: 'group', 'aria-label': `entries of the table of level ${table.level}`});
	let hidden = 0;

	for (let row = 0; row < 16; row++) {
		const part = cells.slice(row * 32, row * 32 + 32);

		if (row && part.every((c, i) => !c && !(old_cells && old_cells[row * 32 + i]))) {
			hidden += 32;
			continue;
		}
		part.forEach((e, i) => grid.append(draw_cell(table, row * 32 + i, e, open_index === row * 32 + i, old_cells ? old_cells[row * 32 + i] : undefined)));
	}
	return element('div', {class: 'level'},
		element('h3', {}, `Level ${table.level}, ${TABLE_NAMES[table.level]} `, element('span', {}, `at ${table.at}, from ${table.gpa}: ${present} of 512 present${hidden ? `, ${hidden} more not shown` : ''}`)),
		grid);
}

// The tables on the way to 'gpa', from the root down.
function path_to(root, gpa) {
	const path = [root];

	for (let table = root; ;) {
		const index = Math.floor((gpa - Number(table.gpa)) / LEVEL_SIZE[table.level]);
		const e = cells_of(table)[index] || table.entries.find((x) => x.table);

		if (!e || !e.table)
			return path;
		path.push(table = e.table);
	}
}

const all_tables = (table) => [table, ...table.entries.filter((e) => e.table).flatMap((e) => all_tables(e.table))];

function draw_ept(state, before, gpa, into) {
	const path = path_to(state.ept, gpa), old = before ? all_tables(before.ept) : [];

	into.replaceChildren(...path.map((table, i) => {
		const same = old.find((t) => t.at === table.at && t.level === table.level);
		const next = path[i + 1];
		const open = next ? Math.floor((Number(next.gpa) - Number(table.gpa)) / LEVEL_SIZE[table.level]) : -1;

		return draw_level(table, open, same || (before ? {entries: []} : null));
	}));
	for (const grid of into.querySelectorAll('.grid')) {
		const first = grid.querySelector('.open, .old') || grid.querySelector('.cell:not(.t-none)') || grid.firstChild;

		first.tabIndex = 0;
	}
}

function table_of(heads, rows, empty) {
	if (!rows.length)
		return element('p', {class: 'empty'}, empty);
	return element('table', {}, element('tr', {}, ...heads.map((h) => element('th', {}, h))),
		...rows.map((row) => element('tr', {class: row.old ? 'old' : false}, ...row.cells.map((c) => element('td', {}, c)))));
}

function draw_vcpu(state, n, into) {
	const v = state.vcpus[n];

	into.replaceChildren(
		element('h2', {}, `vCPU ${n} `, element('span', {class: v.cd ? 'badge bad' : 'badge'}, `CD=${v.cd}`), ' ', element('span', {class: 'badge'}, `PAT ${v.pat}`),
			v.skips ? element('span', {class: 'bad'}, ' skips INVEPT') : ''),
		element('p', {class: 'hint'}, `MTRR default ${v.default}` + v.ranges.filter((r) => Number(r.start) < RAM).map((r) => `; ${r.number}: ${r.type} ${r.start}+${size(Number(r.size))}`).join('')),
		element('h3', {}, 'TLB: translations it has cached'),
		table_of(['address', 'size', 'type', ''], v.tlb.map((t) => ({old: t.stale, cells: [t.gpa, LEVEL_NAME[t.level], chip(t.leaf, t.pat), t.stale ? 'stale' : '']})), 'none'),
		element('p', {class: 'hint'}, `and ${v.tables.length} tables in its paging-structure caches`));
}

const byte = (n) => (n < 0 ? '' : '0x' + n.toString(16).padStart(2, '0'));

function draw_bytes(state, into) {
	const model = state.coherence;
	const rows = state.pages.map((p) => ({old: p.cpu.some((c) => c !== p.device),
		cells: [p.gpa, ...(model ? [p.cache < 0 ? '-' : byte(p.cache)] : []), byte(p.memory), byte(p.cpu[0]), byte(p.cpu[1]), byte(p.device)]}));

	into.replaceChildren(element('h2', {}, 'First byte of the pages in use'),
		element('p', {class: 'hint'}, model ? 'coherence=model: a page has a copy in the cache and one in memory. The first two columns are what each copy has, the others what each would read now.' : 'What each would read now: without coherence=model all see the same bytes.'),
		table_of(['page', ...(model ? ['in cache'] : []), 'in memory', 'vCPU 0', 'vCPU 1', 'device 0'], rows, 'no page was touched yet'));
}

function draw_iommu(state, into) {
	const io = state.iommu, yes = (flag, word) => (flag ? word : '');

	into.replaceChildren(
		element('h2', {}, 'IOMMU ', element('span', {class: 'badge'}, io.on ? 'translating' : 'off'), io.stale ? element('span', {class: 'bad'}, ` ${io.stale} stale uses`) : ''),
		element('p', {class: 'hint'}, `root table ${io.root}; ECAP.SC ${io.sc ? 1 : 0}, CAP.CM ${io.cm ? 1 : 0}`),
		element('h3', {}, 'Devices and their context entries'),
		table_of(['device', 'entry in memory', 'as cached', 'DMA'], io.devices.map((d) => ({old: d.old, cells: [d.name,
			d.present ? `domain ${d.domain}${yes(d.pass, ', pass')}` : 'not present', d.cached ? (d.old ? 'stale: another' : 'the same') : 'not cached',
			d.attached ? (d.noncoherent ? 'noncoherent' : 'coherent') : 'not attached']})), ''),
		element('h3', {}, 'Page tables in memory'),
		...io.mappings.slice(0, 1).map((m) => element('p', {class: 'hint'}, `${m.iova}: tables ${m.path.join(' > ')}`)),
		table_of(['device', 'iova', 'leads to', 'allows'], io.mappings.map((m) => ({cells: [String(m.device), m.iova, m.read || m.write ? m.gpa : 'nothing', yes(m.read, 'r') + yes(m.write, 'w') + yes(m.snp, ' snp')]})), 'none'),
		element('h3', {}, 'IOTLB'),
		table_of(['device', 'iova', 'leads to', 'allows'], io.iotlb.map((t) => ({old: t.old, cells: [t.source, t.iova, t.gpa, yes(t.read, 'r') + yes(t.write, 'w') + yes(t.snp, ' snp') + yes(t.old, ' stale')]})), 'empty'),
		element('h3', {}, `Queue: head ${io.queue.head}, tail ${io.queue.tail}`),
		table_of(['no.', 'descriptor', 'state'], io.queue.descriptors.map((d) => ({cells: [String(d.number), d.what, d.done ? 'done' : 'waits']})), 'empty'));
}
