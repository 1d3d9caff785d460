// SPDX-License-Identifier: MIT
// The playground: a list of steps, what each of them did, and the picture behind the last one. The
// list is the whole state of the page; it stands in the URL, and undo carries out all but the last.
'use strict';

const by_id = (id) => document.getElementById(id);

// web/scenarios: [{name, title, steps: [{words, said}]}]
function read_scenarios(text) {
	const list = [];
	let said = '';

	for (const line of text.split('\n')) {
		const rest = line.slice(1).trim();

		if (line.startsWith('=')) {
			const [, name, title] = rest.match(/^(\w+): (.*)$/);

			list.push({name, title, steps: []});
		} else if (line.startsWith('>')) {
			said = rest;
		} else if (line && !/^[#!]/.test(line)) {
			list[list.length - 1].steps.push({words: line, said});
			said = '';
		}
	}
	return list;
}

const scenarios = read_scenarios(by_id('scenarios').textContent);
const page = {
	guide: null, // the scenario that is followed
	steps: [], // {words, answer, state}: texts of JSON, as the machine gave them
	gpa: 0, // which way through the EPT is open
	error: '',
};

function run(words) {
	const answer = machine.step(words);

	page.error = JSON.parse(answer).error;
	if (page.error)
		return false;
	if (/^vm\b/.test(words))
		page.steps = [];
	page.steps.push({words, answer, state: machine.state()});
	follow(words);
	return true;
}

// The EPT opens where the last step touched it.
function follow(words) {
	const [name, ...rest] = words.split(' ');

	if (name === 'read' || name === 'write' || name === 'sweep')
		page.gpa = parse_address(rest[1]);
}

function parse_address(text) {
	const unit = {K: 2 ** 10, M: 2 ** 20, G: 2 ** 30}[text.slice(-1)];

	return unit ? Number(text.slice(0, -1)) * unit : Number(text);
}

function run_all(list) {
	page.steps = [];
	for (const words of list)
		if (!run(words))
			break;
}

// Is the list the beginning of the scenario? The number of the step to come, or -1.
function place_in_guide() {
	const steps = page.guide ? page.guide.steps : [];

	return page.guide && page.steps.every((s, i) => steps[i] && steps[i].words === s.words) ? page.steps.length : -1;
}

function hash_of() {
	return '#' + (page.guide ? page.guide.name : '') + '!' + page.steps.map((s) => s.words.replace(/ /g, '+')).join(';');
}

function unescape_hash() {
	try {
		return decodeURIComponent(location.hash.slice(1));
	} catch {
		return ''; // a stray %
	}
}

function read_hash() {
	const [name, list] = unescape_hash().split('!');

	page.guide = scenarios.find((s) => s.name === name) || null;
	run_all(list ? list.split(';').map((s) => s.replace(/\+/g, ' ')) : [(page.guide || scenarios[0]).steps[0].words]);
	if (!list && !page.guide)
		page.guide = scenarios[0];
	if (!page.steps.length) { // a link that makes no sense: what is wrong with it stands beside the first step
		const error = page.error;

		run(scenarios[0].steps[0].words);
		page.error = error;
	}
}

function show_lines(step) {
	const {lines, lost} = JSON.parse(step.answer);
	const list = lines.map((l) => element('li', {class: l.kind}, element('span', {class: 'text'}, l.text),
		element('span', {class: 'who', title: l.file}, `${l.function ? l.function + '(), ' : l.file + ', '}${l.section}`)));

	if (page.error)
		list.unshift(element('li', {class: 'error'}, element('span', {class: 'text'}, page.error), element('span', {class: 'who'}, 'not done')));
	if (lost)
		list.push(element('li', {}, element('span', {class: 'text'}, `and ${lost} lines more`)));
	if (!list.length)
		list.push(element('li', {}, element('span', {class: 'text'}, 'nothing that the hypervisor would see')));
	by_id('lines').replaceChildren(...list);
	by_id('step-now').replaceChildren(`Step ${page.steps.length}: `, element('code', {}, step.words));
}

function show_guide() {
	const at = place_in_guide(), steps = page.guide ? page.guide.steps : [];
	const last = at > 0 ? steps.slice(0, at).filter((s) => s.said).pop() : null;

	by_id('scenario').value = page.guide ? page.guide.name : '';
	by_id('guide').textContent = at < 0 ? (page.guide ? 'You have left the scenario’s path: undo, or start it anew.' : 'No scenario: do as you like.') : last ? last.said : '';
	by_id('coming').replaceChildren(...(at >= 0 && at < steps.length ? [`${at} of ${steps.length} done; next: `, element('code', {}, steps[at].words)] : at >= 0 ? ['The end. Undo, change something, try another.'] : []));
	by_id('next').disabled = by_id('all').disabled = at < 0 || at >= steps.length;
	by_id('undo').disabled = page.steps.length < 2;
}

function show_figures(state) {
	const part = (name, value) => [`${name} `, element('b', {}, String(value)), '  '];

	by_id('figures').replaceChildren(...part('policy', state.policy + (state.retype ? ', retype' : '') + (state.filltable ? ', fill table' : '')), ...part('noncoherent count', state.count), ...part('transitions', state.transitions),
		...part('leaves cleared', state.cleared), ...part('INVEPTs', state.invepts), ...part('tables', state.tables));
}

function show() {
	const now = page.steps[page.steps.length - 1], before = page.steps[page.steps.length - 2];
	const state = JSON.parse(now.state);

	show_guide();
	show_lines(now);
	show_figures(state);
	draw_space(state, by_id('space'));
	draw_ept(state, before ? JSON.parse(before.state) : null, page.gpa, by_id('ept'));
	by_id('why').replaceChildren();
	draw_vcpu(state, 0, by_id('vcpu0'));
	draw_vcpu(state, 1, by_id('vcpu1'));
	draw_bytes(state, by_id('bytes'));
	draw_iommu(state, by_id('iommu'));
	by_id('steps').replaceChildren(...page.steps.map((s) => element('li', {}, s.words)));
	by_id('steps').scrollTop = 1e6;
	by_id('link').href = hash_of();
	history.replaceState(null, '', hash_of());
}

function do_step(words) {
	run(words);
	show();
}

function undo() {
	const list = page.steps.slice(0, -1).map((s) => s.words);

	if (!list.length)
		return;
	run_all(list);
	show();
}

function next() {
	const at = place_in_guide();

	if (at >= 0 && at < page.guide.steps.length)
		do_step(page.guide.steps[at].words);
}

function to_the_end() {
	while (place_in_guide() >= 0 && place_in_guide() < page.guide.steps.length && run(page.guide.steps[place_in_guide()].words))
		;
	show();
}

function start(name) {
	page.guide = scenarios.find((s) => s.name === name) || page.guide;
	page.gpa = 0;
	run_all([page.guide.steps[0].words]);
	show();
}

// A cell of the EPT: a table opens, a leaf is explained.
function choose_cell(cell) {
	const gpa = Number(cell.dataset.gpa), level = Number(cell.dataset.level);

	if (cell.classList.contains('t-table')) {
		page.gpa = gpa;
		show();
		by_id('ept').querySelector(`[data-level="${level}"][data-index="${cell.dataset.index}"]`).focus();
		return;
	}
	by_id('why').replaceChildren(element('h3', {}, `Why ${cell.dataset.gpa} is what it is for vCPU 0: ept_explain()`),
		...machine.explain(0, gpa).map((text) => element('p', {}, text)));
}

const ARROWS = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -32, ArrowDown: 32};

function move_in_grid(event) {
	const cell = event.target.closest('.cell'), by = ARROWS[event.key];

	if (!cell || !by)
		return;
	const cells = [...cell.parentElement.children], to = cells[cells.indexOf(cell) + by];

	event.preventDefault();
	if (!to)
		return;
	cell.tabIndex = -1;
	to.tabIndex = 0;
	to.focus();
}

function on_key(event) {
	if (event.target.closest('input, select') || event.ctrlKey || event.altKey || event.metaKey || by_id('play').hidden)
		return;
	if (event.key === 'n')
		next();
	else if (event.key === 'u')
		undo();
}

function connect() {
	by_id('scenario').append(...scenarios.map((s, i) => element('option', {value: s.name}, `${i + 1}. ${s.title}`)));
	by_id('scenario').addEventListener('change', () => start(by_id('scenario').value));
	by_id('start').addEventListener('click', () => start(by_id('scenario').value));
	by_id('next').addEventListener('click', next);
	by_id('undo').addEventListener('click', undo);
	by_id('all').addEventListener('click', to_the_end);
	by_id('ept').addEventListener('click', (event) => {
		const cell = event.target.closest('.cell');

		if (cell)
			choose_cell(cell);
	});
	by_id('ept').addEventListener('keydown', move_in_grid);
	document.addEventListener('keydown', on_key);
	window.addEventListener('hashchange', () => {
		if (location.hash !== hash_of()) {
			read_hash();
			show();
		}
	});
	make_operations(by_id('operations'), do_step);
	draw_legend(by_id('legend'));
}

machine.load().then(() => {
	connect();
	read_hash();
	show();
	document.body.dataset.ready = 'yes';
});
