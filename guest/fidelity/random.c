// SPDX-License-Identifier: MIT
/*
 * The same random instruction, once on RAM and once on the test device's memory, at the same linear
 * address and from the same state, at CPL 3: what it leaves must be the same - registers, flags,
 * x87, SSE and AVX, memory, the exception with its error code, RIP, CR2 and DR6. On RAM the CPU
 * carries it out, on the device the hypervisor does.
 */
#include "guest/fidelity/fidelity.h"
#include "guest/fidelity/samples.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/paging.h"
#include "guest/lib/start.h"
#include "lib/string.h"

#define DEVICE         0xff000000UL
#define XSAVE_SIZE     832
#define GDT_ENTRIES    12
#define DR6_RESET      0xffff0ff0UL
#define FSW_TOP        0x3800
#define FSW_CONDITIONS 0x4700
#define FCW_MASKS      0x3f
#define MXCSR_MASKS    0x1f80

/* What an instruction left. */
struct result {
	uint64_t gpr[16];
	uint64_t vector, error, rip, cs, rflags, ss, cr2, dr6;
	uint8_t memory[COMPARED];
	uint8_t fpu[XSAVE_SIZE] __attribute__((aligned(64)));
};

void load_state(void *state);

__asm__(".text\n"
	"load_state:\n"
	"	mov 168(%rdi), %eax\n"
	"	mov %eax, %ds\n"
	"	mov %eax, %es\n"
	"	mov 0(%rdi), %rax\n"
	"	mov 8(%rdi), %rcx\n"
	"	mov 16(%rdi), %rdx\n"
	"	mov 24(%rdi), %rbx\n"
	"	mov 40(%rdi), %rbp\n"
	"	mov 48(%rdi), %rsi\n"
	"	mov 64(%rdi), %r8\n"
	"	mov 72(%rdi), %r9\n"
	"	mov 80(%rdi), %r10\n"
	"	mov 88(%rdi), %r11\n"
	"	mov 96(%rdi), %r12\n"
	"	mov 104(%rdi), %r13\n"
	"	mov 112(%rdi), %r14\n"
	"	mov 120(%rdi), %r15\n"
	"	lea 128(%rdi), %rsp\n"
	"	mov 56(%rdi), %rdi\n"
	"	iretq\n");

extern uint64_t gdt[];
static uint64_t own_gdt[GDT_ENTRIES];
static uint8_t user_fpu[XSAVE_SIZE] __attribute__((aligned(64)));
static uint64_t ram[2]; /* physical */
static struct result results[2];

/* The bytes around the operand, in the pages that are there and are what is tested. */
static uint64_t compared_from(const struct sample *s)
{
	uint64_t from = (s->target - SLACK) & ~7UL, last = WINDOW + 3 * PAGE_SIZE - COMPARED;

	return MIN(from, last);
}

static uint64_t descriptor(uint64_t base, uint64_t limit, bool pages, bool big, bool down)
{
	return 0x0000f30000000000 | (limit & 0xffff) | (limit & 0xf0000) << 32 | (base & 0xffffff) << 16 |
	       (base >> 24 & 0xff) << 56 | (pages ? BIT(55) : 0) | (big ? BIT(54) : 0) | (down ? BIT(42) : 0);
}

/* A limit above 1 MiB is in pages. */
static void set_segments(const struct sample *s)
{
	if (s->bits == 64)
		own_gdt[LIMITED / 8] = descriptor(s->base, 0xfff00, true, true, false);
	else if (s->address == 2)
		own_gdt[LIMITED / 8] = descriptor(s->base, s->limit, false, s->stack_big, s->down);
	else
		own_gdt[LIMITED / 8] = descriptor(s->base, s->limit >> 12, true, true, s->down);
	own_gdt[STACKED / 8] = descriptor(WINDOW, s->stack_limit, false, s->stack_big, s->stack_down);
}

/* FS and GS, which an instruction may load. */
static void load_own_bases(const struct sample *s)
{
	uint64_t base = s->address == 2 ? WINDOW : s->bits == 64 ? s->base : 0;

	__asm__ volatile("mov %0, %%fs; mov %0, %%gs" : : "r"(USER_DATA));
	wrmsr(MSR_IA32_FS_BASE, base);
	wrmsr(MSR_IA32_GS_BASE, base);
}

static void load_fpu(const uint8_t *area)
{
	__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(7), "d"(0) : "memory");
}

static void save_fpu(uint8_t *area) { __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(7), "d"(0) : "memory"); }

static void choose_fpu(void)
{
	const uint32_t mxcsr = (uint32_t)((sample_random() & 0xffc0) | (sample_below(4) ? MXCSR_MASKS : 0));
	const uint16_t fsw = (uint16_t)(sample_random() & (FSW_TOP | FSW_CONDITIONS));
	/* Any rounding and precision; one time in four some exceptions are not masked. */
	const uint16_t fcw = (uint16_t)(0x340 | (sample_random() & 0xc3f) | (sample_below(4) ? FCW_MASKS : 0));

	for (unsigned i = 0; i < XSAVE_SIZE; i += 8) {
		uint64_t word = sample_random();

		memcpy(user_fpu + i, &word, 8);
	}
	memset(user_fpu, 0, 32);
	memcpy(user_fpu, &fcw, 2);
	memcpy(user_fpu + 2, &fsw, 2);
	memcpy(user_fpu + 24, &mxcsr, 4);
	user_fpu[4] = (uint8_t)sample_random();
	for (unsigned i = 0; i < 8; i++) memset(user_fpu + 32 + 16 * i + 10, 0, 6);
	memset(user_fpu + 416, 0, 160);
	user_fpu[512] = 7;
}

/* By words: on the device each is an exit's work. */
static void copy_words(void *to, const void *from)
{
	uint64_t count = COMPARED / 8;

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static void run(const struct sample *s, const uint64_t *pages, struct result *r)
{
	static struct state state;
	void *window = (void *)compared_from(s);

	page_map(WINDOW + PAGE_SIZE, pages[0]);
	page_map(WINDOW + 2 * PAGE_SIZE, pages[1]);
	copy_words(window, s->memory);
	if (s->target & 1) page_set_writable(WINDOW + 2 * PAGE_SIZE, false);
	state = s->state;
	__asm__ volatile("mov %0, %%db6" : : "r"(DR6_RESET));
	load_fpu(user_fpu);
	load_own_bases(s);
	r->vector = (uint64_t)(uint32_t)try_user(load_state, &state);
	save_fpu(r->fpu);
	memcpy(r->gpr, &last_exception.r15, 15 * 8);
	r->gpr[15] = last_exception.rsp;
	r->error = last_exception.error;
	r->rip = last_exception.rip - (uint64_t)code_page;
	r->cs = last_exception.cs;
	r->rflags = last_exception.rflags & ~s->undefined;
	/* Between iterations the CPU pushes RF = 1 (SDM 3B 18.3.1.1), Bochs 0. */
	if (r->vector == VECTOR_DB && !r->rip) r->rflags &= ~RFLAGS_RF;
	r->ss = last_exception.ss;
	r->cr2 = r->vector == VECTOR_PF ? last_cr2 : 0;
	__asm__ volatile("mov %%db6, %0" : "=r"(r->dr6));
	page_set_writable(WINDOW + 2 * PAGE_SIZE, true);
	copy_words(r->memory, window);
}

/* x87 with the last instruction's place, MXCSR, registers: what XSAVE leaves as it was says nothing. */
static bool same_fpu(const uint8_t *a, const uint8_t *b)
{
	return !memcmp(a, b, 28) && !memcmp(a + 32, b + 32, 416 - 32) && !memcmp(a + 576, b + 576, 256);
}

static bool same(const struct result *a, const struct result *b)
{
	return !memcmp(a, b, offsetof(struct result, memory)) && !memcmp(a->memory, b->memory, COMPARED) &&
	       same_fpu(a->fpu, b->fpu);
}

static void show_result(const struct result *r, const char *where)
{
	printf("  %s: vector %ld error 0x%lx rip +%ld cs 0x%lx ss 0x%lx rflags 0x%lx cr2 0x%lx dr6 "
	       "0x%lx\n",
	       where, (long)(int32_t)r->vector, r->error, (long)r->rip, r->cs, r->ss, r->rflags, r->cr2, r->dr6);
}

static void show_sample(const struct sample *s, uint64_t round)
{
	printf("round %lu, %u-bit:", round, s->bits);
	for (unsigned i = 0; i < s->size; i++) printf(" %02x", s->bytes[i]);
	printf(" on 0x%lx, limit 0x%lx, rflags 0x%lx\n", s->target, s->limit, s->state.rflags);
}

static void complain(const struct sample *s, uint64_t round)
{
	static const char *const names[] = {"r15", "r14", "r13", "r12", "r11", "r10", "r9",  "r8",
					    "rdi", "rsi", "rbp", "rbx", "rdx", "rcx", "rax", "rsp"};
	const struct result *a = &results[0], *b = &results[1];

	printf("DIFFERENT: ");
	show_sample(s, round);
	show_result(a, "RAM   ");
	show_result(b, "device");
	for (unsigned i = 0; i < 16; i++)
		if (a->gpr[i] != b->gpr[i])
			printf("  %s: 0x%lx, on the device 0x%lx\n", names[i], a->gpr[i], b->gpr[i]);
	for (unsigned i = 0; i < COMPARED; i++)
		if (a->memory[i] != b->memory[i])
			printf("  memory %d: 0x%02x, on the device 0x%02x\n", (int)(i + compared_from(s) - s->target),
			       a->memory[i], b->memory[i]);
	for (unsigned i = 0; i < XSAVE_SIZE; i++)
		if (!same_fpu(a->fpu, b->fpu) && a->fpu[i] != b->fpu[i])
			printf("  x87, SSE or AVX %u: 0x%02x, on the device 0x%02x\n", i, a->fpu[i], b->fpu[i]);
}

static void set_up(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = {sizeof(own_gdt) - 1, (uint64_t)own_gdt};

	memcpy(own_gdt, gdt, 8 * 8);
	own_gdt[USER_CODE32 / 8] = 0x00cffb000000ffff;
	own_gdt[USER_CODE16 / 8] = 0x008ffb000000ffff;
	__asm__ volatile("lgdt %0" : : "m"(pointer));
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE);
	__asm__ volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
	write_cr0(read_cr0() | CR0_AM);
	page_map(WINDOW, (uint64_t)page_alloc());
	page_map(WINDOW + 3 * PAGE_SIZE, 0);
	page_set_present(WINDOW + 3 * PAGE_SIZE, false);
	ram[0] = (uint64_t)page_alloc();
	ram[1] = (uint64_t)page_alloc();
}

static void prepare(struct sample *s)
{
	memset(code_page, 0xcc, sizeof(s->bytes) + 16);
	memcpy(code_page, s->bytes, s->size);
	s->state.rip = (uint64_t)code_page;
	s->state.cs = s->bits == 64 ? USER_CODE : s->bits == 32 ? USER_CODE32 : USER_CODE16;
	set_segments(s);
	if (sample_below(8)) return;
	choose_fpu();
	/* Without it what SSE raises is #UD. */
	write_cr4(sample_below(8) ? read_cr4() | CR4_OSXMMEXCPT : read_cr4() & ~CR4_OSXMMEXCPT);
}

unsigned fidelity_random(uint64_t first_seed, uint64_t rounds)
{
	static const uint64_t device[2] = {DEVICE, DEVICE + PAGE_SIZE};
	static struct sample s;
	uint64_t faults = 0, show = guest_number("show", ~0UL);
	unsigned different = 0;

	set_up();
	memset(code_page, 0xcc, sizeof(code_page));
	sample_seed(first_seed);
	choose_fpu();
	for (uint64_t round = 0; round < rounds && different < 10; round++) {
		sample_choose(&s);
		prepare(&s);
		if (round >= show) show_sample(&s, round);
		run(&s, ram, &results[0]);
		run(&s, device, &results[1]);
		faults += results[0].vector != VECTOR_BP && results[0].vector != VECTOR_DB;
		if (same(&results[0], &results[1])) continue;
		different++;
		complain(&s, round);
	}
	printf("%lu random instructions of seed 0x%lx on RAM and on a device, %lu of them faults: "
	       "%u differed\n",
	       rounds, first_seed, faults, different);
	return different;
}
