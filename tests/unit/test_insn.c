/* SPDX-License-Identifier: MIT */
/* hv/emulate/insn_execute.c: what the CPU this runs on cannot show: errors, REP one by one, 16- and
 * 32-bit code.
 */
#include <string.h>

#include "tests/lib/test.h"
#include "hv/emulate/insn.h"
#include "lib/errno.h"
#include "lib/x86.h"

struct fixture {
	uint64_t gpr[16];
	struct insn_cpu cpu;
	struct insn_memory memory;
	uint8_t bytes[256]; /* at linear address 'base' */
	uint64_t base;
	unsigned reads, writes, ports;
	unsigned allowed; /* accesses before one fails */
	uint64_t last;
};

static int access_memory(struct fixture *f, uint64_t linear)
{
	f->last = linear;
	return f->allowed-- ? 0 : -EFAULT;
}

static int memory_read(void *ctx, uint64_t linear, unsigned width, uint64_t *value)
{
	struct fixture *f = ctx;

	if (access_memory(f, linear)) return -EFAULT;
	f->reads++;
	assert_in_range(linear - f->base, 0, sizeof(f->bytes) - width);
	*value = 0;
	memcpy(value, f->bytes + (linear - f->base), width);
	return 0;
}

static int memory_write(void *ctx, uint64_t linear, unsigned width, uint64_t *value)
{
	struct fixture *f = ctx;

	if (access_memory(f, linear)) return -EFAULT;
	f->writes++;
	assert_in_range(linear - f->base, 0, sizeof(f->bytes) - width);
	memcpy(f->bytes + (linear - f->base), value, width);
	return 0;
}

static int probe_write(void *ctx, uint64_t linear, unsigned width)
{
	struct fixture *f = ctx;

	(void)width;
	f->last = linear;
	return f->allowed ? 0 : -EFAULT;
}

static struct fixture *set_up(unsigned mode)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	f.cpu.gpr = f.gpr;
	f.cpu.mode = mode;
	f.cpu.rip = 0x1000;
	f.cpu.rflags = 2;
	f.cpu.stack_mask = ~0ULL;
	f.cpu.protected_mode = true;
	for (unsigned i = 0; i < 6; i++)
		f.cpu.segment[i] = (struct insn_segment){.limit = ~0U, .rights = SEGMENT_FLAT_DATA};
	f.memory = (struct insn_memory){&f, memory_read, memory_write, probe_write};
	f.base = 0x8000;
	f.allowed = 1000;
	for (unsigned i = 0; i < sizeof(f.bytes); i++) f.bytes[i] = (uint8_t)i;
	return &f;
}

/* Decode 'size' bytes of code and execute them, a REP form for 'most' iterations. */
static int run(struct fixture *f, const char *code, size_t size, unsigned most)
{
	struct insn insn;
	uint64_t rip = f->cpu.rip;
	int error = 0;

	assert_int_equal(insn_decode((const uint8_t *)code, size, f->cpu.mode, &insn), 0);
	assert_int_equal(insn.length, size);
	for (; !error && most && f->cpu.rip == rip; most--) error = insn_execute(&insn, &f->cpu, &f->memory);
	return error;
}
#define RUN(f, code) run(f, code, sizeof(code) - 1, 100)

/* A port that counts: reads give how many there were, writes are added up. */
static int port(void *ctx, unsigned width, bool write, uint64_t *value)
{
	struct fixture *f = ctx;

	assert_int_equal(width, 2);
	f->ports++;
	if (write)
		f->last = *value;
	else
		*value = f->ports;
	return 0;
}

TEST(ins_reads_the_port_once_the_memory_is_known_to_be_writable)
{
	struct fixture *f = set_up(64);

	f->cpu.port = port;
	f->gpr[RDI] = f->base;
	f->gpr[RCX] = 3;
	assert_int_equal(RUN(f, "\xf3\x66\x6d"), 0); /* rep insw */
	assert_memory_equal(f->bytes, "\1\0\2\0\3\0\6", 7);
	assert_int_equal(f->gpr[RDI], f->base + 6);
	assert_int_equal(f->gpr[RCX], 0);
	f->allowed = 0;
	assert_int_equal(run(f, "\x66\x6d", 2, 1), -EFAULT);
	assert_int_equal(f->ports, 3);
	assert_int_equal(f->gpr[RDI], f->base + 6);
}

TEST(outs_reads_its_segment_and_goes_down_with_df)
{
	struct fixture *f = set_up(32);

	f->cpu.port = port;
	f->cpu.rflags |= RFLAGS_DF;
	f->cpu.segment_base[SEG_FS] = f->base;
	f->gpr[RSI] = 0x10;
	f->gpr[RCX] = 2;
	assert_int_equal(RUN(f, "\xf3\x64\x66\x6f"), 0); /* rep outsw fs: */
	assert_int_equal(f->last, 0x0f0e);
	assert_int_equal(f->gpr[RSI], 0x0c);
	f->cpu.segment[SEG_FS].limit = 0x0c;
	assert_int_equal(run(f, "\x64\x66\x6f", 3, 1), -EFAULT);
	assert_int_equal(f->cpu.fault, VECTOR_GP);
	assert_int_equal(f->ports, 2);
}

static int run_code(void *ctx, const struct insn *insn, struct insn_cpu *cpu)
{
	struct fixture *f = ctx;

	(void)insn, (void)cpu;
	f->ports++;
	return -1;
}

/* With CR0.TS a program that changes its code behind the exit gets #NM, not the registers of the one before it. */
TEST(no_register_of_another_program_is_used_and_bmi_uses_none)
{
	static struct insn_native native;
	struct fixture *f = set_up(64);

	f->cpu.native = &native;
	f->cpu.run = run_code;
	f->cpu.task_switched = true;
	f->gpr[RDI] = 0x8000;
	assert_int_equal(RUN(f, "\x0f\x11\x07"), -EFAULT); /* movups [rdi], xmm0 */
	assert_int_equal(f->cpu.fault, VECTOR_NM);
	assert_int_equal(RUN(f, "\xd9\x07"), -EFAULT); /* fld dword [rdi] */
	assert_int_equal(f->cpu.fault, VECTOR_NM);
	assert_int_equal(f->ports + f->reads + f->writes, 0);
	assert_int_equal(RUN(f, "\xc4\xe2\x70\xf2\x07"), 0);     /* andn eax, ecx, [rdi] */
	assert_int_equal(RUN(f, "\xc4\xe2\x70\xf3\x0f"), 0);     /* blsr ecx, [rdi] */
	assert_int_equal(RUN(f, "\xc4\xe3\x7b\xf0\x07\x05"), 0); /* rorx eax, [rdi], 5 */
	f->cpu.task_switched = false;
	assert_int_equal(RUN(f, "\x0f\x11\x07"), 0);
	assert_int_equal(f->ports, 4);
}

TEST(no_address_but_a_canonical_one_is_asked_for)
{
	struct fixture *f = set_up(64);

	f->gpr[RDI] = 1ULL << 63;
	f->gpr[RCX] = 1;
	assert_int_equal(RUN(f, "\xf3\xaa"), -EFAULT); /* rep stosb */
	assert_int_equal(f->cpu.fault, VECTOR_GP);
	assert_int_equal(f->last, 0);
}

TEST(a_failing_access_changes_nothing)
{
	static const char *const codes[] = {
		"\x8b\x07", /* mov eax, [rdi] */
		"\x89\x07", /* mov [rdi], eax */
		"\x01\x07", /* add [rdi], eax */
		"\x03\x07", /* add eax, [rdi] */
		"\x87\x07", /* xchg [rdi], eax */
		"\x85\x07", /* test [rdi], eax */
		"\xff\x07", /* inc [rdi] */
		"\xf7\x17", /* not [rdi] */
	};

	for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		for (unsigned allowed = 0; allowed < 2; allowed++) {
			struct fixture *f = set_up(64), before;

			f->gpr[RDI] = 0x8010;
			f->gpr[RAX] = 0x1234567890;
			f->allowed = allowed;
			before = *f;
			if (run(f, codes[i], 2, 1) == 0) continue; /* it needs one access only */
			assert_memory_equal(f->gpr, before.gpr, sizeof(f->gpr));
			assert_memory_equal(f->bytes, before.bytes, sizeof(f->bytes));
			assert_int_equal(f->cpu.rflags, before.cpu.rflags);
			assert_int_equal(f->cpu.rip, before.cpu.rip);
		}
	}
}

TEST(a_string_that_fails_keeps_what_was_done)
{
	struct fixture *f = set_up(64);

	f->gpr[RDI] = 0x8000;
	f->gpr[RCX] = 8;
	f->gpr[RAX] = 0xee;
	f->allowed = 3;
	assert_int_equal(RUN(f, "\xf3\xaa"), -EFAULT);
	assert_int_equal(f->gpr[RCX], 5);
	assert_int_equal(f->gpr[RDI], 0x8003);
	assert_int_equal(f->cpu.rip, 0x1000);
	f->allowed = 100;
	assert_int_equal(RUN(f, "\xf3\xaa"), 0);
	assert_int_equal(f->gpr[RCX], 0);
	assert_int_equal(f->cpu.rip, 0x1002);
	assert_memory_equal(f->bytes, "\xee\xee\xee\xee\xee\xee\xee\xee\x08", 9);
}

TEST(a_string_does_one_iteration_at_a_time_and_stays_until_the_last)
{
	struct fixture *f = set_up(64);

	f->gpr[RDI] = 0x8080;
	f->gpr[RSI] = 0x8000;
	f->gpr[RCX] = 10;
	assert_int_equal(run(f, "\xf3\x48\xa5", 3, 4), 0);
	assert_int_equal(f->reads, 4);
	assert_int_equal(f->writes, 4);
	assert_int_equal(f->gpr[RCX], 6);
	assert_int_equal(f->cpu.rip, 0x1000);
	assert_int_equal(run(f, "\xf3\x48\xa5", 3, 0), 0);
	assert_int_equal(f->gpr[RCX], 6);
	assert_int_equal(run(f, "\xf3\x48\xa5", 3, 6), 0);
	assert_int_equal(f->gpr[RCX], 0);
	assert_int_equal(f->cpu.rip, 0x1003);
	assert_memory_equal(f->bytes, f->bytes + 0x80, 80);
}

TEST(a_string_of_no_iterations_touches_nothing)
{
	struct fixture *f = set_up(64);

	assert_int_equal(RUN(f, "\xf3\xa4"), 0);
	assert_int_equal(f->reads + f->writes, 0);
	assert_int_equal(f->cpu.rip, 0x1002);
}

TEST(addresses_wrap_at_16_bits_and_segments_are_added)
{
	struct fixture *f = set_up(16);

	f->base = 0x20000;
	f->cpu.segment_base[SEG_DS] = 0x20000;
	f->gpr[RBX] = 0xaaaafff0;
	f->gpr[RSI] = 0xbbbb0020;
	assert_int_equal(RUN(f, "\x8a\x00"), 0); /* mov al, [bx+si] */
	assert_int_equal(f->last, 0x20010);
	assert_int_equal(f->gpr[RAX], 0x10);
	f->cpu.segment_base[SEG_SS] = 0x1ff00;
	f->gpr[RBP] = 0x120;
	assert_int_equal(RUN(f, "\x8a\x46\xf0"), 0); /* mov al, [bp-16] */
	assert_int_equal(f->last, 0x20010);
	f->cpu.segment_base[SEG_ES] = 0x1ffff;
	assert_int_equal(RUN(f, "\x26\xa0\x11\x00"), 0); /* mov al, es:[0x11] */
	assert_int_equal(f->last, 0x20010);
	f->cpu.segment_base[SEG_SS] = 0x20000;
	f->gpr[RSP] = 0xffffffff00000030;                    /* what lies above bit 31 is not there */
	assert_int_equal(RUN(f, "\x67\x66\x8b\x04\x24"), 0); /* mov eax, [esp] */
	assert_int_equal(f->last, 0x20030);
}

TEST(linear_addresses_wrap_at_32_bits_outside_64_bit_mode)
{
	struct fixture *f = set_up(32);

	f->cpu.segment_base[SEG_DS] = 0xffff0000;
	f->gpr[RDI] = 0x18010;
	assert_int_equal(RUN(f, "\x8b\x07"), 0);
	assert_int_equal(f->last, 0x8010);
	assert_int_equal(f->gpr[RAX], 0x13121110);
}

TEST(the_instruction_pointer_wraps_at_32_bits_in_16_bit_code_too)
{
	struct fixture *f = set_up(16);

	f->cpu.rip = 0xfffe;
	f->gpr[RDI] = 0x8000;
	assert_int_equal(RUN(f, "\x8b\x05"), 0);
	assert_int_equal(f->cpu.rip, 0x10000);
	f = set_up(32);
	f->cpu.rip = 0xfffffffe;
	f->gpr[RDI] = 0x8000;
	assert_int_equal(RUN(f, "\x8b\x07"), 0);
	assert_int_equal(f->cpu.rip, 0);
}

TEST(strings_use_16_bit_registers_in_16_bit_code)
{
	struct fixture *f = set_up(16);

	f->cpu.segment_base[SEG_ES] = 0x8000 - 0xfffe;
	f->cpu.rflags |= 0x400; /* DF */
	f->gpr[RDI] = 0x7777fffe;
	f->gpr[RCX] = 0x55550001;
	f->gpr[RAX] = 0x1234abcd;
	assert_int_equal(RUN(f, "\xf3\xab"), 0);
	assert_memory_equal(f->bytes, "\xcd\xab\x02", 3);
	assert_int_equal(f->gpr[RDI], 0x7777fffc);
	assert_int_equal(f->gpr[RCX], 0x55550000);
}

TEST(a_cache_decodes_as_without_it)
{
	static struct insn_cache cache;
	uint8_t bytes[INSN_MAX] = {0};
	uint64_t random = 1;

	for (unsigned round = 0; round < 200000; round++) {
		static const unsigned modes[] = {16, 32, 64};
		struct insn expected;
		const struct insn *insn;
		unsigned mode;
		size_t size;
		int error;

		random = random * 6364136223846793005 + 1442695040888963407;
		mode = modes[(random >> 40) % 3];
		size = random >> 60 ? INSN_MAX : random >> 50 & 15;
		/* Few instructions, so that the entries hit, with changing ends. */
		bytes[0] = (random >> 33) % 3 ? 0x8b : 0xc7;
		bytes[1] = (random >> 35) % 2 ? 0x07 : 0x80;
		bytes[8] = bytes[14] = random >> 37 & 1;
		error = insn_decode(bytes, size, mode, &expected);
		assert_int_equal(insn_decode_cached(&cache, bytes, size, mode, &insn), error);
		if (!error) assert_memory_equal(insn, &expected, sizeof(expected));
	}
}
