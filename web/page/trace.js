// SPDX-License-Identifier: MIT
// A trace file as data: its records in the order of their times, what is missing, the exits by
// reason, and the EPT at any moment, rebuilt from the events. Numbers of records come from the
// hypervisor's header (web/trace.c); nothing here draws.
'use strict';

const EPT_TYPE_NAMES = ['UC', 'WC', '?', '?', 'WT', 'WP', 'WB', '?'];

function read_record(view, bytes, at) {
	return {
		tsc: view.getBigUint64(at, true), type: bytes[at + 8], cpu: bytes[at + 9], vm: bytes[at + 10], vcpu: bytes[at + 11],
		a: view.getUint32(at + 12, true), b: view.getBigUint64(at + 16, true), c: view.getBigUint64(at + 24, true), bytes: bytes.subarray(at, at + 32),
	};
}

// The name in b and c of an EVENT_NAME.
function name_of(record) {
	const end = record.bytes.subarray(16).indexOf(0);

	return new TextDecoder().decode(record.bytes.subarray(16, end < 0 ? 32 : 16 + end)).replace(/[^a-z0-9-]/g, '');
}

// {events, khz, lost, ended, names, types, reasons}, or an error that says what it is.
function read_trace(buffer) {
	const format = machine.trace_format(), T = format.types, magic = BigInt(format.magic);
	const view = new DataView(buffer), bytes = new Uint8Array(buffer);
	const is_mark = (r) => r.type === T.TRACE && r.c === magic;
	const trace = {events: [], lost: 0, names: {}, types: T, reasons: format.reasons, gaps: []};
	let told = 0n, good = true, at = 0, lost_before = false, order = 0;

	const first = buffer.byteLength >= format.size ? read_record(view, bytes, 0) : null;
	if (!first || !is_mark(first) || !first.a)
		throw new Error('no trace of Leafcutter, expected what make run TRACE=file writes');
	trace.khz = first.a;
	while (at + format.size <= buffer.byteLength) {
		const r = read_record(view, bytes, at), mark = is_mark(r);

		good = mark || (good && r.type > 0 && r.type < T.TYPES && r.type !== T.TRACE);
		if (!good) {
			lost_before = true;
			at++;
			continue;
		}
		trace.ended = mark;
		if (mark && r.b > told) {
			trace.lost += Number(r.b - told);
			told = r.b;
			lost_before = true;
		}
		told++;
		if (r.type === T.NAME)
			trace.names[r.vm] = name_of(r);
		else if (!mark) {
			trace.events.push({...r, order: order++});
			if (lost_before)
				trace.gaps.push(r.tsc);
			lost_before = false;
		}
		at += format.size;
	}
	trace.ended = trace.ended && at === buffer.byteLength;
	trace.events.sort((x, y) => (x.tsc < y.tsc ? -1 : x.tsc > y.tsc ? 1 : (y.type === T.EXIT) - (x.type === T.EXIT) || x.order - y.order));
	const start = trace.events.length ? trace.events[0].tsc : 0n;
	trace.events.forEach((e, i) => {
		e.number = i;
		e.t = Number(e.tsc - start);
		e.end = e.type === T.EXIT ? e.t + e.a : e.t;
		e.reason = e.type === T.EXIT ? Number(e.c >> 56n) : -1;
	});
	trace.gaps = trace.gaps.map((tsc) => Number(tsc - start));
	trace.last = trace.events.reduce((most, e) => Math.max(most, e.end), 1);
	return trace;
}

const text_of = (event) => (event.text ??= machine.trace_text(event.bytes));

// Exits by VM and reason: nearest rank, as tools/trace --summary.
function reasons_of(trace) {
	const rows = new Map();

	for (const e of trace.events) {
		if (e.type !== trace.types.EXIT)
			continue;
		const key = `${e.vm} ${e.reason}`;

		if (!rows.has(key))
			rows.set(key, {vm: e.vm, reason: e.reason, ticks: []});
		rows.get(key).ticks.push(e.a);
	}
	const percentile = (ticks, percent) => ticks[Math.ceil(ticks.length * percent / 100) - 1];
	const list = [...rows.values()].map((row) => {
		const ticks = row.ticks.sort((x, y) => x - y), total = ticks.reduce((x, y) => x + y, 0);

		return {...row, count: ticks.length, total, mean: Math.floor((total * 20 + ticks.length) / (2 * ticks.length)) / 10, median: percentile(ticks, 50), most99: percentile(ticks, 99), most: ticks[ticks.length - 1]};
	});

	return list.sort((x, y) => x.vm - y.vm || y.total - x.total);
}

// A run of leaves side by side (EVENT_RUN).
function add_run(leaves, e) {
	const level = e.a & 0xff, size = LEVEL_SIZE[level], end = Number(e.b) + Number(e.c & ~0xfffn);

	for (let gpa = Number(e.b); level && gpa < end; gpa += size)
		leaves.set(gpa, {size, level, bits: Number(e.c & 0xffn)});
}

// Take away what lies in [from, to), or reaches into it. Returns how many.
function clear_leaves(leaves, from, to) {
	let cleared = 0;

	for (const [gpa, leaf] of leaves) {
		if (gpa < to && gpa + leaf.size > from) {
			leaves.delete(gpa);
			cleared++;
		}
	}
	return cleared;
}

// The leaves of one VM up to and with event 'number': {leaves: Map gpa -> {size, bits}, doubt}.
// 'doubt' says why the EPT is not known, until all its runs are told.
function rebuild_ept(trace, vm, number) {
	const T = trace.types, leaves = new Map();
	let doubt = '', gap = 0;

	for (const e of trace.events) {
		if (e.number > number)
			break;
		for (; trace.gaps[gap] <= e.t; gap++)
			doubt = 'records before this moment are lost, so what the EPT holds is not known';
		if (e.vm !== vm)
			continue;
		if (e.type === T.RUN) {
			if (e.a & 0x100) {
				leaves.clear();
				doubt = '';
			}
			add_run(leaves, e);
		} else if (doubt) {
			continue;
		} else if (e.type === T.INSTALL && e.a > 0) {
			const size = LEVEL_SIZE[e.a];

			leaves.set(Number(e.b) - Number(e.b) % size, {size, level: e.a, bits: Number(e.c & 0xffn)});
		} else if (e.type === T.RETYPE) {
			doubt = 'leaves are being given their type in place (transition=retype); which, the runs behind it say';
		} else if (e.type === T.ZAP) {
			const cleared = clear_leaves(leaves, Number(e.b), Number(e.b) + Number(e.c));

			if (cleared !== e.a)
				doubt = `a zap cleared ${e.a} leaves where ${cleared} were known: an event is missing`;
		}
	}
	return {leaves, doubt};
}

const leaf_type = (bits) => EPT_TYPE_NAMES[bits >> 3 & 7];
const leaf_pat = (bits) => !(bits >> 6 & 1);
