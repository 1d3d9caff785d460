// SPDX-License-Identifier: MIT
/*
 * Called by entry.asm in long mode: installs the IDT and TSS, copies what the loader reported,
 * runs guest_main() and ends the machine. Handles exceptions, expected or not.
 */
#include "guest/lib/start.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "lib/string.h"

/* Multiboot 0.6.96, 3.3: the information the loader leaves. */
struct multiboot_info {
	uint32_t flags;
	uint32_t mem_lower, mem_upper;
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count, mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length, mmap_addr;
};
struct multiboot_module {
	uint32_t start, end, string, reserved;
};

#define MULTIBOOT_MEMORY       BIT(0)
#define MULTIBOOT_COMMAND_LINE BIT(2)
#define MULTIBOOT_MODULES      BIT(3)
#define MULTIBOOT_MEMORY_MAP   BIT(6)

struct multiboot_range {
	uint32_t size; /* of what follows */
	uint64_t start, length;
	uint32_t type;
} __attribute__((packed));

/* SDM 3A figure 6-8: an IDT gate in IA-32e mode. */
struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "gate");
#define GATE_INTERRUPT 0x8e
#define GATE_USER      0x60

/* SDM 3A figure 8-11: the 64-bit TSS. */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3], reserved1, ist[7], reserved2;
	uint16_t reserved3, io_map;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "tss");
#define TSS_SELECTOR 0x28
#define TSS_TYPE     0x89UL

extern uint64_t gdt[];
extern const char exception_stubs[];
extern uint64_t try_rsp;
extern char image_end[];
_Noreturn void try_resume(int vector);
_Noreturn void enter_user(void (*function)(void *), void *argument, void *stack_top);
_Noreturn void guest_start(uint32_t magic, const struct multiboot_info *info);
void exception_handle(struct exception *exception);

struct guest guest;
struct exception last_exception;
struct exception *interrupted;
uint64_t last_cr2;

static struct gate idt[256];
static struct tss tss;
static char fault_stack[4096] __attribute__((aligned(16)));
static char user_stack[4096] __attribute__((aligned(16)));
static void (*handlers[256])(void);
static char *next_page = image_end;

static void gate_set(unsigned vector)
{
	uint64_t stub = (uint64_t)exception_stubs + 16 * vector;

	idt[vector] = (struct gate){
		.offset_low = (uint16_t)stub,
		.selector = 0x08,
		.ist = vector == VECTOR_DF ? 1 : 0,
		.type = GATE_INTERRUPT | (vector == VECTOR_BP ? GATE_USER : 0),
		.offset_middle = (uint16_t)(stub >> 16),
		.offset_high = (uint32_t)(stub >> 32),
	};
}

void descriptors_reload(void)
{
	struct descriptor_pointer pointer = {sizeof(idt) - 1, (uint64_t)idt};

	lidt(&pointer);
}

static void descriptors_load(void)
{
	uint64_t base = (uint64_t)&tss;

	for (unsigned vector = 0; vector < 256; vector++) gate_set(vector);
	descriptors_reload();

	tss.rsp[0] = (uint64_t)fault_stack + sizeof(fault_stack);
	tss.ist[0] = tss.rsp[0];
	tss.io_map = sizeof(tss);
	gdt[TSS_SELECTOR / 8] =
		(sizeof(tss) - 1) | (base & 0xffffff) << 16 | TSS_TYPE << 40 | (base >> 24 & 0xff) << 56;
	gdt[TSS_SELECTOR / 8 + 1] = base >> 32;
	__asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));
}

static void copy_memory_map(const struct multiboot_info *info)
{
	uint64_t at = info->mmap_addr, end = at + info->mmap_length;

	while (at + sizeof(struct multiboot_range) <= end && guest.ranges < MEMORY_RANGES) {
		const struct multiboot_range *r = (const void *)at;

		guest.range[guest.ranges++] = (struct memory_range){r->start, r->length, r->type};
		at += r->size + sizeof(r->size);
	}
}

static void copy_information(uint32_t magic, const struct multiboot_info *info)
{
	guest.magic = magic;
	guest.flags = info->flags;
	if (info->flags & MULTIBOOT_MEMORY) {
		guest.memory_lower = info->mem_lower;
		guest.memory_upper = info->mem_upper;
	}
	if (info->flags & MULTIBOOT_COMMAND_LINE) {
		const char *from = (const char *)(uint64_t)info->cmdline;

		for (size_t i = 0; i < sizeof(guest.command_line) - 1 && from[i]; i++) guest.command_line[i] = from[i];
	}
	if (info->flags & MULTIBOOT_MODULES) guest.modules = info->mods_count;
	if (guest.modules) {
		const struct multiboot_module *module = (const void *)(uint64_t)info->mods_addr;

		guest.module_start = module->start;
		guest.module_end = module->end;
	}
	if (info->flags & MULTIBOOT_MEMORY_MAP) copy_memory_map(info);
}

void guest_start(uint32_t magic, const struct multiboot_info *info)
{
	console_init();
	descriptors_load();
	/* Firmware leaves the timer's line unmasked, at the vector of a double fault. */
	outb(PIC_MASTER + 1, 0xff);
	outb(PIC_SLAVE + 1, 0xff);
	if (magic != MULTIBOOT_LOADED) {
		printf("not loaded by a multiboot loader: EAX is 0x%x\n", magic);
		guest_exit(1);
	}
	copy_information(magic, info);
	guest_exit((uint32_t)guest_main());
}

void guest_exit(uint32_t status)
{
	console_flush();
	outl(EXIT_PORT, status);
	for (const char *s = "Shutdown"; *s; s++) outb(SHUTDOWN_PORT, (uint8_t)*s);
	for (;;) __asm__ volatile("cli; hlt");
}

/* The value behind 'key' where it begins a word of the command line, or NULL. */
static const char *find_word(const char *key, bool whole)
{
	size_t length = strlen(key);
	const char *s = guest.command_line;

	while (*s) {
		const char *end = s;
		size_t word;

		while (*end && *end != ' ') end++;
		word = (size_t)(end - s);
		if (word >= length && !memcmp(s, key, length) && (!whole || word == length)) return s + length;
		s = *end ? end + 1 : end;
	}
	return NULL;
}

bool guest_word(const char *word) { return find_word(word, true); }

uint64_t guest_number(const char *key, uint64_t otherwise)
{
	const char *s = find_word(key, false);
	unsigned base = 10;
	uint64_t value = 0;

	if (!s || *s++ != '=' || !*s || *s == ' ') return otherwise;
	if (s[0] == '0' && s[1] == 'x') {
		base = 16;
		s += 2;
	}
	for (; *s && *s != ' '; s++) {
		unsigned digit = *s <= '9' ? *s - '0' : (*s | 0x20) - 'a' + 10;

		if (digit >= base) return otherwise;
		value = value * base + digit;
	}
	return value;
}

uint64_t ram_end(void) { return ALIGN_UP(MiB + guest.memory_upper * KiB, MiB); }

void *page_alloc(void)
{
	char *page = next_page;

	if ((uint64_t)page + PAGE_SIZE > MiB + guest.memory_upper * KiB) {
		printf("out of memory at %p\n", page);
		guest_exit(1);
	}
	next_page += PAGE_SIZE;
	return memset(page, 0, PAGE_SIZE);
}

static void print_exception(const struct exception *e)
{
	console_init(); /* whatever the test has done to it */
	printf("\nunexpected exception %lu, error 0x%lx, at 0x%lx:0x%lx, CR2 0x%lx, RFLAGS 0x%lx\n", e->vector,
	       e->error, e->cs, e->rip, read_cr2(), e->rflags);
	printf("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", e->rax, e->rbx, e->rcx, e->rdx);
	printf("rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n", e->rsi, e->rdi, e->rbp, e->rsp);
}

void exception_handle(struct exception *e)
{
	if (handlers[e->vector]) {
		interrupted = e;
		handlers[e->vector]();
		return;
	}
	if (e->vector < 32 && try_rsp) {
		last_exception = *e;
		last_cr2 = read_cr2();
		try_resume((int)e->vector);
	}
	print_exception(e);
	guest_exit(1);
}

void interrupt_handler(unsigned vector, void (*handler)(void)) { handlers[vector] = handler; }

struct user_call {
	void (*function)(void *);
	void *argument;
};

static void call_user(void *argument)
{
	struct user_call *call = argument;

	enter_user(call->function, call->argument, user_stack + sizeof(user_stack) - 8);
}

int try_user(void (*function)(void *), void *argument)
{
	struct user_call call = {function, argument};

	return try_call(call_user, &call);
}

struct msr_access {
	uint32_t msr;
	uint64_t value;
};

static void do_rdmsr(void *argument)
{
	struct msr_access *a = argument;

	a->value = rdmsr(a->msr);
}

static void do_wrmsr(void *argument)
{
	struct msr_access *a = argument;

	wrmsr(a->msr, a->value);
}

int try_rdmsr(uint32_t msr, uint64_t *value)
{
	struct msr_access access = {msr, 0};
	int vector = try_call(do_rdmsr, &access);

	*value = access.value;
	return vector;
}

int try_wrmsr(uint32_t msr, uint64_t value)
{
	struct msr_access access = {msr, value};

	return try_call(do_wrmsr, &access);
}
