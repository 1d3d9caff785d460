/* SPDX-License-Identifier: MIT */
/*
 * 'iommu=on,strict': a use of a cached context, translation or interrupt entry that memory no
 * longer has is told of once for each entry and counted each time, until the invalidation; and
 * looking for it changes nothing else.
 */
#include "tests/lib/iommu_world.h"

#define OTHER (DATA + PAGE_SIZE)

static struct iommu_world *strict_world(unsigned options) { return world_with(options, world_stale); }

/* EDU with a page mapped at iova 0 to DATA by 'flags', written once; *leaf is the entry's place. */
static struct iommu_world *one_page_cached(unsigned options, uint64_t flags, uint64_t *leaf)
{
	struct iommu_world *w = strict_world(options);
	uint64_t table = new_table(w);

	*leaf = map_page(w, table, 4, 0, 1, DATA, flags);
	translated(w, EDU, table, DID);
	start(w);
	dma_write(w, EDU, 0, 1);
	take_fault(w);
	assert_int_equal(w->stale_count, 0);
	w->event_count = 0;
	return w;
}

static void expect_answer(const struct iommu_answer *answer, unsigned reason, uint64_t address, unsigned permission,
			  bool snp)
{
	assert_int_equal(answer->reason, reason);
	assert_int_equal(answer->address, address);
	assert_int_equal(answer->permission, permission);
	assert_int_equal(answer->snp, snp);
	assert_int_equal(answer->lo | answer->hi, 0);
}

/* So many reports and uses so far, all by EDU; the last one was of 'cache', at 'where'. */
static void expect_told(const struct iommu_world *w, unsigned reports, unsigned uses, enum iommu_cache cache,
			uint64_t where)
{
	assert_int_equal(w->stale_count, reports);
	assert_int_equal(iommu_stale_uses(&w->iommu), uses);
	assert_int_equal(w->stale.cache, cache);
	assert_int_equal(w->stale.source_id, EDU);
	assert_int_equal(w->stale.where, where);
}

static void expect_text(const struct iommu_world *w, const char *expected)
{
	char text[IOMMU_STALE_TEXT];

	iommu_stale_text(&w->stale, text, sizeof(text));
	assert_string_equal(text, expected);
}

TEST(a_use_between_change_and_invalidation_is_told_after_it_none)
{
	uint64_t leaf;

	for (unsigned cm = 0; cm < 2; cm++) {
		struct iommu_world *w = one_page_cached(cm ? CM : NO_CM, RW, &leaf);

		poke(w, leaf, OTHER | RW);
		assert_int_equal(w->stale_count, 0); /* the change itself is no use */
		dma_write(w, EDU, 0x10, 2);
		expect_told(w, 1, 1, IOMMU_IOTLB, 0x10);
		expect_answer(&w->stale.cached, VTD_OK, DATA + 0x10, RW, false);
		expect_answer(&w->stale.in_memory, VTD_OK, OTHER + 0x10, RW, false);
		flush_pages(w, DID, 0, 0);
		assert_int_equal(dma_write(w, EDU, 0, 3), 0);
		assert_int_equal(dma_write(w, EDU, 0, 4), 0);
		expect_told(w, 1, 1, IOMMU_IOTLB, 0x10);
	}
}

TEST(one_report_for_each_entry_but_each_use_counts)
{
	uint64_t leaf;
	struct iommu_world *w = one_page_cached(CM, RW, &leaf);

	poke(w, leaf + 8, (DATA + 2 * PAGE_SIZE) | RW);
	assert_int_equal(dma_write(w, EDU, PAGE_SIZE, 1), 0);
	poke(w, leaf, OTHER | RW);
	poke(w, leaf + 8, 0);
	for (unsigned i = 1; i <= 3; i++) {
		dma_write(w, EDU, 0, i);
		expect_told(w, 1, i, IOMMU_IOTLB, 0);
	}
	dma_read(w, EDU, PAGE_SIZE + 8);
	expect_told(w, 2, 4, IOMMU_IOTLB, PAGE_SIZE + 8);
	/* Filled again it is another entry. */
	flush_pages(w, DID, 0, 0);
	assert_int_equal(dma_write(w, EDU, 0, 5), 0);
	poke(w, leaf, DATA | RW);
	dma_write(w, EDU, 0, 6);
	expect_told(w, 3, 5, IOMMU_IOTLB, 0);
}

TEST(a_dma_of_two_stale_pages_is_two_uses)
{
	uint64_t leaf, bytes[2] = {1, 2};
	struct iommu_world *w = one_page_cached(CM, RW, &leaf);

	poke(w, leaf + 8, (DATA + 2 * PAGE_SIZE) | RW);
	assert_int_equal(dma_write(w, EDU, PAGE_SIZE, 1), 0);
	poke(w, leaf, 0);
	poke(w, leaf + 8, 0);
	assert_int_equal(iommu_dma_write(&w->iommu, EDU, PAGE_SIZE - 8, bytes, 16), 0);
	expect_told(w, 2, 2, IOMMU_IOTLB, PAGE_SIZE);
}

/* What the device reads goes by the read permission, what it writes by the other. */
TEST(a_changed_permission_is_told)
{
	uint64_t leaf;
	struct iommu_world *w = one_page_cached(CM, RW, &leaf);

	poke(w, leaf, DATA | VTD_SL_R);
	dma_write(w, EDU, 0, 2);
	expect_told(w, 1, 1, IOMMU_IOTLB, 0);
	expect_answer(&w->stale.cached, VTD_OK, DATA, RW, false);
	expect_answer(&w->stale.in_memory, VTD_NO_WRITE, 0, 0, false);
	flush_iotlb(w);
	dma_read(w, EDU, 0); /* cached read-only */
	poke(w, leaf, DATA | RW);
	dma_read(w, EDU, 8);
	expect_told(w, 2, 2, IOMMU_IOTLB, 8);
	expect_answer(&w->stale.cached, VTD_OK, DATA + 8, VTD_SL_R, false);
	expect_answer(&w->stale.in_memory, VTD_OK, DATA + 8, RW, false);
	expect_text(w, "stale IOTLB entry used: device 00:04.0 iova 0x8: cached 0x200008 r, "
		       "in memory 0x200008 rw: changed in memory, not invalidated since");
	flush_iotlb(w);
	dma_write(w, EDU, 0, 3);
	poke(w, leaf, DATA | VTD_SL_W);
	dma_read(w, EDU, 0);
	expect_told(w, 3, 3, IOMMU_IOTLB, 0);
	expect_answer(&w->stale.in_memory, VTD_NO_READ, 0, 0, false);
	flush_iotlb(w);
	dma_write(w, EDU, 0, 4);
	poke(w, leaf, 0);
	dma_write(w, EDU, 0, 5);
	expect_text(w, "stale IOTLB entry used: device 00:04.0 iova 0x0: cached 0x200000 w, "
		       "in memory fault 0x5: changed in memory, not invalidated since");
}

TEST(a_changed_snp_is_told)
{
	uint64_t leaf;
	struct iommu_world *w = one_page_cached(CM | SC, RW | VTD_SL_SNP, &leaf);

	poke(w, leaf, DATA | RW);
	dma_write(w, EDU, 0, 2);
	expect_told(w, 1, 1, IOMMU_IOTLB, 0);
	expect_answer(&w->stale.cached, VTD_OK, DATA, RW, true);
	expect_answer(&w->stale.in_memory, VTD_OK, DATA, RW, false);
	expect_text(w, "stale IOTLB entry used: device 00:04.0 iova 0x0: cached 0x200000 rw snp, "
		       "in memory 0x200000 rw: changed in memory, not invalidated since");
	assert_int_equal(w->noncoherent, 0); /* the leaf in memory was looked at, not used */
}

TEST(an_absent_page_is_told)
{
	uint64_t leaf;
	struct iommu_world *w = one_page_cached(NO_CM, RW, &leaf);

	poke(w, leaf, 0);
	assert_int_equal(dma_write(w, EDU, 0, 2), 0);
	expect_told(w, 1, 1, IOMMU_IOTLB, 0);
	expect_answer(&w->stale.in_memory, VTD_NO_WRITE, 0, 0, false);
	expect_text(w, "stale IOTLB entry used: device 00:04.0 iova 0x0: cached 0x200000 rw, "
		       "in memory fault 0x5: changed in memory, not invalidated since");
}

/* With CAP.CM what was not there is cached too, and stale when it is mapped unannounced. */
TEST(a_cached_fault_is_told_when_memory_has_a_page_by_now)
{
	uint64_t leaf;
	struct iommu_world *w = one_page_cached(CM, 0, &leaf);

	assert_int_equal(dma_write(w, EDU, 0, 2), -EFAULT); /* the same fault in memory: not stale */
	assert_int_equal(iommu_stale_uses(&w->iommu), 0);
	poke(w, leaf, DATA | RW);
	assert_int_equal(dma_write(w, EDU, 0, 2), -EFAULT);
	expect_told(w, 1, 1, IOMMU_IOTLB, 0);
	expect_answer(&w->stale.cached, VTD_NO_WRITE, 0, 0, false);
	expect_answer(&w->stale.in_memory, VTD_OK, DATA, RW, false);
	poke(w, leaf, DATA | RW | VTD_SL_TM); /* another fault now: no second report, but a use */
	assert_int_equal(dma_write(w, EDU, 0, 2), -EFAULT);
	expect_told(w, 1, 2, IOMMU_IOTLB, 0);
}

TEST(the_same_page_by_other_tables_is_not_stale)
{
	uint64_t leaf;
	struct iommu_world *w = one_page_cached(CM, RW, &leaf);

	poke(w, leaf, DATA | RW | BIT(10)); /* ignored (VT-d 9.8) */
	assert_int_equal(dma_write(w, EDU, 0, 2), 0);
	assert_int_equal(w->stale_count + iommu_stale_uses(&w->iommu), 0);
}

/* No fault recorded, no device tracked, no entry filled: the old page serves as before. */
TEST(comparing_changes_nothing)
{
	uint64_t leaf;
	struct iommu_world *w = one_page_cached(CM | SC, RW | VTD_SL_SNP, &leaf);

	poke(w, leaf, OTHER);
	assert_int_equal(dma_write(w, EDU, 0, 2), 0);
	assert_int_equal(dma_write(w, EDU, 0, 3), 0);
	assert_int_equal(peek(w, DATA), 3);
	set_context(w, EDU, 0, 0);
	assert_int_equal(dma_write(w, EDU, 0, 4), 0);
	assert_int_equal(peek(w, DATA), 4);
	expect_told(w, 2, 4, IOMMU_IOTLB - 1, 0);
	assert_int_equal(take_fault(w) | w->event_count, 0);
	assert_int_equal(w->noncoherent, 0);
}

TEST(without_strict_a_cache_is_believed)
{
	struct iommu_world *w = prepared(CM, RW);

	start(w);
	assert_int_equal(dma_write(w, EDU, 0, 1), 0);
	set_context(w, EDU, 0, 0);
	w->reads = 0;
	assert_int_equal(dma_write(w, EDU, 0, 2), 0);
	assert_int_equal(w->reads + iommu_stale_uses(&w->iommu), 0);
}

/* The context of EDU is changed to lo:hi: what the next DMA tells of it. */
static void expect_context_told(uint64_t lo, uint64_t hi, unsigned reason, uint64_t lo_told, uint64_t hi_told)
{
	for (unsigned cm = 0; cm < 2; cm++) {
		uint64_t leaf;
		struct iommu_world *w = one_page_cached(cm ? CM : NO_CM, RW, &leaf);

		set_context(w, EDU, lo, hi);
		for (unsigned i = 1; i <= 2; i++) {
			assert_int_equal(dma_write(w, EDU, 8, 2), 0);
			expect_told(w, 1, i, IOMMU_CONTEXTS, 8);
		}
		assert_int_equal(w->stale.cached.reason, VTD_OK);
		assert_int_equal(w->stale.cached.lo, TABLES | VTD_CONTEXT_P);
		assert_int_equal(w->stale.cached.hi, context_hi(DID, VTD_AW_48BIT));
		assert_int_equal(w->stale.in_memory.reason, reason);
		assert_int_equal(w->stale.in_memory.lo, lo_told);
		assert_int_equal(w->stale.in_memory.hi, hi_told);
		flush_contexts(w);
		flush_iotlb(w);
		dma_write(w, EDU, 0, 3);
		dma_write(w, EDU, 0, 3);
		expect_told(w, 1, 2, IOMMU_CONTEXTS, 8);
	}
}

TEST(a_changed_context_is_told)
{
	const uint64_t lo = TABLES | VTD_CONTEXT_P, hi = context_hi(DID, VTD_AW_48BIT);
	const uint64_t other_did = context_hi(DID + 1, VTD_AW_48BIT);
	const uint64_t narrow = context_hi(DID, VTD_AW_39BIT);
	const uint64_t through = VTD_CONTEXT_P | TO_FIELD(VTD_TT_PASS_THROUGH, VTD_CONTEXT_TT);
	const uint64_t rest = VTD_CONTEXT_FPD;

	expect_context_told(0, 0, VTD_CONTEXT_NOT_PRESENT, 0, 0);
	expect_context_told(lo & ~VTD_CONTEXT_P, hi, VTD_CONTEXT_NOT_PRESENT, 0, 0);
	expect_context_told(rest, 0, VTD_CONTEXT_NOT_PRESENT, rest, 0);
	expect_context_told(lo, BIT(63) | hi, VTD_CONTEXT_RESERVED, 0, 0);
	expect_context_told(lo + PAGE_SIZE, hi, VTD_OK, lo + PAGE_SIZE, hi);
	expect_context_told(lo, other_did, VTD_OK, lo, other_did);
	expect_context_told(lo, narrow, VTD_OK, lo, narrow);
	expect_context_told(lo | rest, hi, VTD_OK, lo | rest, hi);
	/* Pass-through has no table. */
	expect_context_told(TABLES | through, hi, VTD_OK, through, hi);
}

TEST(what_a_context_leaves_to_software_does_not_count)
{
	uint64_t leaf;
	struct iommu_world *w = one_page_cached(CM, RW, &leaf);

	poke(w, context_at(EDU) + 8, context_hi(DID, VTD_AW_48BIT) | BITS(6, 3));
	assert_int_equal(dma_write(w, EDU, 0, 2), 0);
	passed_through(w, EDU_B, DID);
	flush_contexts(w);
	assert_int_equal(dma_write(w, EDU_B, DATA, 3), 0);
	poke(w, context_at(EDU_B), peek(w, context_at(EDU_B)) | TABLES);
	assert_int_equal(dma_write(w, EDU_B, DATA, 4), 0);
	/* Not present, and not present with other bits. */
	set_context(w, EDU, 0, 0);
	flush_contexts(w);
	dma_write(w, EDU, 0, 5);
	set_context(w, EDU, TABLES, context_hi(DID + 1, 0));
	dma_write(w, EDU, 0, 5);
	assert_int_equal(w->stale_count + iommu_stale_uses(&w->iommu), 0);
}

/* The page's translation goes by the cached context: of the two caches one is stale. */
TEST(a_stale_context_makes_no_stale_page)
{
	uint64_t leaf;
	struct iommu_world *w = one_page_cached(CM, RW, &leaf);

	translated(w, EDU, new_table(w), DID); /* empty */
	assert_int_equal(dma_write(w, EDU, 0, 2), 0);
	expect_told(w, 1, 1, IOMMU_CONTEXTS, 0);
	expect_text(w, "stale context entry used: device 00:04.0 iova 0x0: cached entry "
		       "0x502:0x10001, in memory entry 0x502:0x14001: changed in memory, not "
		       "invalidated since");
	/* Its domain id given to other tables, the IOTLB not told: now it is the page. */
	flush_contexts(w);
	assert_int_equal(dma_write(w, EDU, 0, 3), 0);
	expect_told(w, 2, 2, IOMMU_IOTLB, 0);
}

/* Read again it is another entry, with caching mode and without. */
TEST(a_context_that_was_told_of_is_told_again_after_its_invalidation)
{
	uint64_t leaf;

	for (unsigned cm = 0; cm < 2; cm++) {
		struct iommu_world *w = one_page_cached(cm ? CM : NO_CM, RW, &leaf);

		for (unsigned i = 1; i <= 2; i++) {
			translated(w, EDU, TABLES, DID + i);
			dma_write(w, EDU, 0, 2);
			expect_told(w, i, 2 * i - 1, IOMMU_CONTEXTS, 0);
			dma_write(w, EDU, 0, 2);
			expect_told(w, i, 2 * i, IOMMU_CONTEXTS, 0);
			flush_contexts(w);
			dma_write(w, EDU, 0, 2);
			expect_told(w, i, 2 * i, IOMMU_CONTEXTS, 0);
		}
	}
}

/* Vector 0x55 to APIC 3, for EDU only; asked for once. */
static struct iommu_world *one_interrupt_cached(unsigned options, uint64_t lo, uint64_t hi)
{
	struct iommu_world *w = strict_world(options);

	start_remapping(w);
	set_irte(w, 5, lo, hi);
	iommu_interrupt(&w->iommu, EDU, remappable(5), 0);
	take_fault(w);
	assert_int_equal(w->stale_count, 0);
	return w;
}

#define IRTE_HI (TO_FIELD(VTD_SVT_SID, VTD_IRTE_SVT) | EDU)

TEST(each_changed_field_of_an_interrupt_entry_is_told)
{
	static const struct {
		uint64_t lo, hi;
		unsigned reason;
	} changes[] = {
		{IRTE_LO ^ TO_FIELD(1, VTD_IRTE_VECTOR), IRTE_HI, VTD_OK},
		{IRTE_LO ^ TO_FIELD(1, VTD_IRTE_DST), IRTE_HI, VTD_OK},
		{IRTE_LO ^ TO_FIELD(1, VTD_IRTE_DLM), IRTE_HI, VTD_OK},
		{IRTE_LO ^ VTD_IRTE_TM, IRTE_HI, VTD_OK},
		{IRTE_LO ^ VTD_IRTE_RH, IRTE_HI, VTD_OK},
		{IRTE_LO ^ VTD_IRTE_DM, IRTE_HI, VTD_OK},
		{IRTE_LO ^ VTD_IRTE_FPD, IRTE_HI, VTD_OK},
		{IRTE_LO, IRTE_HI | TO_FIELD(3, VTD_IRTE_SQ), VTD_OK},
		{IRTE_LO, IRTE_HI ^ 8, VTD_IR_WRONG_SOURCE},
		{IRTE_LO | BIT(15), IRTE_HI, VTD_IR_ENTRY_RESERVED},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(changes); i++) {
		struct iommu_world *w = one_interrupt_cached(i & 1 ? CM : NO_CM, IRTE_LO, IRTE_HI);

		set_irte(w, 5, changes[i].lo, changes[i].hi);
		iommu_interrupt(&w->iommu, EDU, remappable(5), 0);
		expect_told(w, 1, 1, IOMMU_INTERRUPT_ENTRIES, 5);
		assert_int_equal(w->interrupts[1].data, w->interrupts[0].data); /* the cached one */
		assert_int_equal(w->stale.cached.reason, VTD_OK);
		assert_int_equal(w->stale.cached.lo, IRTE_LO);
		assert_int_equal(w->stale.cached.hi, IRTE_HI);
		assert_int_equal(w->stale.in_memory.reason, changes[i].reason);
		assert_int_equal(w->stale.in_memory.lo, changes[i].lo);
		assert_int_equal(w->stale.in_memory.hi, changes[i].hi);
	}
}

TEST(an_interrupt_entry_is_told_once_until_its_invalidation)
{
	struct iommu_world *w = one_interrupt_cached(CM, IRTE_LO, IRTE_HI);

	set_irte(w, 5, 0, 0);
	for (unsigned i = 1; i <= 3; i++) {
		iommu_interrupt(&w->iommu, EDU, remappable(5), 0);
		expect_told(w, 1, i, IOMMU_INTERRUPT_ENTRIES, 5);
	}
	assert_int_equal(take_fault(w), 0);
	expect_text(w, "stale interrupt entry used: device 00:04.0 index 0x5: cached entry "
		       "0x40020:0x30000550001, in memory entry 0x0:0x0, fault 0x22: changed in "
		       "memory, not invalidated since");
	invalidate_entries(w, 5, 0);
	for (unsigned i = 0; i < 2; i++) iommu_interrupt(&w->iommu, EDU, remappable(5), 0);
	assert_int_equal(take_fault(w), VTD_IR_NOT_PRESENT);
	expect_told(w, 1, 3, IOMMU_INTERRUPT_ENTRIES, 5);
	/* Not present was cached (CAP.CM): as stale as any when there is one. */
	set_irte(w, 5, IRTE_LO, IRTE_HI);
	iommu_interrupt(&w->iommu, EDU, remappable(5), 0);
	expect_told(w, 2, 4, IOMMU_INTERRUPT_ENTRIES, 5);
	assert_int_equal(w->stale.cached.reason, VTD_IR_NOT_PRESENT);
	assert_int_equal(w->stale.in_memory.reason, VTD_OK);
}

TEST(what_an_interrupt_entry_leaves_to_software_does_not_count)
{
	struct iommu_world *w = one_interrupt_cached(CM, IRTE_LO, IRTE_HI);

	set_irte(w, 5, IRTE_LO | VTD_IRTE_AVAIL, IRTE_HI);
	iommu_interrupt(&w->iommu, EDU, remappable(5), 0);
	set_irte(w, 5, 0, 0);
	invalidate_entries(w, 5, 0);
	iommu_interrupt(&w->iommu, EDU, remappable(5), 0);
	set_irte(w, 5, IRTE_LO & ~VTD_IRTE_P, IRTE_HI);
	iommu_interrupt(&w->iommu, EDU, remappable(5), 0);
	assert_int_equal(w->stale_count + iommu_stale_uses(&w->iommu), 0);
}

static int refuse(struct iommu_world *w)
{
	(void)w;
	return -EFAULT;
}

/* A guest cannot do that, a host that takes memory away can. */
TEST(tables_that_cannot_be_read_any_more_are_told)
{
	uint64_t leaf;
	struct iommu_world *w = one_page_cached(CM, RW, &leaf);

	set_irte(w, 5, IRTE_LO, IRTE_HI);
	start_remapping(w);
	iommu_interrupt(&w->iommu, EDU, remappable(5), 0);
	w->on_read = refuse;
	iommu_interrupt(&w->iommu, EDU, remappable(5), 0);
	expect_told(w, 1, 1, IOMMU_INTERRUPT_ENTRIES, 5);
	assert_int_equal(w->stale.in_memory.reason, VTD_IR_UNREADABLE);
	assert_int_equal(w->stale.in_memory.lo | w->stale.in_memory.hi, 0);
	dma_write(w, EDU, 0, 2);
	expect_told(w, 3, 3, IOMMU_IOTLB, 0);
	assert_int_equal(w->stale.in_memory.reason, VTD_CONTEXT_INVALID);
}

/* At the read before which seen[0] others come. */
static int invalidate_all(struct iommu_world *w)
{
	if (w->seen[0]--) return 0;
	w->on_read = NULL;
	reg_write8(w, VTD_IOTLB, VTD_IOTLB_IVT | TO_FIELD(VTD_GLOBAL, VTD_IOTLB_IIRG));
	command(w, VTD_GCMD_SIRTP, 0);
	return 0;
}

/* A host whose read() comes back and invalidates: the use counts, of the entry nothing is left. */
TEST(an_entry_that_goes_while_it_is_compared_is_not_told_of)
{
	uint64_t leaf;
	struct iommu_world *w = one_page_cached(CM, RW, &leaf);

	start_remapping(w);
	set_irte(w, 5, IRTE_LO, IRTE_HI);
	iommu_interrupt(&w->iommu, EDU, remappable(5), 0);
	set_irte(w, 5, 0, 0);
	w->on_read = invalidate_all;
	iommu_interrupt(&w->iommu, EDU, remappable(5), 0);
	assert_int_equal(iommu_stale_uses(&w->iommu), 1);
	dma_write(w, EDU, 0, 1);
	poke(w, leaf, 0);
	w->on_read = invalidate_all;
	w->seen[0] = 2; /* its root and context entry */
	assert_int_equal(dma_write(w, EDU, 0, 2), 0);
	assert_int_equal(iommu_stale_uses(&w->iommu), 2);
	assert_int_equal(w->stale_count, 0);
}

TEST(the_longest_report_fits)
{
	const struct iommu_answer longest = {.reason = 0x26, .lo = ~0ULL, .hi = ~0ULL};
	const struct iommu_stale stale = {IOMMU_CONTEXTS, 0xffff, ~0ULL, longest, longest};
	static const char tail[] = ": changed in memory, not invalidated since";
	char text[IOMMU_STALE_TEXT];

	iommu_stale_text(&stale, text, sizeof(text));
	assert_string_equal(text + strlen(text) - strlen(tail), tail);
	assert_non_null(strstr(text, "device ff:1f.7 iova 0xffffffffffffffff: cached entry "));
}
