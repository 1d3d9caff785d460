// SPDX-License-Identifier: MIT
/*
 * ept/mtrr.c: registers, the SDM's worked examples, and exhaustively over small spaces against
 * the slow reference of tests/slow_mtrr.h.
 */
#include <errno.h>

#include "tests/lib/test.h"
#include "lib/bits.h"
#include "tests/slow_mtrr.h"

#define CAP   0xfe
#define DEF   0x2ff
#define BASE0 0x200
#define MASK0 0x201
#define E     0x800
#define FE    0x400
#define V     0x800

static const uint32_t fixed_msrs[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f};

static struct mtrr m;
static struct ept_range changed[MTRR_CHANGE_MAX];
static unsigned count;

static int setup(void **state)
{
	(void)state;
	mtrr_reset(&m, 36);
	return 0;
}

static void wr(uint32_t msr, uint64_t value) { assert_int_equal(mtrr_write(&m, msr, value, changed, &count), 0); }

static void refused(uint32_t msr, uint64_t value)
{
	struct mtrr before = m;

	count = 9;
	assert_int_equal(mtrr_write(&m, msr, value, changed, &count), -EINVAL);
	assert_int_equal(count, 0);
	assert_memory_equal(&before, &m, sizeof(m));
}

static void variable(unsigned n, uint64_t base, uint64_t size, unsigned type)
{
	wr(BASE0 + 2 * n, base | type);
	wr(MASK0 + 2 * n, (((1ULL << m.address_width) - size) & ~0xfffULL) | V);
}

static enum memtype type_of(uint64_t gpa)
{
	bool uniform;

	return mtrr_type(&m, gpa, 0x1000, &uniform);
}

static void expect_span(uint64_t from, uint64_t to, enum memtype type)
{
	bool uniform;

	assert_int_equal(mtrr_type(&m, from, to - from, &uniform), type);
	assert_true(uniform);
}

/* Each test here has this fixture. */
#undef TEST
#define TEST(name) TEST_WITH(name, setup, NULL)

TEST(only_the_mtrrs_are_mtrrs)
{
	uint64_t value;

	for (uint32_t msr = 0; msr < 0x1000; msr++) {
		bool is = msr == CAP || msr == DEF || (msr >= 0x200 && msr <= 0x20f);

		for (unsigned i = 0; i < ARRAY_SIZE(fixed_msrs); i++) is |= msr == fixed_msrs[i];
		assert_int_equal(mtrr_has(msr), is);
		assert_int_equal(mtrr_read(&m, msr, &value), is ? 0 : -EINVAL);
		assert_int_equal(mtrr_write(&m, msr, 0, changed, &count), is && msr != CAP ? 0 : -EINVAL);
	}
}

TEST(the_capability_is_8_variable_fixed_and_wc_and_read_only)
{
	uint64_t value;

	assert_int_equal(mtrr_read(&m, CAP, &value), 0);
	assert_int_equal(value, 0x508);
	refused(CAP, 0x508);
}

TEST(what_is_written_is_read_back)
{
	uint64_t value;

	for (uint32_t msr = 0x200; msr <= 0x20f; msr++) wr(msr, (uint64_t)msr << 12 | (msr & 1 ? V : 6));
	for (unsigned i = 0; i < ARRAY_SIZE(fixed_msrs); i++) wr(fixed_msrs[i], 0x0605040100060504 + (i & 1));
	wr(DEF, E | FE | 4);
	for (uint32_t msr = 0x200; msr <= 0x20f; msr++) {
		assert_int_equal(mtrr_read(&m, msr, &value), 0);
		assert_int_equal(value, (uint64_t)msr << 12 | (msr & 1 ? V : 6));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(fixed_msrs); i++) {
		assert_int_equal(mtrr_read(&m, fixed_msrs[i], &value), 0);
		assert_int_equal(value, 0x0605040100060504 + (i & 1));
	}
	assert_int_equal(mtrr_read(&m, DEF, &value), 0);
	assert_int_equal(value, E | FE | 4);
}

TEST(every_reserved_bit_is_refused)
{
	for (unsigned bit = 0; bit < 64; bit++) {
		bool address = bit >= 12 && bit < 36;

		if (bit >= 3 && bit != 10 && bit != 11) refused(DEF, BIT(bit));
		if (bit >= 3 && !address) refused(BASE0, BIT(bit));
		if (bit != 11 && !address) refused(MASK0, BIT(bit));
		if (bit % 8 >= 3) refused(0x250, BIT(bit));
	}
}

TEST(every_reserved_type_is_refused_in_every_place)
{
	for (unsigned type = 0; type < 256; type++) {
		bool valid = type == 0 || type == 1 || (type >= 4 && type <= 6);

		if (valid) {
			wr(DEF, type);
			wr(BASE0 + 14, type);
		} else {
			refused(DEF, E | type);
			refused(BASE0, type);
		}
		for (unsigned i = 0; i < 8; i++) {
			if (valid)
				wr(0x26f, (uint64_t)type << (8 * i));
			else
				refused(0x26f, (uint64_t)type << (8 * i));
		}
	}
}

TEST(the_guests_address_width_bounds_base_and_mask)
{
	for (unsigned width = 32; width <= 52; width++) {
		mtrr_reset(&m, width);
		wr(BASE0, BIT(width - 1));
		wr(MASK0, BIT(width - 1));
		refused(BASE0, BIT(width));
		refused(MASK0, BIT(width));
	}
}

TEST(disabled_all_is_uc)
{
	variable(0, 0, GiB, 6);
	wr(0x250, 0x0606060606060606);
	wr(DEF, FE | 6);
	expect_span(0, 1ULL << 36, MEMTYPE_UC);
}

/*
 * SDM 3A 12.11.3, example 12-2: 96 MiB of RAM, two cards, and the BIOS area; 12.11.3.1 has the
 * same for 40 bits, where the masks reach further up.
 */
TEST(the_sdms_worked_example_gives_its_map)
{
	for (unsigned width = 36; width <= 40; width += 4) {
		uint64_t high = BITS(width - 1, 32);

		mtrr_reset(&m, width);
		wr(0x200, 0x00000006);
		wr(0x201, high | 0xfc000800);
		wr(0x202, 0x04000006);
		wr(0x203, high | 0xfe000800);
		wr(0x204, 0x06000006);
		wr(0x205, high | 0xffc00800);
		wr(0x206, 0x04000000);
		wr(0x207, high | 0xffc00800);
		wr(0x208, 0x00f00000);
		wr(0x209, high | 0xfff00800);
		wr(0x20a, 0xa0000001);
		wr(0x20b, high | 0xff800800);
		wr(DEF, E);
		expect_span(0, 15 * MiB, MEMTYPE_WB);
		expect_span(15 * MiB, 16 * MiB, MEMTYPE_UC);
		expect_span(16 * MiB, 64 * MiB, MEMTYPE_WB);
		expect_span(64 * MiB, 68 * MiB, MEMTYPE_UC);
		expect_span(68 * MiB, 100 * MiB, MEMTYPE_WB);
		expect_span(100 * MiB, 0xa0000000, MEMTYPE_UC);
		expect_span(0xa0000000, 0xa0800000, MEMTYPE_WC);
		expect_span(0xa0800000, 1ULL << width, MEMTYPE_UC);
	}
}

TEST(all_overlaps_of_four_ranges_agree_with_the_reference)
{
	static const unsigned types[] = {0, 1, 4, 5, 6};

	wr(DEF, E | 6);
	for (unsigned code = 0; code < 625; code++) {
		variable(0, 0, 8 * 4 * KiB, types[code % 5]);
		variable(1, 0, 4 * 4 * KiB, types[code / 5 % 5]);
		variable(2, 0, 2 * 4 * KiB, types[code / 25 % 5]);
		variable(3, 4 * KiB, 4 * KiB, types[code / 125]);
		for (uint64_t gpa = 0; gpa < 10 * 0x1000; gpa += 0x1000)
			assert_int_equal(type_of(gpa), slow_mtrr_type(&m, gpa));
	}
}

TEST(every_fixed_sub_range_has_its_own_byte)
{
	wr(DEF, E | FE | 1);
	for (unsigned r = 0; r < 11; r++) {
		for (unsigned i = 0; i < 8; i++) {
			wr(fixed_msrs[r], 6ULL << (8 * i));
			for (uint64_t gpa = 0; gpa < MiB; gpa += 0x1000)
				assert_int_equal(type_of(gpa), slow_mtrr_type(&m, gpa));
			wr(fixed_msrs[r], 0);
		}
	}
}

TEST(fixed_ranges_win_over_variable_ones_only_when_enabled)
{
	variable(0, 0, 2 * MiB, 4);
	for (unsigned i = 0; i < 11; i++) wr(fixed_msrs[i], 0x0606060606060606);
	wr(DEF, E | FE);
	expect_span(0, MiB, MEMTYPE_WB);
	expect_span(MiB, 2 * MiB, MEMTYPE_WT);
	wr(DEF, E);
	expect_span(0, 2 * MiB, MEMTYPE_WT);
}

/* From the border below a page to the one above it nothing may differ from it. */
static void expect_borders(uint64_t gpa)
{
	uint64_t next, below = mtrr_border_below(&m, gpa);
	unsigned type = slow_mtrr_type(&m, gpa);

	assert_int_equal(mtrr_type_at(&m, gpa, &next), type);
	assert_true(below <= gpa && next > gpa);
	for (uint64_t page = below; page < MIN(next, below + 2 * MiB); page += 0x1000)
		assert_int_equal(slow_mtrr_type(&m, page), type);
}

TEST(the_border_below_is_the_end_of_the_range_before)
{
	wr(DEF, 6);
	assert_int_equal(mtrr_border_below(&m, 5 * MiB), 0); /* all UC */
	wr(DEF, E | 6);
	variable(3, 4 * MiB, 2 * MiB, MEMTYPE_WC);
	assert_int_equal(mtrr_border_below(&m, 3 * MiB), 0);
	assert_int_equal(mtrr_border_below(&m, 5 * MiB), 4 * MiB);
	assert_int_equal(mtrr_border_below(&m, 9 * MiB), 6 * MiB);
	wr(MASK0 + 6, 0); /* off */
	assert_int_equal(mtrr_border_below(&m, 9 * MiB), 0);
	wr(DEF, E | FE | 6);
	assert_int_equal(mtrr_border_below(&m, 9 * MiB), MiB);
	wr(fixed_msrs[3], 0x06ULL << 8);
	for (uint64_t gpa = 0; gpa < 2 * MiB; gpa += 0x1000) expect_borders(gpa);
}

/* Those of a whole table at once are those of each of its pages. */
static void expect_page_types(uint64_t gpa)
{
	uint8_t types[512];

	assert_true(mtrr_page_types(&m, gpa, 512, types));
	for (unsigned i = 0; i < 512; i++) assert_int_equal(types[i], slow_mtrr_type(&m, gpa + i * 0x1000ULL));
}

TEST(the_types_of_a_table_are_those_of_its_pages)
{
	uint8_t types[512];

	assert_false(mtrr_page_types(&m, 0, 512, types)); /* off */
	wr(DEF, E | 6);
	wr(BASE0, 2 * MiB | MEMTYPE_WC);
	wr(MASK0, (BITS(35, 21) | 0x15000) | V);
	variable(1, 2 * MiB + 0x40000, 0x40000, MEMTYPE_WT);
	variable(2, 0, 4 * MiB, MEMTYPE_WB);
	wr(BASE0 + 6, 0x8000 | MEMTYPE_UC);
	wr(MASK0 + 6, 0x8000 | V);
	for (uint64_t gpa = 0; gpa < 8 * MiB; gpa += 2 * MiB) expect_page_types(gpa);
	expect_page_types(1ULL << 36); /* beyond the width */
	wr(DEF, E | FE | 6);
	assert_false(mtrr_page_types(&m, 0, 512, types));
	expect_page_types(2 * MiB);
}

/* Compare each range of a space of 'pages' pages with the reference, page by page. */
static void compare_all_ranges(unsigned pages, bool exact)
{
	unsigned types[64];

	for (unsigned p = 0; p < pages; p++) types[p] = slow_mtrr_type(&m, p * 0x1000ULL);
	for (unsigned first = 0; first < pages; first++) {
		bool same = true;

		expect_borders(first * 0x1000ULL);
		for (unsigned last = first; last < pages; last++) {
			bool uniform;

			same = same && types[last] == types[first];
			assert_int_equal(mtrr_type(&m, first * 0x1000ULL, (last - first + 1) * 0x1000ULL, &uniform),
					 types[first]);
			if (exact)
				assert_int_equal(uniform, same);
			else
				assert_true(same || !uniform);
		}
	}
}

/* Two ranges, every base and every mask (holes too) of a space of 16 pages. */
TEST(every_range_over_16_pages_agrees_with_the_reference)
{
	uint64_t high = BITS(35, 16);

	wr(DEF, E | 6);
	wr(BASE0 + 2, 0x4000 | 0);
	wr(MASK0 + 2, high | 0xc000 | V);
	for (uint64_t base = 0; base < 16; base++) {
		for (uint64_t mask = 0; mask < 16; mask++) {
			wr(BASE0, base << 12 | 4);
			wr(MASK0, high | mask << 12 | V);
			compare_all_ranges(17, true);
		}
	}
}

static uint64_t random_state = 88172645463325252ULL;

static uint64_t random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static const unsigned valid_types[] = {0, 1, 4, 5, 6};

static void random_variable(unsigned n, unsigned pages_log2)
{
	unsigned log2 = (unsigned)(random64() % (pages_log2 + 1));
	uint64_t base = ALIGN_DOWN(random64() % (1ULL << pages_log2), 1ULL << log2) << 12;
	uint64_t mask = ((1ULL << m.address_width) - 1) & ~((0x1000ULL << log2) - 1);

	wr(BASE0 + 2 * n, base | valid_types[random64() % 5]);
	wr(MASK0 + 2 * n, random64() % 4 ? mask | V : mask);
}

TEST(random_ranges_agree_with_the_reference)
{
	for (unsigned round = 0; round < 400; round++) {
		wr(DEF, E | valid_types[random64() % 5]);
		for (unsigned n = 0; n < 8; n++) random_variable(n, 6);
		compare_all_ranges(64, true);
	}
}

TEST(an_address_beyond_the_guests_width_has_the_default_type)
{
	variable(0, 0, 1ULL << 36, 4);
	wr(DEF, E | 6);
	expect_span(0, 1ULL << 36, MEMTYPE_WT);
	assert_int_equal(type_of(1ULL << 36), MEMTYPE_WB);
	assert_int_equal(type_of((1ULL << 40) | 0x1000), MEMTYPE_WB);
}

TEST(a_mask_with_many_holes_ends_and_claims_no_uniformity_it_has_not)
{
	bool uniform;

	wr(DEF, E | 6);
	wr(BASE0, 0);
	wr(MASK0, BIT(12) | V);
	assert_int_equal(mtrr_type(&m, 0, GiB, &uniform), MEMTYPE_UC);
	assert_false(uniform);
	wr(BASE0, 6); /* the same type as the default: uniform, but in too many pieces to say so */
	assert_int_equal(mtrr_type(&m, 0, GiB, &uniform), MEMTYPE_WB);
	assert_false(uniform);
	assert_int_equal(mtrr_type(&m, 0, 64 * 0x1000, &uniform), MEMTYPE_WB);
	assert_true(uniform);
}

static void expect_changed(unsigned n, uint64_t start, uint64_t size)
{
	assert_true(n < count);
	assert_int_equal(changed[n].start, start);
	assert_int_equal(changed[n].size, size);
}

TEST(the_default_type_changes_what_no_range_covers)
{
	wr(DEF, E | FE | 6);
	variable(0, 2 * GiB, 2 * GiB, 0);
	wr(DEF, E | FE | 4);
	assert_int_equal(count, 2);
	expect_changed(0, MiB, 2 * GiB - MiB);
	expect_changed(1, 4 * GiB, (1ULL << 52) - 4 * GiB);
}

TEST(more_changes_than_fit_end_in_one_that_takes_them_all_in)
{
	for (unsigned n = 0; n < 8; n++) variable(n, (2 * n + 2) * MiB, MiB, 6);
	wr(DEF, E);
	assert_int_equal(count, MTRR_CHANGE_MAX);
	expect_changed(0, 2 * MiB, MiB);
	expect_changed(1, 4 * MiB, MiB);
	expect_changed(2, 6 * MiB, MiB);
	expect_changed(3, 8 * MiB, 9 * MiB);
	wr(DEF, 0);
	wr(BASE0, 6);
	wr(MASK0, BIT(12) | V); /* every second page of all space */
	wr(DEF, E);
	assert_int_equal(count, MTRR_CHANGE_MAX);
	assert_int_equal(changed[3].start + changed[3].size, 1ULL << 52);
}

TEST(a_caller_may_not_want_the_ranges)
{
	assert_int_equal(mtrr_write(&m, DEF, E | 6, NULL, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(m.def_type, E | 6);
}

static bool in_changed(uint64_t gpa)
{
	for (unsigned i = 0; i < count; i++) {
		if (gpa - changed[i].start < changed[i].size) return true;
	}
	return false;
}

static void check_changed_is_well_formed(void)
{
	assert_true(count <= MTRR_CHANGE_MAX);
	for (unsigned i = 0; i < count; i++) {
		assert_true(changed[i].size && IS_ALIGNED(changed[i].start | changed[i].size, 4096));
		if (i) assert_true(changed[i - 1].start + changed[i - 1].size < changed[i].start);
	}
}

/* One random register, around 1 MiB so that fixed and variable ranges meet. */
static void random_write(void)
{
	unsigned n = (unsigned)(random64() % 3);
	uint64_t types = 0;

	for (unsigned i = 0; i < 8; i++) types |= (uint64_t)valid_types[random64() % 5] << (8 * i);
	switch (random64() % 4) {
	case 0: wr(DEF, (random64() & (E | FE)) | valid_types[random64() % 5]); break;
	case 1: wr(fixed_msrs[random64() % 11], types); break;
	case 2: wr(BASE0 + 2 * n, (random64() % 512) << 12 | valid_types[random64() % 5]); break;
	case 3: wr(MASK0 + 2 * n, BITS(35, 21) | (-(1ULL << random64() % 10) & 511) << 12 | (random64() & V)); break;
	}
}

TEST(after_any_write_exactly_what_is_reported_has_changed)
{
	for (unsigned round = 0; round < 3000; round++) {
		struct mtrr old = m;
		bool below = false;

		random_write();
		check_changed_is_well_formed();
		for (uint64_t gpa = 0; gpa < 3 * MiB; gpa += 0x1000) {
			bool differs = slow_mtrr_type(&old, gpa) != slow_mtrr_type(&m, gpa);

			below |= differs && gpa < MiB;
			if (differs)
				assert_true(in_changed(gpa));
			else if (gpa >= MiB && count < MTRR_CHANGE_MAX)
				assert_false(in_changed(gpa));
		}
		if (!below) assert_false(in_changed(0));
	}
}

TEST(a_pat_entry_may_be_any_type_and_uc_minus_in_each_byte)
{
	for (unsigned byte = 0; byte < 8; byte++)
		for (uint64_t type = 0; type < 256; type++) {
			uint64_t pat = 0x0007040600070406 & ~(0xffULL << 8 * byte);
			bool valid = type < 8 && type != 2 && type != 3;

			assert_int_equal(pat_valid(pat | type << 8 * byte), valid);
		}
}
