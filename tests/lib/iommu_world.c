/* SPDX-License-Identifier: MIT */
/*
 * The world of the tests of iommu/: its RAM, what the unit is given of it, and what a guest does in it.
 */
#include "tests/lib/iommu_world.h"
#include "lib/apic.h"

static bool in_ram(uint64_t gpa, size_t size) { return gpa < RAM_SIZE && size <= RAM_SIZE - gpa; }

static int world_read(void *ctx, uint64_t gpa, void *to, size_t size, bool around)
{
	struct iommu_world *w = ctx;

	w->reads++;
	w->around = around;
	w->ever |= around;
	if (!in_ram(gpa, size) || (w->on_read && w->on_read(w))) return -EFAULT;
	memcpy(to, w->ram + gpa, size);
	return 0;
}

static int world_write(void *ctx, uint64_t gpa, const void *from, size_t size, bool around)
{
	struct iommu_world *w = ctx;

	w->around = around;
	w->ever |= around;
	if (!in_ram(gpa, size)) return -EFAULT;
	if (w->on_write) w->on_write(w, gpa);
	memcpy(w->ram + gpa, from, size);
	return 0;
}

static void world_interrupt(void *ctx, uint64_t address, uint32_t data)
{
	struct iommu_world *w = ctx;

	assert_in_range(w->interrupt_count, 0, 63);
	w->interrupts[w->interrupt_count].address = address;
	w->interrupts[w->interrupt_count++].data = data;
}

static void world_changed(void *ctx, const struct iommu_event *event)
{
	struct iommu_world *w = ctx;

	assert_in_range(w->event_count, 0, 63);
	/* By difference: a report of no change would make a receiver count wrong. */
	assert_true(event->attached != event->was_attached || event->noncoherent != event->was_noncoherent);
	w->events[w->event_count++] = *event;
	w->noncoherent += event->noncoherent - event->was_noncoherent;
	if (w->on_event) w->on_event(w);
}

static bool world_unfinished(void *ctx)
{
	struct iommu_world *w = ctx;

	return w->unfinished && --w->unfinished;
}

void world_stale(void *ctx, const struct iommu_stale *stale)
{
	struct iommu_world *w = ctx;

	w->stale = *stale;
	w->stale_count++;
}

static void world_fault_recorded(void *ctx, uint64_t lo, uint64_t hi)
{
	struct iommu_world *w = ctx;

	w->record[0] = lo;
	w->record[1] = hi;
	w->records++;
}

void reg_write(struct iommu_world *w, unsigned offset, uint32_t value)
{
	iommu_register_write(&w->iommu, offset, 4, value);
}

uint32_t reg_read(struct iommu_world *w, unsigned offset)
{
	return (uint32_t)iommu_register_read(&w->iommu, offset, 4);
}

void reg_write8(struct iommu_world *w, unsigned offset, uint64_t value)
{
	iommu_register_write(&w->iommu, offset, 8, value);
}

uint64_t reg_read8(struct iommu_world *w, unsigned offset) { return iommu_register_read(&w->iommu, offset, 8); }

void poke(struct iommu_world *w, uint64_t gpa, uint64_t value)
{
	assert_true(in_ram(gpa, sizeof(value)));
	memcpy(w->ram + gpa, &value, sizeof(value));
}

uint64_t peek(struct iommu_world *w, uint64_t gpa)
{
	uint64_t value;

	assert_true(in_ram(gpa, sizeof(value)));
	memcpy(&value, w->ram + gpa, sizeof(value));
	return value;
}

/* Every world of the test that runs. */
static struct iommu_world *worlds;

int free_worlds(void **state)
{
	(void)state;
	while (worlds) {
		struct iommu_world *w = worlds;

		worlds = w->next;
		free(w->ram);
		free(w);
	}
	return 0;
}

struct iommu_world *world_with(unsigned options, void (*stale_used)(void *ctx, const struct iommu_stale *))
{
	struct iommu_world *w = calloc(1, sizeof(*w));
	struct iommu_host host = {.ctx = w,
				  .read = world_read,
				  .write = world_write,
				  .interrupt = world_interrupt,
				  .changed = world_changed,
				  .unfinished = world_unfinished,
				  .stale_used = stale_used,
				  .fault_recorded = world_fault_recorded};
	struct iommu_config config = {
		.snoop_control = options & SC, .caching_mode = options & CM, .interrupt_remapping = true};

	assert_non_null(w);
	w->next = worlds;
	worlds = w;
	w->ram = calloc(1, RAM_SIZE);
	assert_non_null(w->ram);
	w->next_table = TABLES;
	iommu_init(&w->iommu, &config, &host);
	assert_int_equal(iommu_add_device(&w->iommu, EDU, true), 0);
	assert_int_equal(iommu_add_device(&w->iommu, EDU_B, true), 0);
	poke(w, ROOT, CONTEXT | VTD_ROOT_P);
	return w;
}

struct iommu_world *world_new(unsigned options) { return world_with(options, NULL); }

uint64_t new_table(struct iommu_world *w)
{
	w->next_table += PAGE_SIZE;
	return w->next_table - PAGE_SIZE;
}

uint64_t map_page(struct iommu_world *w, uint64_t table, unsigned top, uint64_t iova, unsigned level, uint64_t gpa,
		  uint64_t flags)
{
	for (unsigned l = top;; l--) {
		uint64_t at = table + (iova >> (12 + 9 * (l - 1)) & 511) * 8;

		if (l == level) {
			poke(w, at, gpa | flags | (l > 1 ? VTD_SL_PS : 0));
			return at;
		}
		if (!peek(w, at)) poke(w, at, new_table(w) | VTD_SL_R | VTD_SL_W);
		table = peek(w, at) & VTD_SL_ADDR;
	}
}

uint64_t context_at(uint16_t source_id) { return CONTEXT + (source_id & 0xff) * 16; }

void set_context(struct iommu_world *w, uint16_t source_id, uint64_t lo, uint64_t hi)
{
	poke(w, context_at(source_id), lo);
	poke(w, context_at(source_id) + 8, hi);
}

uint64_t context_hi(unsigned domain_id, unsigned width)
{
	return TO_FIELD(domain_id, VTD_CONTEXT_DID) | TO_FIELD(width, VTD_CONTEXT_AW);
}

void translated(struct iommu_world *w, uint16_t source_id, uint64_t table, unsigned domain_id)
{
	set_context(w, source_id, table | VTD_CONTEXT_P, context_hi(domain_id, VTD_AW_48BIT));
}

void passed_through(struct iommu_world *w, uint16_t source_id, unsigned domain_id)
{
	set_context(w, source_id, VTD_CONTEXT_P | TO_FIELD(VTD_TT_PASS_THROUGH, VTD_CONTEXT_TT),
		    context_hi(domain_id, VTD_AW_48BIT));
}

void command(struct iommu_world *w, uint64_t set, uint64_t clear)
{
	uint64_t one_shot = VTD_GCMD_SRTP | VTD_GCMD_SIRTP;
	uint64_t now = reg_read(w, VTD_GSTS) & ~one_shot;

	reg_write(w, VTD_GCMD, (uint32_t)((now & ~clear) | set));
}

void start_queue(struct iommu_world *w)
{
	reg_write8(w, VTD_IQT, 0);
	reg_write8(w, VTD_IQA, QUEUE);
	command(w, VTD_GCMD_QIE, 0);
	w->tail = 0;
}

void set_root(struct iommu_world *w, uint64_t root)
{
	reg_write8(w, VTD_RTADDR, root);
	command(w, VTD_GCMD_SRTP, 0);
}

void start(struct iommu_world *w)
{
	set_root(w, ROOT);
	start_queue(w);
	command(w, VTD_GCMD_TE, 0);
}

void put_descriptor(struct iommu_world *w, uint64_t lo, uint64_t hi)
{
	poke(w, QUEUE + w->tail * 16, lo);
	poke(w, QUEUE + w->tail * 16 + 8, hi);
	w->tail = (w->tail + 1) % 256;
}

unsigned drain(struct iommu_world *w)
{
	unsigned slices = 0;

	for (; iommu_pending(&w->iommu); slices++) {
		assert_in_range(slices, 0, 32768 / IOMMU_SLICE * IOMMU_CHANGE_COST);
		iommu_work(&w->iommu);
	}
	return slices;
}

void ring(struct iommu_world *w)
{
	reg_write8(w, VTD_IQT, w->tail * 16);
	drain(w);
}

void submit(struct iommu_world *w, uint64_t lo, uint64_t hi)
{
	put_descriptor(w, lo, hi);
	ring(w);
}

void flush_contexts(struct iommu_world *w) { submit(w, VTD_DESC_CONTEXT | TO_FIELD(VTD_GLOBAL, VTD_DESC_G), 0); }

void flush_domain(struct iommu_world *w, unsigned domain_id)
{
	submit(w, VTD_DESC_CONTEXT | TO_FIELD(VTD_DOMAIN, VTD_DESC_G) | TO_FIELD(domain_id, VTD_DESC_DID), 0);
}

void flush_device(struct iommu_world *w, uint16_t source_id, unsigned domain_id, unsigned function_mask)
{
	submit(w,
	       VTD_DESC_CONTEXT | TO_FIELD(VTD_DEVICE, VTD_DESC_G) | TO_FIELD(domain_id, VTD_DESC_DID) |
		       TO_FIELD(source_id, VTD_CONTEXT_DESC_SID) | TO_FIELD(function_mask, VTD_CONTEXT_DESC_FM),
	       0);
}

void flush_iotlb(struct iommu_world *w) { submit(w, VTD_DESC_IOTLB | TO_FIELD(VTD_GLOBAL, VTD_DESC_G), 0); }

void flush_pages(struct iommu_world *w, unsigned domain_id, uint64_t iova, unsigned order)
{
	submit(w, VTD_DESC_IOTLB | TO_FIELD(VTD_PAGE, VTD_DESC_G) | TO_FIELD(domain_id, VTD_DESC_DID), iova | order);
}

void set_irte(struct iommu_world *w, unsigned index, uint64_t lo, uint64_t hi)
{
	poke(w, IRT + index * 16, lo);
	poke(w, IRT + index * 16 + 8, hi);
}

void start_remapping(struct iommu_world *w)
{
	start_queue(w);
	reg_write8(w, VTD_IRTA, IRT | 7);
	command(w, VTD_GCMD_SIRTP, 0);
	command(w, VTD_GCMD_IRE, 0);
}

uint64_t remappable(unsigned handle)
{
	return MESSAGE_BASE | VTD_MSI_REMAPPABLE | TO_FIELD(handle, VTD_MSI_HANDLE_LOW) |
	       (handle & BIT(15) ? VTD_MSI_HANDLE_15 : 0);
}

void invalidate_entries(struct iommu_world *w, uint64_t index, uint64_t order)
{
	submit(w, VTD_DESC_IEC | VTD_IEC_DESC_G | TO_FIELD(index, VTD_IEC_DESC_IIDX) | TO_FIELD(order, VTD_IEC_DESC_IM),
	       0);
}

int dma_write(struct iommu_world *w, uint16_t source_id, uint64_t iova, uint64_t value)
{
	return iommu_dma_write(&w->iommu, source_id, iova, &value, sizeof(value));
}

uint64_t dma_read(struct iommu_world *w, uint16_t source_id, uint64_t iova)
{
	uint64_t value = 0;

	(void)iommu_dma_read(&w->iommu, source_id, iova, &value, sizeof(value));
	return value;
}

unsigned take_fault(struct iommu_world *w)
{
	uint64_t hi = reg_read8(w, VTD_FRCD_HI);

	reg_write8(w, VTD_FRCD_HI, VTD_FRCD_F);
	reg_write(w, VTD_FSTS, VTD_FSTS_PFO);
	return hi & VTD_FRCD_F ? (unsigned)FIELD(hi, VTD_FRCD_FR) : 0;
}

struct iommu_world *translating(unsigned options, uint64_t *table)
{
	struct iommu_world *w = world_new(options);

	*table = new_table(w);
	translated(w, EDU, *table, DID);
	start(w);
	return w;
}

struct iommu_world *prepared(unsigned options, uint64_t leaf)
{
	struct iommu_world *w = world_new(options);
	uint64_t table = new_table(w);

	map_page(w, table, 4, 0, 1, DATA, leaf);
	translated(w, EDU, table, DID);
	return w;
}

void see_data(struct iommu_world *w) { w->seen[0] = peek(w, DATA); }
