/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer on the remapping unit: the input is a program of register accesses, writes of guest
 * memory, DMA and interrupt requests, over 64 KiB of RAM that begins with valid tables. After
 * each step the rules hold that no guest may break: what is attached and noncoherent is what
 * tests/model/iommu_spec.c says, the count is that of the devices, status bits agree with each
 * other, a blocked DMA left a record or an overflow, and the work done for one access is bounded.
 * What moves goes where the tables in memory say, unless a stale entry was told of ('strict').
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "iommu/state.h"
#include "lib/apic.h"
#include "lib/errno.h"
#include "tests/model/iommu_spec.h"

#define RAM_SIZE (64 * KiB)
#define ROOT     0x1000ULL
#define CONTEXT  0x2000ULL
#define TABLE    0x3000ULL /* four levels, 0x3000 to 0x6000 */
#define QUEUE    0x8000ULL
#define IRT      0x9000ULL

/* The most one slice of the queue can ask for: each a re-read of 16 devices' contexts. */
#define CALLS_MAX (IOMMU_SLICE * (1 + 2 * IOMMU_DEVICES) + 1024)

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
static struct iommu_spec spec;
static uint64_t spec_head; /* of the invalidation queue: up to here the specification has it */
static struct {
	int device; /* its index, or -1: no DMA goes on */
	uint64_t iova;
	uint64_t stale_uses; /* before the part that comes */
} moving = {.device = -1};

static uint64_t reg(unsigned offset, unsigned width) { return iommu_register_read(&iommu, offset, width); }

static uint64_t take(struct input *in, size_t bytes)
{
	uint64_t value = 0;

	bytes = bytes < in->left ? bytes : in->left;
	memcpy(&value, in->next, bytes);
	in->next += bytes;
	in->left -= bytes;
	return value;
}

static bool in_ram(uint64_t gpa, size_t size) { return gpa < RAM_SIZE && size <= RAM_SIZE - gpa; }

static bool spec_read(uint64_t gpa, void *to, size_t size)
{
	if (!in_ram(gpa, size)) return false;
	memcpy(to, ram + gpa, size);
	return true;
}

/* Tell the specification of the descriptors that the unit has done by now. */
static void spec_catch_up(void)
{
	uint64_t iqa = reg(VTD_IQA, 8), size = 256UL << FIELD(iqa, VTD_IQA_QS);
	uint64_t head = FIELD(reg(VTD_IQH, 8), VTD_IQ_PTR), desc[2];

	if (!(reg(VTD_GSTS, 4) & VTD_GCMD_QIE)) spec_head = head;
	for (; spec_head != head; spec_head = (spec_head + 1) % size) {
		assert(spec_read((iqa & VTD_IQ_ADDR) + spec_head * 16, desc, sizeof(desc)));
		if (FIELD(desc[0], VTD_DESC_TYPE) == VTD_DESC_CONTEXT)
			spec_invalidate(&spec, (unsigned)FIELD(desc[0], VTD_DESC_G),
					(uint16_t)FIELD(desc[0], VTD_DESC_DID),
					(uint16_t)FIELD(desc[0], VTD_CONTEXT_DESC_SID),
					(unsigned)FIELD(desc[0], VTD_CONTEXT_DESC_FM));
	}
}

/* 'at' in the buffer is about to come from or go to 'gpa': rightly, and is it known by now? */
static void check_part(uint64_t gpa, const void *at, bool around)
{
	struct spec_device *d = &spec.device[moving.device];
	uint64_t iova = moving.iova + (uint64_t)((const uint8_t *)at - buffer);
	bool expected_around;
	uint64_t expected = spec_part(&spec, d, iova, &expected_around);

	if (moving.stale_uses == iommu_stale_uses(&iommu))
		assert(gpa == expected && around == expected_around);
	else /* the tables do not say what was used */
		d->unsnooped = iommu.device[moving.device].unsnooped;
	moving.stale_uses = iommu_stale_uses(&iommu);
	assert(known[moving.device].noncoherent == spec_noncoherent(&spec, d));
}

static int host_read(void *ctx, uint64_t gpa, void *to, size_t size, bool around)
{
	bool data = (uint8_t *)to >= buffer && (uint8_t *)to < buffer + sizeof(buffer);

	(void)ctx;
	calls++;
	if (data) check_part(gpa, to, around);
	assert(data || !around);
	if (!in_ram(gpa, size)) {
		data_refused = data_refused || data;
		return -EFAULT;
	}
	memcpy(to, ram + gpa, size);
	return 0;
}

static int host_write(void *ctx, uint64_t gpa, const void *from, size_t size, bool around)
{
	(void)ctx;
	calls++;
	if (moving.device >= 0)
		check_part(gpa, from, around);
	else /* a wait descriptor: what stood before it has seen memory as it is now */
		spec_catch_up();
	assert(moving.device >= 0 || !around);
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
	assert(address >= MESSAGE_BASE && address <= MESSAGE_LAST);
}

/* By difference from what was reported before, and never without one. */
static void host_changed(void *ctx, const struct iommu_event *event)
{
	unsigned i = 0;

	(void)ctx;
	while (i < devices && known[i].source_id != event->source_id) i++;
	assert(i < devices);
	assert(event->was_attached == known[i].attached);
	assert(event->was_noncoherent == known[i].noncoherent);
	assert(event->attached != event->was_attached || event->noncoherent != event->was_noncoherent);
	assert(event->attached || !event->noncoherent);
	known[i].attached = event->attached;
	known[i].noncoherent = event->noncoherent;
	count += event->noncoherent - event->was_noncoherent;
	assert(count >= 0 && (unsigned)count <= devices);
}

/* By one use, each time: 'cached' and 'in_memory' do differ. */
static void host_stale_used(void *ctx, const struct iommu_stale *stale)
{
	const struct iommu_answer *a = &stale->cached, *b = &stale->in_memory;
	char text[IOMMU_STALE_TEXT];

	(void)ctx;
	assert(a->reason != b->reason || a->address != b->address || a->snp != b->snp ||
	       a->permission != b->permission || a->lo != b->lo || a->hi != b->hi);
	assert(iommu_stale_uses(&iommu));
	iommu_stale_text(stale, text, sizeof(text));
	assert(strstr(text, ": changed in memory, not invalidated since"));
}

static void check_spec(void)
{
	spec_catch_up();
	for (unsigned i = 0; i < devices; i++) {
		assert(known[i].attached == spec_attached(&spec, &spec.device[i]));
		assert(known[i].noncoherent == spec_noncoherent(&spec, &spec.device[i]));
	}
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
	else if (!(fsts & VTD_FSTS_IQE) && !iommu_pending(&iommu))
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
	spec_add(&spec, source_id, emits_no_snoop);
	error = iommu_add_device(&iommu, source_id, emits_no_snoop);
	assert(!error);
}

static void poke(uint64_t gpa, uint64_t value) { memcpy(ram + gpa % (RAM_SIZE - 7), &value, sizeof(value)); }

/* The specification goes first: memory is as the unit will find it. */
static void write_register(uint64_t offset, unsigned width, uint64_t value)
{
	uint64_t ccmd = value;

	if (offset == VTD_GCMD && (width == 4 || width == 8)) spec_command(&spec, (uint32_t)value, reg(VTD_RTADDR, 8));
	if (offset == VTD_CCMD + 4 && width == 4)
		ccmd = value << 32 | reg(VTD_CCMD, 4);
	else if (offset != VTD_CCMD || width != 8)
		ccmd = 0;
	if ((ccmd & VTD_CCMD_ICC) && !(spec.root & VTD_RTADDR_TTM))
		spec_invalidate(&spec, (unsigned)FIELD(ccmd, VTD_CCMD_CIRG), (uint16_t)FIELD(ccmd, VTD_CCMD_DID),
				(uint16_t)FIELD(ccmd, VTD_CCMD_SID), (unsigned)FIELD(ccmd, VTD_CCMD_FM));
	iommu_register_write(&iommu, offset, width, value);
}

/* One bus, two devices, three contexts, one page at 0; the registers point at it, nothing is on. */
static void set_up(uint64_t options)
{
	const struct iommu_config config = {options & 1, options & 2, options & 4};
	const struct iommu_host host = {.read = host_read,
					.write = host_write,
					.interrupt = host_interrupt,
					.changed = host_changed,
					.stale_used = host_stale_used};

	memset(ram, 0, RAM_SIZE);
	devices = 0;
	count = 0;
	iommu_init(&iommu, &config, &host);
	spec = (struct iommu_spec){
		.snoop_control = config.snoop_control, .caching_mode = config.caching_mode, .read = spec_read};
	spec_head = 0;
	add_device(0x20, true);
	add_device(0x28, options & 8);
	poke(ROOT, CONTEXT | VTD_ROOT_P);
	for (unsigned i = 0x20; i <= 0x30; i += 8) { /* 0x30: for a device that may come */
		poke(CONTEXT + i * 16, TABLE | VTD_CONTEXT_P);
		poke(CONTEXT + i * 16 + 8, i << 8 | VTD_AW_48BIT);
	}
	for (uint64_t level = 0; level < 4; level++)
		poke(TABLE + level * PAGE_SIZE, (TABLE + (level + 1) * PAGE_SIZE) | VTD_SL_R | VTD_SL_W);
	poke(IRT, VTD_IRTE_P);
	iommu_register_write(&iommu, VTD_RTADDR, 8, ROOT);
	iommu_register_write(&iommu, VTD_IQA, 8, QUEUE);
	iommu_register_write(&iommu, VTD_IRTA, 8, IRT | 3);
	if (options & 16)
		write_register(VTD_GCMD, 4, VTD_GCMD_TE | VTD_GCMD_SRTP | VTD_GCMD_QIE | VTD_GCMD_IRE | VTD_GCMD_SIRTP);
}

static bool quiet(uint16_t source_id)
{
	for (unsigned i = 0; i < devices; i++) {
		if (iommu.device[i].source_id == source_id) return iommu.device[i].context.entry.lo & VTD_CONTEXT_FPD;
	}
	return true; /* unknown to the unit */
}

/* Whether a DMA that failed must have left a fault: not where its target was no RAM, and so on. */
static bool is_reported(uint16_t source_id, uint64_t iova, size_t bytes)
{
	return (reg(VTD_GSTS, 4) & VTD_GCMD_TE) && !(reg(VTD_PMEN, 4) & VTD_PMEN_EPM) && !data_refused &&
	       !quiet(source_id) && (iova + bytes <= MESSAGE_BASE || iova > MESSAGE_LAST);
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

/* Messages need no context; the first part that is none looks at it. */
static bool needs_context(uint64_t iova, size_t bytes, bool write)
{
	while (bytes) {
		size_t part = MIN(bytes, PAGE_SIZE - iova % PAGE_SIZE);

		if (iova < MESSAGE_BASE || iova > MESSAGE_LAST) return true;
		if (!write || part != 4 || iova % 4) return false;
		bytes -= part;
		iova += part;
	}
	return false;
}

static int do_dma(unsigned device, uint64_t iova, size_t bytes, bool write)
{
	uint16_t source_id = known[device].source_id;
	int error;

	if (needs_context(iova, bytes, write)) spec_dma_begins(&spec, &spec.device[device]);
	moving.device = (int)device;
	moving.iova = iova;
	moving.stale_uses = iommu_stale_uses(&iommu);
	error = write ? iommu_dma_write(&iommu, source_id, iova, buffer, bytes)
		      : iommu_dma_read(&iommu, source_id, iova, buffer, bytes);
	moving.device = -1;
	assert(error == 0 || error == -EFAULT);
	return error;
}

static void dma(struct input *in, bool write)
{
	unsigned device = take(in, 1) % IOMMU_DEVICES % devices;
	uint16_t source_id = known[device].source_id;
	uint64_t iova = take(in, 1) & 1 ? take(in, 8) : take(in, 2);
	size_t bytes = take(in, 2) % sizeof(buffer);
	uint64_t before = reg(VTD_FSTS, 4);
	int error;

	data_refused = false;
	error = do_dma(device, iova, bytes, write);
	if (error && is_reported(source_id, iova, bytes)) check_reported(before);
}

/* Put a descriptor where the queue's tail is, and ring: what random pokes rarely hit. */
static void submit(uint64_t lo, uint64_t hi)
{
	uint64_t base = reg(VTD_IQA, 8) & VTD_IQ_ADDR, tail = reg(VTD_IQT, 8) & VTD_IQ_PTR;

	if (in_ram(base + tail, 16)) {
		poke(base + tail, lo);
		poke(base + tail + 8, hi);
	}
	write_register(VTD_IQT, 8, (tail + 16) & 0xfff);
}

static void write_some_register(struct input *in, unsigned width)
{
	static const uint16_t offsets[] = {VTD_GCMD,  VTD_RTADDR,  VTD_CCMD,     VTD_FSTS,     VTD_FECTL,    VTD_FEADDR,
					   VTD_PMEN,  VTD_PLMBASE, VTD_PLMLIMIT, VTD_PHMBASE,  VTD_PHMLIMIT, VTD_IQT,
					   VTD_IQA,   VTD_ICS,     VTD_IECTL,    VTD_IEADDR,   VTD_IRTA,     VTD_IVA,
					   VTD_IOTLB, VTD_FRCD_HI, VTD_CCMD + 4, VTD_IOTLB + 4};
	uint64_t offset = offsets[take(in, 1) % ARRAY_SIZE(offsets)];

	write_register(offset, width, take(in, width));
}

/* A device's context entry becomes one that is good, or nearly. */
static void change_context(struct input *in)
{
	uint64_t at = CONTEXT + (known[take(in, 1) % devices].source_id & 0xff) * 16;
	uint64_t lo = take(in, 1), hi = take(in, 1);

	poke(at, TABLE | (lo & BITS(4, 0))); /* P, FPD, type, a reserved bit */
	poke(at + 8, FIELD(hi, BITS(1, 0)) | TO_FIELD(FIELD(hi, BITS(4, 2)), VTD_CONTEXT_DID));
}

/* Contexts invalidated, by the queue or by CCMD: a domain of change_context(), about a device. */
static void invalidate_contexts(struct input *in)
{
	uint64_t how = take(in, 1), who = take(in, 1), granularity = FIELD(how, BITS(1, 0));
	uint64_t domain_id = FIELD(how, BITS(4, 2)), function_mask = FIELD(how, BITS(6, 5));
	uint64_t source_id = known[who % devices].source_id ^ FIELD(who, BITS(7, 5));

	if (how & BIT(7))
		submit(VTD_DESC_CONTEXT | TO_FIELD(granularity, VTD_DESC_G) | TO_FIELD(domain_id, VTD_DESC_DID) |
			       TO_FIELD(source_id, VTD_CONTEXT_DESC_SID) | TO_FIELD(function_mask, VTD_CONTEXT_DESC_FM),
		       0);
	else
		write_register(VTD_CCMD, 8,
			       VTD_CCMD_ICC | TO_FIELD(granularity, VTD_CCMD_CIRG) | TO_FIELD(domain_id, VTD_CCMD_DID) |
				       TO_FIELD(source_id, VTD_CCMD_SID) | TO_FIELD(function_mask, VTD_CCMD_FM));
}

static void write_4(struct input *in) { write_some_register(in, 4); }

static void write_8(struct input *in) { write_some_register(in, 8); }

static void access_anywhere(struct input *in)
{
	uint64_t offset = take(in, 2);
	unsigned width = take(in, 1) % 17;

	write_register(offset, width, take(in, 8));
	(void)iommu_register_read(&iommu, offset, width);
}

static void change_memory(struct input *in)
{
	uint64_t gpa = take(in, 2);

	poke(gpa, take(in, 8));
}

static void dma_write(struct input *in) { dma(in, true); }

static void dma_read(struct input *in) { dma(in, false); }

static void interrupt(struct input *in)
{
	uint64_t address = MESSAGE_BASE | take(in, 3);
	uint16_t source_id = (uint16_t)take(in, 2);

	iommu_interrupt(&iommu, source_id, address, (uint32_t)take(in, 4));
}

static void new_device(struct input *in)
{
	uint16_t source_id = (uint16_t)take(in, 2);
	uint64_t how = take(in, 1);

	/* Anywhere, or where a context entry may well be already. */
	add_device(how & 2 ? source_id & 0x38 : source_id, how & 1);
}

static void change_no_snoop(struct input *in)
{
	uint64_t device = take(in, 1) % devices;

	spec.device[device].enabled = take(in, 1) & 1;
	iommu_set_no_snoop(&iommu, known[device].source_id, spec.device[device].enabled);
}

static void submit_anything(struct input *in)
{
	uint64_t lo = take(in, 8);

	submit(lo, take(in, 8));
}

static void change_table(struct input *in)
{
	uint64_t at = TABLE + take(in, 1) % 4 * PAGE_SIZE;

	at += take(in, 1) % 4 * 8;
	poke(at, take(in, 8));
}

/* An interrupt's entry, and a request for it. */
static void remap(struct input *in)
{
	uint64_t index = take(in, 1) % 16;

	poke(IRT + index * 16, take(in, 8));
	poke(IRT + index * 16 + 8, take(in, 3));
	iommu_interrupt(&iommu, (uint16_t)take(in, 2),
			MESSAGE_BASE | VTD_MSI_REMAPPABLE | TO_FIELD(index, VTD_MSI_HANDLE_LOW), 0);
}

static void write_message(struct input *in)
{
	uint64_t address = MESSAGE_BASE | take(in, 3);

	(void)do_dma(0, address, take(in, 1) & 7, true);
}

static void step(struct input *in)
{
	static void (*const steps[])(struct input * in) = {
		write_4,    write_8,         access_anywhere, change_memory, dma_write, dma_read,      interrupt,
		new_device, change_no_snoop, submit_anything, change_table,  remap,     write_message,
	};
	uint64_t what = take(in, 1);

	/* Numbers apart, so that older inputs still mean what they did. */
	if (what >= 0xe0)
		(what % 2 ? invalidate_contexts : change_context)(in);
	else
		steps[what % ARRAY_SIZE(steps)](in);
}

/* What the unit does between two steps of its guest: a slice, if there is one to do. */
static void work(void)
{
	uint64_t head = reg(VTD_IQH, 8);
	bool pending = iommu_pending(&iommu);

	calls = 0;
	iommu_work(&iommu);
	assert(!pending || reg(VTD_IQH, 8) != head || (reg(VTD_FSTS, 4) & VTD_FSTS_IQE));
}

static void check(void)
{
	check_status();
	check_spec();
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	unsigned slices = 0;
	struct input in = {input, size};

	ram = malloc(RAM_SIZE); /* of the exact size: the sanitizer sees an access beyond it */
	set_up(take(&in, 1));
	while (in.left) {
		calls = 0;
		step(&in);
		check();
		work();
		check();
	}
	for (; iommu_pending(&iommu); slices++) {
		assert(slices <= 32768); /* at least one descriptor each */
		work();
		check();
	}
	free(ram);
	return 0;
}
