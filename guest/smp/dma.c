// SPDX-License-Identifier: MIT
/*
 * A transfer that one CPU starts while another detaches the device. CPU 1 lets the device write a page
 * without a pause; CPU 0 attaches it, sees its bytes come, detaches it. Once the detach is complete no
 * byte may come any more, whatever was under way.
 */
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/start.h"
#include "guest/lib/vmcall.h"
#include "guest/smp/smp.h"
#include "lib/string.h"

#define DEVICE_BYTE 0xa5
#define CPU_BYTE    0x11
#define TRANSFERS   4 /* that CPU 1 starts while CPU 0 waits for a late byte */
#define PATIENCE    40000000UL

static uint8_t page[PAGE_SIZE] __attribute__((aligned(4096)));
static volatile uint64_t started;

static void write_page(unsigned id)
{
	for (; id == 1 && !job_stop; started++) device_dma(page, true);
}

/* How many bytes of the page are this one, by memory's own bytes. */
static unsigned bytes_of(uint8_t value)
{
	unsigned count = 0;

	wbinvd();
	for (unsigned n = 0; n < PAGE_SIZE; n++) count += ((volatile uint8_t *)page)[n] == value;
	return count;
}

static bool bytes_come(uint64_t patience)
{
	for (uint64_t end = rdtsc() + patience; rdtsc() < end;)
		if (bytes_of(DEVICE_BYTE) == PAGE_SIZE) return true;
	return false;
}

/* With the device detached: bytes that came nevertheless. */
static unsigned late_bytes(uint64_t patience)
{
	uint64_t until, end = rdtsc() + patience;

	memset(page, CPU_BYTE, PAGE_SIZE);
	for (until = started + TRANSFERS; started < until && rdtsc() < end;) cpu_pause();
	return PAGE_SIZE - bytes_of(CPU_BYTE);
}

void test_dma(void)
{
	uint64_t patience = PATIENCE * guest_number("patience", 1);
	unsigned rounds = (unsigned)MIN(guest_number("rounds", 50), 50), came = 0, late = 0, count = 0;

	memset(page, DEVICE_BYTE, PAGE_SIZE);
	device_map(page);
	device_attach();
	device_dma(page, false);
	device_detach();
	memset(page, CPU_BYTE, PAGE_SIZE);
	job_start(1, write_page);
	for (unsigned n = 0; n < rounds; n++) {
		device_attach();
		came += bytes_come(patience);
		device_detach();
		count += vmcall_counter(COUNTER_NONCOHERENT) != 0;
		late += late_bytes(patience);
	}
	check(job_wait(1), "the CPU that starts the transfers ends its work");
	check_count(rounds, came, "pages", "while the device is attached its bytes arrive");
	check_count(0, late, "bytes", "after a detach no byte of a transfer that another CPU started arrives");
	check_count(0, count, "times", "and it is not counted");
	printf("%lu transfers\n", started);
}
