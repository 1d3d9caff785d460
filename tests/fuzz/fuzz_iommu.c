/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer on the remapping unit: the input is a program of register accesses, writes of guest
 * memory, DMA and interrupt requests, over 64 KiB of RAM that begins with valid tables. After
 * each step the rules hold that no guest may break: the noncoherent count is that of the devices,
 * status bits agree with each other, a blocked DMA left a record or an overflow, and the work
 * done for one access is bounded.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "iommu/state.h"
#include "lib/errno.h"

#define RAM_SIZE (64 * KiB)
#define ROOT     0x1000ULL
#define CONTEXT  0x2000ULL
#define TABLE    0x3000ULL /* four levels, 0x3000 to 0x6000 */
#define QUEUE    0x8000ULL
#define IRT      0x9000ULL

/* The most a queue of 2^15 entries can ask for: each a re-read of 16 devices' contexts. */
#define CALLS_MAX (32768 * (1 + 2 * IOMMU_DEVICES) + 1024)

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

struct input {
	const uint8_t *next;
	size_t left;
};

static struct iommu iommu;
static uint8_t *ram;
static uint8_t buffer[3 * PAGE_SIZE];
static uint64_t calls;
static bool data_refused; /* the DMA's own access, not one of a table */
static struct {
	uint16_t source_id;
	bool attached, noncoherent;
} known[IOMMU_DEVICES];
static unsigned devices;
static int count;

static uint64_t take(struct input *in, size_t bytes)
{
	uint64_t value = 0;

	bytes = bytes < in->left ? bytes : in->left;
	memcpy(&value, in->next, bytes);
	in->next += bytes;
	in->left -= bytes;
	return value;
}

static bool in_ram(uint64_t gpa, size_t size)
{
	return gpa < RAM_SIZE && size <= RAM_SIZE - gpa;
}

static int host_read(void *ctx, uint64_t gpa, void *to, size_t size)
{
	bool data = (uint8_t *)to >= buffer && (uint8_t *)to < buffer + sizeof(buffer);

	(void)ctx;
	calls++;
	if (!in_ram(gpa, size)) {
		data_refused = data_refused || data;
		return -EFAULT;
	}
	memcpy(to, ram + gpa, size);
	return 0;
}

static int host_write(void *ctx, uint64_t gpa, const void *from, size_t size)
{
	(void)ctx;
	calls++;
	if (!in_ram(gpa, size)) {
		data_refused = true;
		return -EFAULT;
	}
	memcpy(ram + gpa, from, size);
	return 0;
}

static void host_interrupt(void *ctx, uint64_t address, uint32_t data)
{
	(void)ctx, (void)data;
	assert(address >= VTD_MSI_BASE && address <= VTD_MSI_LAST);
}

/* By difference from what was reported before, and never without one. */
static void host_changed(void *ctx, const struct iommu_event *event)
{
	unsigned i = 0;

	(void)ctx;
	while (i < devices && known[i].source_id != event->source_id)
		i++;
	assert(i < devices);
	assert(event->was_attached == known[i].attached);
	assert(event->was_noncoherent == known[i].noncoherent);
	assert(event->attached != event->was_attached ||
	       event->noncoherent != event->was_noncoherent);
	assert(event->attached || !event->noncoherent);
	known[i].attached = event->attached;
	known[i].noncoherent = event->noncoherent;
	count += event->noncoherent - event->was_noncoherent;
	assert(count >= 0 && (unsigned)count <= devices);
}

static uint64_t reg(unsigned offset, unsigned width)
{
	return iommu_register_read(&iommu, offset, width);
}

static void check_status(void)
{
	uint64_t fsts = reg(VTD_FSTS, 4);
	uint64_t fectl = reg(VTD_FECTL, 4), iectl = reg(VTD_IECTL, 4);
	bool translating = reg(VTD_GSTS, 4) & VTD_GCMD_TE;
	int noncoherent = 0;

	assert(!(fsts & ~(VTD_FSTS_PFO | VTD_FSTS_PPF | VTD_FSTS_IQE)));
	assert(!(fsts & VTD_FSTS_PPF) == !(reg(VTD_FRCD_HI, 8) & VTD_FRCD_F));
	assert(!(fectl & VTD_EVENT_IP) || ((fectl & VTD_EVENT_IM) && fsts));
	assert(!(iectl & VTD_EVENT_IP) || ((iectl & VTD_EVENT_IM) && reg(VTD_ICS, 4)));
	assert(!(reg(VTD_CCMD, 8) & VTD_CCMD_ICC) && !(reg(VTD_IOTLB, 8) & VTD_IOTLB_IVT));
	if (!(reg(VTD_GSTS, 4) & VTD_GCMD_QIE))
		assert(!reg(VTD_IQH, 8));
	else if (!(fsts & VTD_FSTS_IQE))
		assert(reg(VTD_IQH, 8) == reg(VTD_IQT, 8));
	for (unsigned i = 0; i < devices; i++) {
		noncoherent += known[i].noncoherent;
		assert(translating || !known[i].attached);
	}
	assert(noncoherent == count && calls <= CALLS_MAX);
}

static void add_device(uint16_t source_id, bool emits_no_snoop)
{
	int error;

	for (unsigned i = 0; i < devices; i++) {
		if (known[i].source_id == source_id) {
			assert(iommu_add_device(&iommu, source_id, emits_no_snoop) == -EEXIST);
			return;
		}
	}
	if (devices == IOMMU_DEVICES) {
		assert(iommu_add_device(&iommu, source_id, emits_no_snoop) == -ENOSPC);
		return;
	}
	known[devices].source_id = source_id;
	known[devices].attached = known[devices].noncoherent = false;
	devices++;
	error = iommu_add_device(&iommu, source_id, emits_no_snoop);
	assert(!error);
}

static void poke(uint64_t gpa, uint64_t value)
{
	memcpy(ram + gpa % (RAM_SIZE - 7), &value, sizeof(value));
}

/* One bus, two devices, one page mapped at 0; the registers point at it all, nothing is on. */
static void set_up(uint64_t options)
{
	const struct iommu_config config = {options & 1, options & 2, options & 4};
	const struct iommu_host host = {NULL, host_read, host_write, host_interrupt, host_changed};

	memset(ram, 0, RAM_SIZE);
	devices = 0;
	count = 0;
	iommu_init(&iommu, &config, &host);
	add_device(0x20, true);
	add_device(0x28, options & 8);
	poke(ROOT, CONTEXT | VTD_ROOT_P);
	for (unsigned i = 0x20; i <= 0x28; i += 8) {
		poke(CONTEXT + i * 16, TABLE | VTD_CONTEXT_P);
		poke(CONTEXT + i * 16 + 8, i << 8 | VTD_AW_48BIT);
	}
	for (uint64_t level = 0; level < 4; level++)
		poke(TABLE + level * PAGE_SIZE,
		     (TABLE + (level + 1) * PAGE_SIZE) | VTD_SL_R | VTD_SL_W);
	poke(IRT, VTD_IRTE_P);
	iommu_register_write(&iommu, VTD_RTADDR, 8, ROOT);
	iommu_register_write(&iommu, VTD_IQA, 8, QUEUE);
	iommu_register_write(&iommu, VTD_IRTA, 8, IRT | 3);
	if (options & 16)
		iommu_register_write(&iommu, VTD_GCMD, 4,
				     VTD_GCMD_TE | VTD_GCMD_SRTP | VTD_GCMD_QIE | VTD_GCMD_IRE |
					     VTD_GCMD_SIRTP);
}

static bool quiet(uint16_t source_id)
{
	for (unsigned i = 0; i < devices; i++) {
		if (iommu.device[i].source_id == source_id)
			return iommu.device[i].context.entry.lo & VTD_CONTEXT_FPD;
	}
	return true; /* unknown to the unit */
}

/* Whether a DMA that failed must have left a fault: not where its target was no RAM, and so on. */
static bool is_reported(uint16_t source_id, uint64_t iova, size_t bytes)
{
	return (reg(VTD_GSTS, 4) & VTD_GCMD_TE) && !(reg(VTD_PMEN, 4) & VTD_PMEN_EPM) &&
	       !data_refused && !quiet(source_id) &&
	       (iova + bytes <= VTD_MSI_BASE || iova > VTD_MSI_LAST);
}

/* The record if it was free, the overflow if it was not. */
static void check_reported(uint64_t before)
{
	uint64_t now = reg(VTD_FSTS, 4);

	if (before & VTD_FSTS_PFO)
		assert(now & VTD_FSTS_PFO);
	else
		assert(now & (before & VTD_FSTS_PPF ? VTD_FSTS_PFO : VTD_FSTS_PPF));
}

static void dma(struct input *in, bool write)
{
	uint16_t source_id = known[take(in, 1) % IOMMU_DEVICES % devices].source_id;
	uint64_t iova = take(in, 1) & 1 ? take(in, 8) : take(in, 2);
	size_t bytes = take(in, 2) % sizeof(buffer);
	uint64_t before = reg(VTD_FSTS, 4);
	int error;

	data_refused = false;
	error = write ? iommu_dma_write(&iommu, source_id, iova, buffer, bytes)
		      : iommu_dma_read(&iommu, source_id, iova, buffer, bytes);
	assert(error == 0 || error == -EFAULT);
	if (error && is_reported(source_id, iova, bytes))
		check_reported(before);
}

/* Put a descriptor where the queue's tail is, and ring: what random pokes rarely hit. */
static void submit(struct input *in)
{
	uint64_t base = reg(VTD_IQA, 8) & VTD_IQ_ADDR, tail = reg(VTD_IQT, 8) & VTD_IQ_PTR;
	uint64_t lo = take(in, 8), hi = take(in, 8);

	if (in_ram(base + tail, 16)) {
		poke(base + tail, lo);
		poke(base + tail + 8, hi);
	}
	iommu_register_write(&iommu, VTD_IQT, 8, (tail + 16) & 0xfff);
}

static void write_register(struct input *in, unsigned width)
{
	static const uint16_t offsets[] = {
		VTD_GCMD,  VTD_RTADDR,  VTD_CCMD,     VTD_FSTS,     VTD_FECTL,    VTD_FEADDR,
		VTD_PMEN,  VTD_PLMBASE, VTD_PLMLIMIT, VTD_PHMBASE,  VTD_PHMLIMIT, VTD_IQT,
		VTD_IQA,   VTD_ICS,     VTD_IECTL,    VTD_IEADDR,   VTD_IRTA,     VTD_IVA,
		VTD_IOTLB, VTD_FRCD_HI, VTD_CCMD + 4, VTD_IOTLB + 4};
	uint64_t offset = offsets[take(in, 1) % ARRAY_SIZE(offsets)];

	iommu_register_write(&iommu, offset, width, take(in, width));
}

static void step(struct input *in)
{
	uint64_t a, b;

	switch (take(in, 1) % 13) {
	case 0:
		write_register(in, 4);
		break;
	case 1:
		write_register(in, 8);
		break;
	case 2:
		a = take(in, 2);
		b = take(in, 1) % 17;
		iommu_register_write(&iommu, a, (unsigned)b, take(in, 8));
		(void)iommu_register_read(&iommu, a, (unsigned)b);
		break;
	case 3:
		a = take(in, 2);
		poke(a, take(in, 8));
		break;
	case 4:
		dma(in, true);
		break;
	case 5:
		dma(in, false);
		break;
	case 6:
		a = VTD_MSI_BASE | take(in, 3);
		b = take(in, 2);
		iommu_interrupt(&iommu, (uint16_t)b, a, (uint32_t)take(in, 4));
		break;
	case 7:
		add_device((uint16_t)take(in, 2), take(in, 1) & 1);
		break;
	case 8:
		iommu_set_no_snoop(&iommu, known[take(in, 1) % devices].source_id, take(in, 1) & 1);
		break;
	case 9:
		submit(in);
		break;
	case 10: /* an entry of the tables */
		a = TABLE + take(in, 1) % 4 * PAGE_SIZE + take(in, 1) % 4 * 8;
		poke(a, take(in, 8));
		break;
	case 11: /* an interrupt's entry, and a request for it */
		a = take(in, 1) % 16;
		poke(IRT + a * 16, take(in, 8));
		poke(IRT + a * 16 + 8, take(in, 3));
		iommu_interrupt(&iommu, (uint16_t)take(in, 2),
				VTD_MSI_BASE | VTD_MSI_REMAPPABLE | TO_FIELD(a, VTD_MSI_HANDLE_LOW),
				0);
		break;
	case 12: /* a device writes a message */
		a = VTD_MSI_BASE | take(in, 3);
		(void)iommu_dma_write(&iommu, known[0].source_id, a, buffer, take(in, 1) & 7);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct input in = {input, size};

	ram = malloc(RAM_SIZE); /* of the exact size: the sanitizer sees an access beyond it */
	set_up(take(&in, 1));
	while (in.left) {
		calls = 0;
		step(&in);
		check_status();
	}
	free(ram);
	return 0;
}
