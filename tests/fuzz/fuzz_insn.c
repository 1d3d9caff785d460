/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer on the instruction decoder and executor: any bytes, any registers. Nothing is read
 * beyond the bytes given, no instruction is longer than they are, and an execution makes no more
 * than two accesses, REP or not.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hv/emulate/insn.h"
#include "lib/errno.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static unsigned accesses;

static int memory_read(void *ctx, uint64_t linear, unsigned width, uint64_t *value)
{
	(void)ctx;
	assert(width <= 32 && !(width & (width - 1)));
	accesses++;
	for (unsigned i = 0; i < (width + 7) / 8; i++) value[i] = linear * 0x9e3779b97f4a7c15;
	return linear % 61 ? 0 : -EFAULT;
}

static int probe_write(void *ctx, uint64_t linear, unsigned width)
{
	(void)ctx;
	(void)width;
	return linear % 67 ? 0 : -EFAULT;
}

static int memory_write(void *ctx, uint64_t linear, unsigned width, uint64_t *value)
{
	assert(width >= 8 || *value >> (8 * width) == 0);
	accesses++;
	return probe_write(ctx, linear, width);
}

static int load_segment(void *ctx, unsigned segment, uint16_t selector)
{
	(void)ctx;
	assert(segment < 6 && segment != SEG_CS);
	return selector % 3 ? 0 : -EFAULT;
}

/* The first byte chooses the mode, the next 16 fill the registers, the rest is code. */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static const unsigned modes[] = {16, 32, 64};
	const struct insn_memory memory = {.read = memory_read, .write = memory_write, .probe_write = probe_write};
	static uint8_t fpu[1024];
	uint64_t gpr[16];
	struct insn_cpu cpu = {.gpr = gpr, .rip = 0xfff0, .rflags = 2, .fpu = fpu, .load_segment = load_segment};
	struct insn insn;
	uint8_t *code;
	int error;

	if (size < 17) return 0;
	cpu.mode = modes[input[0] % 3];
	cpu.stack_mask = input[0] & 4 ? 0xffff : ~0ULL;
	for (unsigned i = 0; i < 6; i++)
		cpu.segment[i] = (struct insn_segment){.limit = ~0U, .rights = input[0] >> 3 << 1};
	for (unsigned i = 0; i < 16; i++) gpr[i] = input[1 + i] * 0x0123456789abcdefULL;
	size -= 17;
	code = malloc(size); /* of the exact size: the sanitizer sees a read beyond it */
	memcpy(code, input + 17, size);
	error = insn_decode(code, size, cpu.mode, &insn);
	assert(error == 0 || error == -EINVAL || (error == -EAGAIN && size < INSN_MAX));
	free(code);
	if (error) return 0;
	assert(insn.length >= 1 && insn.length <= size && insn.length <= INSN_MAX);
	accesses = 0;
	insn_execute(&insn, &cpu, &memory);
	assert(accesses <= 2); /* MOVS: a read and a write */
	return 0;
}
