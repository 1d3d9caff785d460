// SPDX-License-Identifier: MIT
// The border to the WebAssembly: words go in, JSON comes out. Only this file knows its memory.
'use strict';

const machine = (() => {
	const text = document.getElementById('machine').textContent;
	const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
	const decoder = new TextDecoder(), encoder = new TextEncoder();
	let code;

	function output() {
		const memory = new Uint8Array(code.memory.buffer), start = code.play_output();
		return decoder.decode(memory.subarray(start, memory.indexOf(0, start)));
	}

	return {
		async load() {
			const {instance} = await WebAssembly.instantiate(bytes, {});
			code = instance.exports;
		},
		// Carry out one step: {error, lost, lines}.
		step(words) {
			const input = encoder.encode(words).subarray(0, 255);
			const memory = new Uint8Array(code.memory.buffer, code.play_input(), 256);

			memory.fill(0);
			memory.set(input);
			code.play_step();
			return output();
		},
		// All that can be seen, as JSON.
		state() {
			code.play_state();
			return output();
		},
		trace_format() {
			code.play_trace_format();
			return JSON.parse(output());
		},
		// A record of a trace, 32 bytes, in words.
		trace_text(record) {
			new Uint8Array(code.memory.buffer, code.play_input(), record.length).set(record);
			code.play_trace_text();
			return output();
		},
		explain(cpu, gpa) {
			code.play_explain(cpu, BigInt(gpa));
			return JSON.parse(output());
		},
	};
})();
