// SPDX-License-Identifier: MIT
// What one can do by hand: small forms, each of which makes the words of one step (web/command.c).
'use strict';

const TYPES = ['WB', 'UC', 'WC', 'WT', 'WP'];
const CPU = ['vCPU', 'cpu', ['0', '1']], CPU_ALL = ['vCPU', 'cpu', ['all', '0', '1']];
const DEVICE = ['device', 'device', ['0', '1']], ON = ['', 'on', [['1', 'on'], ['0', 'off']]];
const ADDRESS = ['address', 'gpa', '0x2000000'], IOVA = ['iova', 'iova', '0x4000000'];

// Group, then its forms: button, words with {fields}, fields of [label, name, choices or value]; a choice is its word, or
// [word, how it reads].
const OPERATIONS = [
	['A CPU touches memory', [
		['Read', 'read {cpu} {gpa}', [CPU, ADDRESS]],
		['Write', 'write {cpu} {gpa} {byte}', [CPU, ADDRESS, ['byte', 'byte', '0x41']]],
		['Sweep', 'sweep {cpu} {gpa} {size}', [CPU, ADDRESS, ['size', 'size', '256K']]],
		['WBINVD', 'wbinvd {cpu}', [CPU]],
	]],
	['MTRRs, CR0.CD, PAT', [
		['Set range', 'mtrr {cpu} {range} {type} {gpa} {size}', [CPU_ALL, ['range', 'range', ['1', '2', '3']], ['type', 'type', ['UC', 'WC', 'WB', 'WT', 'WP']], ADDRESS, ['size', 'size', '2M']]],
		['Range off', 'mtrr {cpu} {range} off', [CPU_ALL, ['range', 'range', ['1', '2', '3']]]],
		['Set default', 'mtrr {cpu} default {type}', [CPU_ALL, ['type', 'type', TYPES]]],
		['Set CD', 'cd {cpu} {on}', [CPU_ALL, ON]],
		['Set PAT', 'pat {cpu} {type}', [CPU_ALL, ['type', 'type', [...TYPES, 'UC-']]]],
	]],
	['The IOMMU’s tables', [
		['Translation', 'iommu {on}', [['', 'on', ['on', 'off']]]],
		['Map', 'map {device} {iova} {gpa} {flags}', [DEVICE, IOVA, ADDRESS, ['allows', 'flags', ['rw', 'r', 'w', 'rw snp']]]],
		['Unmap', 'unmap {device} {iova}', [DEVICE, IOVA]],
		['Context', 'context {device} {what}', [DEVICE, ['domain', 'what', ['1', '2', '1 pass', 'off']]]],
	]],
	['The invalidation queue', [
		['Add', 'queue {what}', [['', 'what', ['context device 0', 'context device 1', 'context domain 1', 'context global', 'iotlb global', 'iotlb domain 1', 'iotlb page 1 0x4000000']]]],
		['Ring', 'ring', []],
	]],
	['DMA by a device', [
		['Device reads', 'dma out {device} {iova}', [DEVICE, IOVA]],
		['Device writes', 'dma in {device} {iova} {byte}', [DEVICE, IOVA, ['byte', 'byte', '0x55']]],
		['No Snoop', 'nosnoop {device} {on}', [DEVICE, ON]],
	]],
	['Break it', [
		['Skip INVEPT', 'skip invept {cpu} {on}', [['CPU', 'cpu', ['1', '0', 'all']], ON]],
		['Skip zaps', 'skip zap {on}', [ON]],
	]],
	['Another machine (begins anew)', [
		['New', 'vm {policy} {transition} {fill} {large} {sc} {cm} {coherence}', [['rules', 'policy', ['kvm-6.7', 'kvm-6.6', 'kvm-6.11', 'kvm-6.16']], ['transition', 'transition', [['', 'zap'], ['transition=retype', 'retype']]],
			['a fault fills', 'fill', [['', 'a leaf'], ['fill=table', 'a table']]], ['leaves up to', 'large', [['', '1G'], ['large=2M', '2M'], ['large=4K', '4K']]], ['snoop control', 'sc', [['', 'off'], ['sc', 'on']]],
			['caching mode', 'cm', [['', 'on'], ['cm=off', 'off']]], ['caches', 'coherence', [['', 'not modelled'], ['coherence=model', 'modelled']]]]],
	]],
];

function make_field([label, name, value]) {
	const field = Array.isArray(value) ? element('select', {name, 'aria-label': label || name}, ...value.map((v) => [v].flat()).map(([word, reads = word]) => element('option', {value: word}, reads)))
		: element('input', {name, value, spellcheck: 'false', 'aria-label': label || name, class: name === 'byte' || name === 'size' ? 'short' : false});

	return element('label', {}, label, field);
}

function make_operation([button, words, fields], run) {
	const form = element('form', {class: 'row'}, element('button', {type: 'submit'}, button), ...fields.map(make_field));

	form.addEventListener('submit', (event) => {
		const data = new FormData(form);

		event.preventDefault();
		run(words.replace(/\{(\w+)\}/g, (_, name) => data.get(name)).replace(/ +/g, ' ').trim());
	});
	return form;
}

function make_operations(into, run) {
	for (const [name, forms] of OPERATIONS)
		into.append(element('details', {}, element('summary', {}, name), ...forms.map((form) => make_operation(form, run))));
}
