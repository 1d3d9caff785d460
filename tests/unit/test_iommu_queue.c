/* SPDX-License-Identifier: MIT */
/* The invalidation queue: order, wrap, completion, errors and the way out of them. */
#include "tests/lib/iommu_world.h"

/* Fence, VT-d 6.5.2: the unit has nothing to do for it. */
#define VTD_WAIT_DESC_FN BIT(6)

#define WAIT(data) (VTD_DESC_WAIT | VTD_WAIT_DESC_SW | TO_FIELD(data, VTD_WAIT_DESC_DATA))

static struct iommu_world *with_queue(void)
{
	struct iommu_world *w = world_new(CM | SC);

	set_root(w, ROOT);
	start_queue(w);
	return w;
}

static bool queue_error(struct iommu_world *w) { return reg_read(w, VTD_FSTS) & VTD_FSTS_IQE; }

TEST(a_wait_writes_its_status_and_the_head_reaches_the_tail)
{
	struct iommu_world *w = with_queue();

	poke(w, STATUS, 0xffffffffffffffff);
	submit(w, WAIT(7), STATUS);
	assert_int_equal(peek(w, STATUS), 0xffffffff00000007); /* 4 bytes, not 8 */
	assert_int_equal(reg_read8(w, VTD_IQH), 16);
	assert_false(queue_error(w));
}

TEST(head_and_tail_wrap)
{
	struct iommu_world *w = with_queue();

	for (unsigned i = 0; i < 600; i++) {
		submit(w, WAIT(i), STATUS);
		assert_int_equal(peek(w, STATUS), i);
		assert_int_equal(reg_read8(w, VTD_IQH), reg_read8(w, VTD_IQT));
	}
	assert_int_equal(reg_read8(w, VTD_IQH), 600 % 256 * 16);
}

TEST(a_larger_queue_uses_its_whole_size)
{
	struct iommu_world *w = world_new(CM | SC);

	reg_write8(w, VTD_IQA, DATA | 1); /* 512 descriptors */
	command(w, VTD_GCMD_QIE, 0);
	for (unsigned i = 0; i < 512; i++) {
		poke(w, DATA + i * 16, WAIT(i));
		poke(w, DATA + i * 16 + 8, STATUS + i * 4 % 1024);
	}
	reg_write8(w, VTD_IQT, 511 * 16);
	drain(w);
	assert_int_equal(reg_read8(w, VTD_IQH), 511 * 16);
	assert_int_equal(peek(w, STATUS + 1016) >> 32, 255 + 0 * 256);
	reg_write8(w, VTD_IQT, 16);
	assert_int_equal(reg_read8(w, VTD_IQH), 16);
	assert_int_equal(peek(w, STATUS + 1016) >> 32, 511);
}

TEST(a_disabled_queue_is_not_read)
{
	struct iommu_world *w = world_new(CM | SC);

	reg_write8(w, VTD_IQA, ALIGN_DOWN(~0ULL, PAGE_SIZE));
	reg_write8(w, VTD_IQT, 16);
	assert_int_equal(w->reads, 0);
	assert_false(queue_error(w));
}

/* As kernels do that take the queue for granted and then use the registers. */
TEST(a_queue_enabled_at_0_and_never_used_is_harmless)
{
	struct iommu_world *w = world_new(CM | SC);

	command(w, VTD_GCMD_QIE, 0);
	assert_int_equal(w->reads, 0);
	assert_false(queue_error(w));
	passed_through(w, EDU, DID);
	set_root(w, ROOT);
	reg_write8(w, VTD_CCMD, VTD_CCMD_ICC | TO_FIELD(VTD_GLOBAL, VTD_CCMD_CIRG));
	assert_int_equal(reg_read8(w, VTD_CCMD) & VTD_CCMD_ICC, 0);
	command(w, VTD_GCMD_TE, 0);
	assert_int_equal(w->noncoherent, 1);
}

TEST(a_tail_set_before_enabling_is_worked_off_then)
{
	struct iommu_world *w = world_new(CM | SC);

	reg_write8(w, VTD_IQA, QUEUE);
	submit(w, WAIT(3), STATUS);
	assert_int_equal(peek(w, STATUS), 0);
	command(w, VTD_GCMD_QIE, 0);
	assert_int_equal(peek(w, STATUS), 3);
}

TEST(disabling_resets_the_head)
{
	struct iommu_world *w = with_queue();

	submit(w, WAIT(3), STATUS);
	command(w, 0, VTD_GCMD_QIE);
	assert_int_equal(reg_read8(w, VTD_IQH), 0);
	start_queue(w);
	submit(w, WAIT(4), STATUS);
	assert_int_equal(peek(w, STATUS), 4);
}

TEST(a_bad_descriptor_stops_the_queue_at_itself)
{
	static const uint64_t bad[][2] = {
		{0, 0},                   /* no type */
		{VTD_DESC_DEVICE_TLB, 0}, /* ECAP.DT = 0 */
		{6, 0},                   /* scalable mode */
		{7, 0},
		{15, 0},
		{VTD_DESC_CONTEXT, 0},                            /* granularity 0 */
		{VTD_DESC_CONTEXT | VTD_GLOBAL << 4 | BIT(6), 0}, /* reserved */
		{VTD_DESC_CONTEXT | VTD_GLOBAL << 4 | BIT(50), 0},
		{VTD_DESC_CONTEXT | VTD_GLOBAL << 4, 1},
		{VTD_DESC_IOTLB, 0},
		{VTD_DESC_IOTLB | VTD_GLOBAL << 4 | BIT(8), 0},
		{VTD_DESC_IOTLB | VTD_GLOBAL << 4 | BIT(32), 0},
		{VTD_DESC_IOTLB | VTD_GLOBAL << 4, BIT(7)},
		{VTD_DESC_IOTLB | VTD_PAGE << 4, VTD_MAMV + 1},
		{VTD_DESC_IEC | BIT(5), 0},
		{VTD_DESC_IEC | BIT(48), 0},
		{VTD_DESC_IEC, 1},
		{VTD_DESC_IEC | VTD_IEC_DESC_G | TO_FIELD(16, VTD_IEC_DESC_IM), 0},
		{VTD_DESC_WAIT | VTD_WAIT_DESC_SW | BIT(7), STATUS},
		{VTD_DESC_WAIT | VTD_WAIT_DESC_SW, STATUS + 1},
		{VTD_DESC_WAIT | VTD_WAIT_DESC_SW, RAM_SIZE}, /* no memory there */
		{VTD_DESC_WAIT | VTD_WAIT_DESC_SW, IOMMU_BASE + VTD_GCMD},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct iommu_world *w = with_queue();

		put_descriptor(w, WAIT(1), STATUS);
		put_descriptor(w, bad[i][0], bad[i][1]);
		put_descriptor(w, WAIT(2), STATUS);
		ring(w);
		assert_true(queue_error(w));
		assert_int_equal(reg_read8(w, VTD_IQH), 16);
		assert_int_equal(peek(w, STATUS), 1);
		/* Software puts something valid in its place, and it takes effect once IQE is 0. */
		poke(w, QUEUE + 16, VTD_DESC_WAIT | VTD_WAIT_DESC_FN);
		poke(w, QUEUE + 24, 0);
		ring(w);
		reg_write(w, VTD_FSTS, (uint32_t)VTD_FSTS_PFO);
		assert_int_equal(reg_read8(w, VTD_IQH), 16);
		reg_write(w, VTD_FSTS, (uint32_t)VTD_FSTS_IQE);
		assert_false(queue_error(w));
		assert_int_equal(reg_read8(w, VTD_IQH), 48);
		assert_int_equal(peek(w, STATUS), 2);
	}
}

TEST(ite_and_ice_read_0)
{
	struct iommu_world *w = with_queue();

	submit(w, VTD_DESC_DEVICE_TLB, 0);
	assert_int_equal(reg_read(w, VTD_FSTS), VTD_FSTS_IQE);
}

TEST(a_tail_beyond_the_queue_is_an_error_until_it_is_mended)
{
	struct iommu_world *w = with_queue();

	poke(w, QUEUE, WAIT(1));
	poke(w, QUEUE + 8, STATUS);
	reg_write8(w, VTD_IQT, 256 * 16);
	assert_true(queue_error(w));
	assert_int_equal(reg_read8(w, VTD_IQH), 0);
	assert_int_equal(peek(w, STATUS), 0);
	reg_write(w, VTD_FSTS, (uint32_t)VTD_FSTS_IQE); /* not mended */
	assert_true(queue_error(w));
	reg_write8(w, VTD_IQT, 0);
	reg_write(w, VTD_FSTS, (uint32_t)VTD_FSTS_IQE);
	assert_false(queue_error(w));
	submit(w, WAIT(1), STATUS);
	assert_int_equal(peek(w, STATUS), 1);
}

TEST(a_queue_that_is_not_memory_is_an_error)
{
	static const uint64_t bases[] = {RAM_SIZE, ~0ULL << 12, IOMMU_BASE};

	for (unsigned i = 0; i < ARRAY_SIZE(bases); i++) {
		struct iommu_world *w = world_new(CM | SC);

		reg_write8(w, VTD_IQA, bases[i]);
		command(w, VTD_GCMD_QIE, 0);
		reg_write8(w, VTD_IQT, 16);
		assert_true(queue_error(w));
		assert_int_equal(reg_read8(w, VTD_IQH), 0);
	}
}

TEST(a_queue_that_runs_out_of_memory_stops_there)
{
	struct iommu_world *w = world_new(CM | SC);

	reg_write8(w, VTD_IQA, (RAM_SIZE - PAGE_SIZE) | 1); /* the second page is no memory */
	for (unsigned i = 0; i < 256; i++) {
		poke(w, RAM_SIZE - PAGE_SIZE + i * 16, WAIT(i));
		poke(w, RAM_SIZE - PAGE_SIZE + i * 16 + 8, STATUS);
	}
	command(w, VTD_GCMD_QIE, 0);
	reg_write8(w, VTD_IQT, 300 * 16);
	drain(w);
	assert_true(queue_error(w));
	assert_int_equal(reg_read8(w, VTD_IQH), 256 * 16);
	assert_int_equal(peek(w, STATUS), 255);
}

/* The descriptor after the wait becomes what the wait writes: 4 bytes of it. */
TEST(a_wait_may_write_on_the_queue_itself)
{
	struct iommu_world *w = with_queue();

	put_descriptor(w, WAIT(VTD_DESC_WAIT | VTD_WAIT_DESC_SW), QUEUE + 16);
	put_descriptor(w, TO_FIELD(9, VTD_WAIT_DESC_DATA), STATUS);
	ring(w);
	assert_false(queue_error(w));
	assert_int_equal(peek(w, STATUS), 9);
}

/* 255 waits, each of which writes its number onto itself. */
static struct iommu_world *with_waits(void)
{
	struct iommu_world *w = with_queue();

	for (unsigned i = 0; i < 256; i++) {
		poke(w, QUEUE + i * 16, WAIT(i));
		poke(w, QUEUE + i * 16 + 8, QUEUE + i * 16 + 4);
	}
	w->reads = 0;
	reg_write8(w, VTD_IQT, 255 * 16);
	return w;
}

TEST(a_tail_write_does_one_slice_and_the_head_shows_how_far_it_came)
{
	struct iommu_world *w = with_waits();

	for (unsigned done = IOMMU_SLICE; done < 255; done += IOMMU_SLICE) {
		assert_int_equal(w->reads, done);
		assert_int_equal(reg_read8(w, VTD_IQH), done * 16);
		assert_true(iommu_pending(&w->iommu));
		iommu_work(&w->iommu);
	}
	assert_int_equal(w->reads, 255);
	assert_int_equal(reg_read8(w, VTD_IQH), 255 * 16);
	assert_false(iommu_pending(&w->iommu));
	iommu_work(&w->iommu);
	assert_int_equal(w->reads, 255);
}

static void three_parts(struct iommu_world *w) { w->unfinished = 3; }

/* The EDU's context becomes 'lo', and the queue has its invalidation and a wait; the tail is written. */
static uint64_t change_context(struct iommu_world *w, uint64_t lo)
{
	uint64_t head = reg_read8(w, VTD_IQH);

	set_context(w, EDU, lo, context_hi(DID, VTD_AW_48BIT));
	poke(w, STATUS, 0);
	put_descriptor(w, VTD_DESC_CONTEXT | TO_FIELD(VTD_GLOBAL, VTD_DESC_G), 0);
	put_descriptor(w, WAIT(7), STATUS);
	reg_write8(w, VTD_IQT, w->tail * 16);
	return head;
}

TEST(what_a_change_leaves_to_do_is_done_by_slices_before_the_head_passes)
{
	struct iommu_world *w = world_new(CM);
	uint64_t head;

	start(w);
	w->on_event = three_parts;
	head = change_context(w, VTD_CONTEXT_P | TO_FIELD(VTD_TT_PASS_THROUGH, VTD_CONTEXT_TT));
	for (unsigned left = 2; left; left--) {
		assert_int_equal(w->event_count, 1);
		assert_int_equal(w->unfinished, left);
		assert_int_equal(reg_read8(w, VTD_IQH), head);
		assert_int_equal(peek(w, STATUS), 0);
		assert_true(iommu_pending(&w->iommu));
		iommu_work(&w->iommu);
	}
	assert_int_equal(w->event_count, 1);
	assert_int_equal(peek(w, STATUS), 7);
	assert_false(iommu_pending(&w->iommu));
}

TEST(by_register_it_is_the_hosts_and_as_the_queue_is_turned_off_the_host_is_asked_once)
{
	struct iommu_world *w = world_new(CM);

	start(w);
	w->on_event = three_parts;
	change_context(w, VTD_CONTEXT_P | TO_FIELD(VTD_TT_PASS_THROUGH, VTD_CONTEXT_TT));
	assert_int_equal(w->unfinished, 2);
	command(w, 0, VTD_GCMD_QIE);
	assert_int_equal(w->unfinished, 1);
	w->unfinished = 0;
	w->tail = 0;
	reg_write8(w, VTD_IQT, 0);
	command(w, VTD_GCMD_QIE, 0);
	change_context(w, 0); /* executed, and not taken for the one before */
	assert_int_equal(w->event_count, 2);
	while (iommu_pending(&w->iommu)) iommu_work(&w->iommu);
	set_context(w, EDU, VTD_CONTEXT_P | TO_FIELD(VTD_TT_PASS_THROUGH, VTD_CONTEXT_TT),
		    context_hi(DID, VTD_AW_48BIT));
	reg_write8(w, VTD_CCMD, VTD_CCMD_ICC | TO_FIELD(VTD_GLOBAL, VTD_CCMD_CIRG));
	assert_int_equal(w->event_count, 3);
	assert_int_equal(w->unfinished, 3);
	assert_int_equal(reg_read8(w, VTD_CCMD) & VTD_CCMD_ICC, 0);
}

TEST(devices_that_come_and_go_make_a_slice_shorter)
{
	const uint64_t of_edu =
		VTD_DESC_CONTEXT | TO_FIELD(VTD_DEVICE, VTD_DESC_G) | TO_FIELD(EDU, VTD_CONTEXT_DESC_SID);
	/* A change and its two descriptors; the last takes what is left. */
	const unsigned each = IOMMU_SLICE / (IOMMU_CHANGE_COST + 2) + 1;
	struct iommu_world *w = world_new(CM);

	start(w);
	passed_through(w, EDU, DID);
	for (unsigned i = 0; i < 40; i++) {
		/* Its entry's present bit by a wait's status; then the entry is looked at. */
		put_descriptor(w, WAIT(peek(w, context_at(EDU)) & ~(uint64_t)(i % 2)), context_at(EDU));
		put_descriptor(w, of_edu, 0);
	}
	reg_write8(w, VTD_IQT, w->tail * 16);
	assert_int_equal(w->event_count, each);
	assert_int_equal(drain(w), 40 / each - 1);
	assert_int_equal(w->event_count, 40);
}

TEST(what_a_wait_announces_is_done_whatever_slice_it_is_in)
{
	struct iommu_world *w = world_new(CM);

	start(w);
	passed_through(w, EDU, DID);
	for (unsigned i = 0; i < IOMMU_SLICE; i++)
		put_descriptor(w, VTD_DESC_IOTLB | TO_FIELD(VTD_GLOBAL, VTD_DESC_G), 0);
	put_descriptor(w, VTD_DESC_CONTEXT | TO_FIELD(VTD_GLOBAL, VTD_DESC_G), 0);
	put_descriptor(w, WAIT(7), STATUS);
	reg_write8(w, VTD_IQT, w->tail * 16);
	assert_int_equal(w->noncoherent, 0);
	assert_int_equal(peek(w, STATUS), 0);
	iommu_work(&w->iommu);
	assert_int_equal(w->noncoherent, 1);
	assert_int_equal(peek(w, STATUS), 7);
}

TEST(an_error_or_the_queues_end_ends_the_work)
{
	struct iommu_world *w = with_waits();

	poke(w, QUEUE + 100 * 16, 0);
	iommu_work(&w->iommu);
	assert_true(queue_error(w));
	assert_int_equal(reg_read8(w, VTD_IQH), 100 * 16);
	assert_false(iommu_pending(&w->iommu));
	reg_write(w, VTD_FSTS, (uint32_t)VTD_FSTS_IQE);
	assert_true(queue_error(w)); /* still there */
	w = with_waits();
	command(w, 0, VTD_GCMD_QIE);
	assert_false(iommu_pending(&w->iommu));
}

/* The queue made smaller while its head stands where nothing is any more. */
TEST(a_head_beyond_the_queue_is_an_error)
{
	struct iommu_world *w = world_new(CM | SC);

	reg_write8(w, VTD_IQA, QUEUE | 1); /* 512 descriptors */
	for (unsigned i = 0; i < 300; i++) poke(w, QUEUE + i * 16, VTD_DESC_WAIT | VTD_WAIT_DESC_FN);
	command(w, VTD_GCMD_QIE, 0);
	reg_write8(w, VTD_IQT, 300 * 16);
	drain(w);
	assert_false(queue_error(w));
	reg_write8(w, VTD_IQA, QUEUE);
	reg_write8(w, VTD_IQT, 16);
	assert_true(queue_error(w));
	assert_int_equal(reg_read8(w, VTD_IQH), 300 * 16);
}

/* The tail stays one behind the head: there is always something left. */
static void move_tail_on(struct iommu_world *w, uint64_t gpa)
{
	(void)gpa;
	w->seen[0]++;
	reg_write8(w, VTD_IQT, reg_read8(w, VTD_IQH));
}

TEST(a_tail_that_runs_away_costs_one_slice_at_a_time)
{
	struct iommu_world *w = with_queue();

	for (unsigned i = 0; i < 256; i++) {
		poke(w, QUEUE + i * 16, WAIT(i));
		poke(w, QUEUE + i * 16 + 8, STATUS);
	}
	w->on_write = move_tail_on;
	reg_write8(w, VTD_IQT, 5 * 16);
	assert_int_equal(w->seen[0], IOMMU_SLICE);
	assert_true(iommu_pending(&w->iommu));
	assert_false(queue_error(w));
}

TEST(completion_interrupts_once_until_it_is_cleared)
{
	struct iommu_world *w = with_queue();

	reg_write(w, VTD_IEDATA, 0x41);
	reg_write(w, VTD_IEADDR, 0xfee00000);
	reg_write(w, VTD_IECTL, 0);
	submit(w, VTD_DESC_WAIT | VTD_WAIT_DESC_IF, 0);
	assert_int_equal(w->interrupt_count, 1);
	assert_int_equal(w->interrupts[0].address, 0xfee00000);
	assert_int_equal(w->interrupts[0].data, 0x41);
	assert_int_equal(reg_read(w, VTD_ICS), 1);
	submit(w, VTD_DESC_WAIT | VTD_WAIT_DESC_IF, 0);
	assert_int_equal(w->interrupt_count, 1);
	reg_write(w, VTD_ICS, 1);
	assert_int_equal(reg_read(w, VTD_ICS), 0);
	submit(w, WAIT(5) | VTD_WAIT_DESC_IF, STATUS);
	assert_int_equal(w->interrupt_count, 2);
	assert_int_equal(peek(w, STATUS), 5);
}

TEST(a_masked_completion_is_pending_until_unmasked_or_cleared)
{
	struct iommu_world *w = with_queue();

	reg_write(w, VTD_IEADDR, 0xfee00000);
	submit(w, VTD_DESC_WAIT | VTD_WAIT_DESC_IF, 0);
	reg_write(w, VTD_ICS, 0); /* clears nothing */
	assert_int_equal(reg_read(w, VTD_IECTL), VTD_EVENT_IM | VTD_EVENT_IP);
	reg_write(w, VTD_IECTL, 0);
	assert_int_equal(w->interrupt_count, 1);
	assert_int_equal(reg_read(w, VTD_IECTL), 0);
	reg_write(w, VTD_ICS, 1);
	reg_write(w, VTD_IECTL, (uint32_t)VTD_EVENT_IM);
	submit(w, VTD_DESC_WAIT | VTD_WAIT_DESC_IF, 0);
	reg_write(w, VTD_ICS, 1);
	assert_int_equal(reg_read(w, VTD_IECTL), VTD_EVENT_IM);
	reg_write(w, VTD_IECTL, 0);
	assert_int_equal(w->interrupt_count, 1);
}

TEST(an_error_of_the_queue_is_a_fault_event)
{
	struct iommu_world *w = with_queue();

	reg_write(w, VTD_FEDATA, 0x42);
	reg_write(w, VTD_FEADDR, 0xfee00000);
	reg_write(w, VTD_FECTL, 0);
	submit(w, 0, 0);
	assert_int_equal(w->interrupt_count, 1);
	assert_int_equal(w->interrupts[0].data, 0x42);
}

/* A receiver of attach events that rings the queue must not start it inside itself. */
static void ring_again(struct iommu_world *w)
{
	w->on_event = NULL;
	put_descriptor(w, WAIT(8), STATUS);
	reg_write8(w, VTD_IQT, w->tail * 16);
	w->seen[0] = peek(w, STATUS);
}

TEST(a_tail_written_from_a_callback_is_served_in_order)
{
	struct iommu_world *w = world_new(CM | SC);

	start(w);
	passed_through(w, EDU, DID);
	w->on_event = ring_again;
	flush_contexts(w);
	assert_int_equal(w->noncoherent, 1);
	assert_int_equal(w->seen[0], 0);
	assert_int_equal(peek(w, STATUS), 8);
}

TEST(without_interrupt_remapping_its_descriptor_is_invalid)
{
	struct iommu_world *w = with_queue();

	w->iommu.config.interrupt_remapping = false;
	submit(w, VTD_DESC_IEC, 0);
	assert_true(queue_error(w));
}

TEST(a_host_that_leaves_nothing_unfinished_need_not_be_asked)
{
	struct iommu_world *w = world_new(CM);

	w->iommu.host.unfinished = NULL;
	start(w);
	passed_through(w, EDU, DID);
	flush_contexts(w);
	assert_int_equal(w->noncoherent, 1);
	assert_int_equal(reg_read8(w, VTD_IQH), reg_read8(w, VTD_IQT));
}
