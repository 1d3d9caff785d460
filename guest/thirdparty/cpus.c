// SPDX-License-Identifier: MIT
/*
 * Several CPUs as such kernels have them: their number is fw_cfg's, which the MP table confirms; one INIT and
 * two start-up IPIs go to all others at once, with the start at page 0; and then they call each other
 * by IPI, and shoot down each other's TLBs. With one CPU the same IPIs reach nobody.
 */
#include "guest/thirdparty/kernel.h"

#define FW_CFG_SELECT    0x510
#define FW_CFG_DATA      0x511
#define FW_CFG_SIGNATURE 0
#define FW_CFG_RAM       3
#define FW_CFG_CPUS      5
#define CMOS_INDEX       0x70
#define CMOS_DATA        0x71

#define LAPIC        0xfee00000UL
#define LAPIC_ID     0x20
#define LAPIC_EOI    0xb0
#define LAPIC_SVR    0xf0
#define LAPIC_ICR    0x300
#define LAPIC_ICR2   0x310
#define SVR_ON       0x1ffU
#define ICR_PENDING  (1U << 12)
#define INIT_OTHERS  0xc4500U
#define START_OTHERS 0xc4600U /* at page 0 */
#define FIXED_OTHERS 0xc4000U
#define FIXED_ONE    0x04000U
#define CALL         0x40
#define FLUSH        0x41

#define MOST       16
#define SHOOTDOWNS 40 /* of all together */
#define MAPPED     3UL
#define WINDOW     (1UL << 39) /* the first address of the second entry of the top table */
#define PAGE_SIZE  4096

extern const uint8_t ap_start[], ap_start_end[];
extern uint64_t pml4[512];
void ap_main(void);
void cpus_call(void);
void cpus_flush(void);
void call_stub(void);
void flush_stub(void);

static uint64_t tables[3][512] __attribute__((aligned(4096)));
static volatile uint64_t pages[2][512] __attribute__((aligned(4096)));
static volatile unsigned count, online, lock, answers, done, wrong;
static volatile unsigned calls[MOST];
static volatile uint64_t seen[MOST];

static volatile uint32_t *lapic(unsigned offset) { return (volatile uint32_t *)(LAPIC + offset); }

static unsigned self(void) { return *lapic(LAPIC_ID) >> 24; }

static void pause(void) { __asm__ volatile("pause" : : : "memory"); }

static bool wait_for(const volatile unsigned *value, unsigned wanted)
{
	for (unsigned long i = 0; i < TURNS; i++, pause())
		if (*value == wanted) return true;
	return false;
}

static void send(unsigned to, uint32_t command)
{
	*lapic(LAPIC_ICR2) = to << 24;
	*lapic(LAPIC_ICR) = command;
	while (*lapic(LAPIC_ICR) & ICR_PENDING) pause();
}

static uint64_t fw_cfg(uint16_t item, unsigned bytes)
{
	uint64_t value = 0;

	outw(FW_CFG_SELECT, item);
	for (unsigned i = 0; i < bytes; i++) value |= (uint64_t)inb(FW_CFG_DATA) << 8 * i;
	return value;
}

static unsigned cmos(uint8_t index)
{
	outb(CMOS_INDEX, index);
	return inb(CMOS_DATA);
}

static unsigned cpu_count(void)
{
	uint64_t above_16m = cmos(0x34) | (uint64_t)cmos(0x35) << 8;
	unsigned cpus = (unsigned)fw_cfg(FW_CFG_CPUS, 2);

	expect(fw_cfg(FW_CFG_SIGNATURE, 4) == 0x554d4551, "fw_cfg's signature");
	expect(cmos(0x5f) + 1 == cpus, "the CMOS memory counts as many CPUs as fw_cfg");
	expect(fw_cfg(FW_CFG_RAM, 8) == (above_16m << 16) + (16 << 20), "and as much memory");
	return cpus;
}

/* Where MP 1.4 4 says, in its order: the EBDA, the last KiB of base memory, the BIOS. */
static const uint8_t *mp_scan(unsigned long from, unsigned long size)
{
	for (unsigned long at = from; at < from + size; at += 16) {
		const uint8_t *p = (const uint8_t *)at;
		uint8_t sum = 0;

		for (unsigned i = 0; i < 16; i++) sum = (uint8_t)(sum + p[i]);
		if (p[0] == '_' && p[1] == 'M' && p[2] == 'P' && p[3] == '_' && !sum) return p;
	}
	return 0;
}

/* The processors that the MP table lists, as kernels before ACPI count them; 0 without one. */
static unsigned mp_cpus(void)
{
	const volatile uint16_t *bda = (const volatile uint16_t *)0x400;
	const uint8_t *p = 0, *table, *end;
	unsigned found = 0;

	__asm__("" : "+r"(bda));
	if (bda[7]) p = mp_scan((unsigned long)bda[7] << 4, 1024);
	if (!p)
		p = mp_scan(((unsigned long)*(const volatile uint16_t *)((const volatile uint8_t *)bda + 0x13) - 1) *
				    1024,
			    1024);
	if (!p) p = mp_scan(0xf0000, 0x10000);
	if (!p) return 0;
	table = (const uint8_t *)(unsigned long)(*(const uint32_t *)(p + 4));
	if (table[0] != 'P' || table[3] != 'P') return 0;
	end = table + *(const uint16_t *)(table + 4);
	for (table += 44; table < end; table += *table ? 8 : 20) found += !*table && table[3] & 1;
	return found;
}

static void start(void)
{
	volatile uint8_t *page = (volatile uint8_t *)0;

	__asm__("" : "+r"(page)); /* a pointer to 0 is one like others */
	for (unsigned i = 0; i < ap_start_end - ap_start; i++) page[i] = ap_start[i];
	*lapic(LAPIC_SVR) = SVR_ON;
	online = 1;
	send(0, INIT_OTHERS);
	send(0, START_OTHERS);
	send(0, START_OTHERS);
	expect(wait_for(&online, count), "as many CPUs as fw_cfg counts, by one broadcast");
}

void cpus_call(void)
{
	calls[self()]++;
	__atomic_fetch_add(&answers, 1, __ATOMIC_SEQ_CST);
	*lapic(LAPIC_EOI) = 0;
}

/* The other half of shoot_down(). */
void cpus_flush(void)
{
	__asm__ volatile("invlpg (%0)" : : "r"(WINDOW) : "memory");
	seen[self()] = *(volatile uint64_t *)WINDOW;
	__atomic_fetch_add(&answers, 1, __ATOMIC_SEQ_CST);
	*lapic(LAPIC_EOI) = 0;
}

/* Map another page and return when no CPU can see the one from before. With the lock. */
static void shoot_down(void)
{
	static unsigned turn;
	unsigned next = ++turn & 1;

	for (unsigned id = 0; id < count; id++) seen[id] = 2;
	answers = 0;
	tables[2][0] = (uint64_t)pages[next] | MAPPED;
	send(0, FIXED_OTHERS | FLUSH);
	__asm__ volatile("invlpg (%0)" : : "r"(WINDOW) : "memory");
	seen[self()] = *(volatile uint64_t *)WINDOW;
	if (!wait_for(&answers, count - 1)) wrong++;
	for (unsigned id = 0; id < count; id++) wrong += seen[id] != next;
}

/* All at once, each as often: who waits for the lock answers the others and uses the page. */
static void shoot_down_rounds(void)
{
	for (unsigned n = 0; n < SHOOTDOWNS / count; n++) {
		while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
			if (*(volatile uint64_t *)WINDOW > 1) wrong++;
		shoot_down();
		__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	}
	__atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
}

void ap_main(void)
{
	*lapic(LAPIC_SVR) = SVR_ON;
	load_idt();
	__atomic_fetch_add(&online, 1, __ATOMIC_SEQ_CST);
	__asm__ volatile("sti");
	while (!calls[self()]) pause();
	shoot_down_rounds();
	for (;;) __asm__ volatile("hlt");
}

/* Each, by its number, from the first on; a CPU that took its call begins with the rounds. */
static void call_each(void)
{
	bool each = true;

	for (unsigned id = 1; id < count; id++) each &= !calls[id];
	expect(each, "no call before it was made");
	lock = 1;
	for (unsigned id = 0; id < count; id++) {
		answers = 0;
		send(id, FIXED_ONE | CALL);
		if (!wait_for(&answers, 1)) each = false;
		each &= calls[id] == 1;
	}
	expect(each, "each CPU, called by its number, answers once");
	lock = 0;
}

void cpus_main(void)
{
	count = cpu_count();
	expect(count && count <= MOST, "a number of CPUs");
	/* SeaBIOS lists one for each package, and QEMU puts all its CPUs into one. */
	expect(mp_cpus() == count || mp_cpus() == 1, "the MP table lists as many, or one for each package");
	if (!count || count > MOST) return;
	pml4[1] = (uint64_t)tables[0] | MAPPED;
	tables[0][0] = (uint64_t)tables[1] | MAPPED;
	tables[1][0] = (uint64_t)tables[2] | MAPPED;
	tables[2][0] = (uint64_t)pages[0] | MAPPED;
	pages[1][0] = 1;
	set_gate(CALL, call_stub);
	set_gate(FLUSH, flush_stub);
	start();
	if (online != count) return;
	__asm__ volatile("sti");
	call_each();
	shoot_down_rounds();
	expect(wait_for(&done, count), "all CPUs are through with their shootdowns");
	__asm__ volatile("cli");
	expect(!wrong, "no CPU saw the page from before a shootdown");
}
