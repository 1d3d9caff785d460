/* SPDX-License-Identifier: MIT */
/* hv/emulate/guest_walk.c: every paging mode, the matrix of rights, reserved bits, accessed and
 * dirty. */
#include <string.h>

#include "tests/lib/test.h"
#include "hv/emulate/guest_walk.h"
#include "lib/x86.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "tests/lib/fake_ram.h"

/* Global, SDM 3A 4.10.2.4: no walk looks at it. */
#define PAGE_G BIT(8)

#define RAM_SIZE 0x10000
#define PML4     0x1000
#define PDPT     0x2000
#define PD       0x3000
#define PT       0x4000
#define PAGE     0x5000
#define ALL      (PAGE_P | PAGE_RW | PAGE_US)

enum { P = PF_ERROR_PRESENT, W = PF_ERROR_WRITE, U = PF_ERROR_USER, RSVD = PF_ERROR_RESERVED, I = PF_ERROR_FETCH };

static uint64_t ram[RAM_SIZE / 8];
static struct guest_paging cpu;
static uint64_t gpa;
static uint32_t code;

static struct fake_ram fake = {.bytes = ram, .size = sizeof(ram)};

/* Each walk is made twice, through the functions and inline, from the same tables. */
static int walk(uint64_t linear, enum guest_access access)
{
	static uint64_t before[RAM_SIZE / 8], after[RAM_SIZE / 8];
	const struct guest_ram modelled = fake_ram_modelled(&fake), flat = fake_ram_flat(&fake, PD);
	uint32_t flat_code = 0xdead;
	uint64_t flat_gpa = 0;
	int error;

	memcpy(before, ram, sizeof(ram));
	error = guest_walk(&cpu, &flat, linear, access, &flat_gpa, &flat_code);
	memcpy(after, ram, sizeof(ram));
	memcpy(ram, before, sizeof(ram));
	code = 0xdead;
	gpa = 0;
	assert_int_equal(guest_walk(&cpu, &modelled, linear, access, &gpa, &code), error);
	assert_int_equal(gpa, flat_gpa);
	assert_int_equal(code, flat_code);
	assert_memory_equal(ram, after, sizeof(ram));
	return error;
}

static uint64_t *entry64(uint64_t table, unsigned index) { return &ram[table / 8 + index]; }

static uint32_t *entry32(uint64_t table, unsigned index) { return (uint32_t *)ram + table / 4 + index; }

#define assert_translates(linear, access, physical)                                                                    \
	do {                                                                                                           \
		assert_int_equal(walk(linear, access), 0);                                                             \
		assert_int_equal(gpa, physical);                                                                       \
	} while (0)

#define assert_faults(linear, access, expected)                                                                        \
	do {                                                                                                           \
		assert_int_equal(walk(linear, access), -EFAULT);                                                       \
		assert_int_equal(code, expected);                                                                      \
	} while (0)

/* Linear 0x1234567000 + x, in 4-level paging, is PAGE + x. */
#define LINEAR64 0x1234567000UL

static int long_mode(void **state)
{
	(void)state;
	memset(ram, 0, sizeof(ram));
	cpu = (struct guest_paging){.cr0 = CR0_PG | CR0_PE | CR0_WP,
				    .cr3 = PML4,
				    .cr4 = CR4_PAE,
				    .efer = EFER_LME | EFER_LMA | EFER_NXE,
				    .mode = 64,
				    .address_width = 40,
				    .pages_1g = true};
	*entry64(PML4, 0) = PDPT | ALL;
	*entry64(PDPT, 0x48) = PD | ALL;
	*entry64(PD, 0x1a2) = PT | ALL;
	*entry64(PT, 0x167) = PAGE | ALL;
	return 0;
}

/* Linear 0xc0a01000 + x is PAGE + x in both of these. */
#define LINEAR32 0xc0a01000UL

static int pae(void **state)
{
	(void)state;
	memset(ram, 0, sizeof(ram));
	cpu = (struct guest_paging){.cr0 = CR0_PG | CR0_PE | CR0_WP,
				    .cr3 = 0xfffe0,
				    .cr4 = CR4_PAE,
				    .efer = EFER_NXE,
				    .mode = 32,
				    .address_width = 40,
				    .pages_1g = true,
				    .pdpte = {0, 0, 0, PD | PAGE_P}};
	*entry64(PD, 5) = PT | ALL;
	*entry64(PT, 1) = PAGE | ALL;
	return 0;
}

static int two_level(void **state)
{
	(void)state;
	memset(ram, 0, sizeof(ram));
	cpu = (struct guest_paging){
		.cr0 = CR0_PG | CR0_PE | CR0_WP, .cr3 = PD, .cr4 = CR4_PSE, .mode = 32, .address_width = 40};
	*entry32(PD, 0x302) = PT | ALL;
	*entry32(PT, 0x201) = PAGE | ALL;
	return 0;
}

#define LONG_MODE(name) TEST_WITH(name, long_mode, NULL)
#define PAE(name)       TEST_WITH(name, pae, NULL)
#define TWO_LEVEL(name) TEST_WITH(name, two_level, NULL)

TEST(without_paging_a_linear_address_is_physical)
{
	cpu = (struct guest_paging){.cr0 = CR0_PE, .mode = 32, .cpl = 3};
	assert_translates(0x12345678, GUEST_WRITE, 0x12345678);
	assert_translates(0x1fffffff0, GUEST_FETCH, 0xfffffff0); /* and wraps at 4 GiB */
}

LONG_MODE(four_levels_are_walked)
{
	assert_translates(LINEAR64, GUEST_READ, PAGE);
	assert_translates(LINEAR64 + 0xfff, GUEST_FETCH, PAGE + 0xfff);
	assert_faults(LINEAR64 + 0x1000, GUEST_READ, 0);
	assert_faults(LINEAR64 - 1, GUEST_READ, 0);
}

LONG_MODE(the_upper_half_has_its_own_entries)
{
	*entry64(PML4, 511) = PDPT | ALL;
	assert_translates(LINEAR64 | 0xffffff8000000000, GUEST_READ, PAGE);
}

LONG_MODE(an_address_that_is_not_canonical_is_no_page_fault)
{
	assert_int_equal(walk(0x0000800000000000, GUEST_READ), -EINVAL);
	assert_int_equal(walk(0xffff7fffffffffff, GUEST_READ), -EINVAL);
	assert_int_equal(walk(LINEAR64 | BIT(63), GUEST_WRITE), -EINVAL);
	assert_faults(0x00007fffffffffff, GUEST_READ, 0);
	assert_faults(0xffff800000000000, GUEST_READ, 0);
}

LONG_MODE(compatibility_mode_wraps_at_4_gib)
{
	*entry64(PDPT, 0) = PD | ALL;
	*entry64(PD, 0) = PT | ALL;
	*entry64(PT, 0) = PAGE | ALL;
	cpu.mode = 32;
	assert_translates(0x100000004, GUEST_READ, PAGE + 4);
	assert_translates(0xabc00000000000, GUEST_READ, PAGE);
}

PAE(pae_begins_at_the_registers_not_at_the_table)
{
	(void)state; /* CR3 names no RAM at all */
	assert_translates(LINEAR32 + 0x123, GUEST_READ, PAGE + 0x123);
	assert_faults(LINEAR32 - GiB, GUEST_WRITE, W);
	cpu.pdpte[3] = PD;
	assert_faults(LINEAR32, GUEST_READ, 0);
}

PAE(pae_registers_have_no_rights_and_no_flags)
{
	cpu.cpl = 3;
	assert_translates(LINEAR32, GUEST_WRITE, PAGE);
	assert_int_equal(cpu.pdpte[3], PD | PAGE_P);
}

TWO_LEVEL(two_levels_are_walked)
{
	assert_translates(LINEAR32 + 0xabc, GUEST_READ, PAGE + 0xabc);
	assert_faults(LINEAR32 + 0x1000, GUEST_READ, 0);
	cpu.mode = 16;
	assert_translates(LINEAR32, GUEST_READ, PAGE);
	assert_translates(LINEAR32 | BIT(32), GUEST_READ, PAGE);
}

TWO_LEVEL(bit_7_of_a_page_tables_entry_is_pat)
{
	*entry32(PT, 0x201) = 0x7fe00000 | PAGE_4K_PAT | ALL;
	assert_translates(LINEAR32 + 1, GUEST_READ, 0x7fe00001);
	long_mode(NULL);
	*entry64(PT, 0x167) = 0x7fe00000 | PAGE_4K_PAT | ALL;
	assert_translates(LINEAR64 + 1, GUEST_READ, 0x7fe00001);
}

TWO_LEVEL(a_4m_page_needs_pse_and_has_40_address_bits)
{
	*entry32(PD, 0x302) = 0x40000000 | 0x5a << 13 | PAGE_PS | ALL;
	assert_translates(0xc0abcdef, GUEST_READ, 0x5a402bcdef);
	cpu.cr4 = 0; /* PS is ignored: the entry names a table, which is not RAM */
	assert_int_equal(walk(0xc0abcdef, GUEST_READ), -ENOENT);
}

TWO_LEVEL(a_4m_page_beyond_the_physical_width_is_reserved)
{
	for (unsigned bit = 13; bit <= 21; bit++) {
		*entry32(PD, 0x302) = (uint32_t)(BIT(bit) | PAGE_PS | ALL);
		cpu.address_width = 36;
		if (bit >= 17)
			assert_faults(LINEAR32, GUEST_READ, P | RSVD);
		else
			assert_translates(0xc0800000, GUEST_READ, BIT(bit + 19));
		cpu.address_width = 48;
		if (bit == 21)
			assert_faults(LINEAR32, GUEST_READ, P | RSVD);
		else
			assert_translates(0xc0800000, GUEST_READ, BIT(bit + 19));
	}
}

LONG_MODE(a_2m_page_is_translated)
{
	*entry64(PD, 0x1a2) = 0x40000000 | PAGE_LARGE_PAT | PAGE_PS | PAGE_G | ALL;
	assert_translates(LINEAR64 + 5, GUEST_WRITE, 0x40167005);
	cpu.cr4 &= ~CR4_PSE; /* of no matter here */
	assert_translates(LINEAR64 + 5, GUEST_WRITE, 0x40167005);
}

LONG_MODE(a_1g_page_is_translated_where_it_is_offered)
{
	*entry64(PDPT, 0x48) = 0x80000000 | PAGE_PS | ALL;
	assert_translates(LINEAR64 + 5, GUEST_READ, 0x80000000 | (0x34567005 & (GiB - 1)));
	cpu.pages_1g = false;
	assert_faults(LINEAR64, GUEST_READ, P | RSVD);
}

/* One bit after the other in one entry: which are reserved. */
static void check_reserved(uint64_t *entry, uint64_t reserved, uint64_t linear)
{
	uint64_t good = *entry;
	bool faults;

	for (unsigned bit = 0; bit < 64; bit++) {
		if (BIT(bit) & (ALL | PAGE_PS | BITS(15, 12)) && !(BIT(bit) & reserved))
			continue; /* with these the walk is another */
		*entry = good | BIT(bit);
		faults = walk(linear, GUEST_WRITE) == -EFAULT && code & RSVD;
		if (faults) assert_int_equal(code, P | W | RSVD);
		if (faults != !!(BIT(bit) & reserved)) fail_msg("bit %u: code 0x%x", bit, code);
	}
	*entry = good;
}

LONG_MODE(reserved_bits_of_4_level_entries_fault_with_rsvd)
{
	uint64_t wide = BITS(51, 40);

	check_reserved(entry64(PML4, 0), wide | PAGE_PS, LINEAR64);
	check_reserved(entry64(PDPT, 0x48), wide, LINEAR64);
	check_reserved(entry64(PD, 0x1a2), wide, LINEAR64);
	check_reserved(entry64(PT, 0x167), wide, LINEAR64);
	cpu.efer &= ~EFER_NXE;
	check_reserved(entry64(PML4, 0), wide | PAGE_PS | PAGE_NX, LINEAR64);
	check_reserved(entry64(PT, 0x167), wide | PAGE_NX, LINEAR64);
	*entry64(PD, 0x1a2) = PAGE_PS | ALL;
	check_reserved(entry64(PD, 0x1a2), wide | PAGE_NX | BITS(20, 13), LINEAR64);
	*entry64(PDPT, 0x48) = PAGE_PS | ALL;
	check_reserved(entry64(PDPT, 0x48), wide | PAGE_NX | BITS(29, 13), LINEAR64);
	cpu.address_width = 52;
	check_reserved(entry64(PDPT, 0x48), PAGE_NX | BITS(29, 13), LINEAR64);
}

PAE(reserved_bits_of_pae_entries_fault_with_rsvd)
{
	uint64_t wide = BITS(62, 40);

	check_reserved(entry64(PD, 5), wide, LINEAR32);
	check_reserved(entry64(PT, 1), wide, LINEAR32);
	cpu.efer = 0;
	check_reserved(entry64(PT, 1), wide | PAGE_NX, LINEAR32);
	*entry64(PD, 5) = PAGE_PS | ALL;
	check_reserved(entry64(PD, 5), wide | PAGE_NX | BITS(20, 13), LINEAR32);
}

LONG_MODE(an_entry_that_is_not_present_has_no_reserved_bits)
{
	*entry64(PT, 0x167) = ~(uint64_t)PAGE_P;
	assert_faults(LINEAR64, GUEST_READ, 0);
	cpu.cpl = 3;
	assert_faults(LINEAR64, GUEST_WRITE, W | U);
}

/* The rules of SDM 3A 4.6.1 once more, as one reads them there. */
static bool allowed(bool user, enum guest_access access, bool us, bool rw, bool nx, bool wp, bool smep, bool smap,
		    bool ac)
{
	switch (access) {
	case GUEST_READ: return user ? us : !us || !smap || ac;
	case GUEST_WRITE:
		if (user) return us && rw;
		return (rw || !wp) && (!us || !smap || ac);
	default:
		if (nx) return false;
		return user ? us : !us || !smep;
	}
}

/* Every combination, with each right withheld at the level that n names. */
TEST(every_combination_of_rights_is_decided_as_the_manual_says)
{
	uint64_t *const level[] = {entry64(PML4, 0), entry64(PDPT, 0x48), entry64(PD, 0x1a2), entry64(PT, 0x167)};

	for (unsigned n = 0; n < 4 << 9; n++) {
		bool user = n & 1, us = n & 2, rw = n & 4, nx = n & 8, wp = n & 16, smep = n & 32, smap = n & 64,
		     ac = n & 128;

		for (enum guest_access access = GUEST_READ; access <= GUEST_FETCH; access++) {
			unsigned expected =
				P | (user ? U : 0) | (access == GUEST_WRITE ? W : 0) | (access == GUEST_FETCH ? I : 0);

			long_mode(NULL);
			*level[n >> 9] &= ~((us ? 0 : PAGE_US) | (rw ? 0 : PAGE_RW));
			*level[n >> 9] |= nx ? PAGE_NX : 0;
			cpu.cpl = user ? 3 : n >> 8 & 1; /* rings 1 and 2 are supervisor's too */
			cpu.cr0 &= wp ? ~0UL : ~CR0_WP;
			cpu.cr4 |= (smep ? CR4_SMEP : 0) | (smap ? CR4_SMAP : 0);
			cpu.rflags = ac ? RFLAGS_AC : 0;
			if (allowed(user, access, us, rw, nx, wp, smep, smap, ac))
				assert_translates(LINEAR64, access, PAGE);
			else
				assert_faults(LINEAR64, access, expected);
		}
	}
}

TWO_LEVEL(the_code_tells_a_fetch_only_with_nxe_under_pae_or_smep)
{
	cpu.efer = EFER_NXE; /* but 32-bit paging */
	*entry32(PT, 0x201) = 0;
	assert_faults(LINEAR32, GUEST_FETCH, 0);
	cpu.cr4 |= CR4_SMEP;
	assert_faults(LINEAR32, GUEST_FETCH, I);
	pae(NULL);
	*entry64(PT, 1) = 0;
	assert_faults(LINEAR32, GUEST_FETCH, I);
	cpu.efer = 0;
	assert_faults(LINEAR32, GUEST_FETCH, 0);
}

LONG_MODE(reading_sets_accessed_on_the_way_and_writing_dirty_in_the_leaf)
{
	assert_translates(LINEAR64, GUEST_READ, PAGE);
	assert_int_equal(*entry64(PML4, 0), PDPT | ALL | PAGE_A);
	assert_int_equal(*entry64(PDPT, 0x48), PD | ALL | PAGE_A);
	assert_int_equal(*entry64(PD, 0x1a2), PT | ALL | PAGE_A);
	assert_int_equal(*entry64(PT, 0x167), PAGE | ALL | PAGE_A);
	assert_translates(LINEAR64, GUEST_WRITE, PAGE);
	assert_int_equal(*entry64(PML4, 0), PDPT | ALL | PAGE_A);
	assert_int_equal(*entry64(PD, 0x1a2), PT | ALL | PAGE_A);
	assert_int_equal(*entry64(PT, 0x167), PAGE | ALL | PAGE_A | PAGE_D);
}

TWO_LEVEL(the_flags_of_32_bit_entries_leave_their_neighbours_alone)
{
	*entry32(PT, 0x200) = *entry32(PT, 0x202) = 0x11111000;
	assert_translates(LINEAR32, GUEST_WRITE, PAGE);
	assert_int_equal(*entry32(PD, 0x302), PT | ALL | PAGE_A);
	assert_int_equal(*entry32(PT, 0x201), PAGE | ALL | PAGE_A | PAGE_D);
	assert_int_equal(*entry32(PT, 0x200), 0x11111000);
	assert_int_equal(*entry32(PT, 0x202), 0x11111000);
}

LONG_MODE(an_access_that_faults_leaves_the_leafs_flags)
{
	*entry64(PT, 0x167) = PAGE | PAGE_P;
	cpu.cpl = 3;
	assert_faults(LINEAR64, GUEST_WRITE, P | W | U);
	assert_int_equal(*entry64(PT, 0x167), PAGE | PAGE_P);
	*entry64(PT, 0x167) = PAGE | ALL | BIT(51);
	assert_faults(LINEAR64, GUEST_WRITE, P | W | U | RSVD);
	assert_int_equal(*entry64(PT, 0x167), PAGE | ALL | BIT(51));
}

LONG_MODE(a_table_outside_ram_is_told_apart_from_a_fault)
{
	*entry64(PD, 0x1a2) = 0xfee00000 | ALL;
	assert_int_equal(walk(LINEAR64, GUEST_READ), -ENOENT);
	assert_int_equal(gpa, 0xfee00000);
	cpu.cr3 = BIT(33) | PML4;
	assert_int_equal(walk(LINEAR64, GUEST_READ), -ENOENT);
	assert_int_equal(gpa, BIT(33) | PML4);
}

LONG_MODE(tables_that_contain_themselves_end_at_the_page)
{
	for (unsigned n = 0; n < 512; n++) *entry64(PML4, n) = PML4 | ALL;
	assert_translates(0xffffffffffffffff, GUEST_READ, PML4 + 0xfff);
}

LONG_MODE(the_physical_address_has_no_bits_beyond_51)
{
	cpu.address_width = 52;
	*entry64(PT, 0x167) = BITS(51, 12) | BITS(62, 52) | ALL;
	assert_translates(LINEAR64 + 8, GUEST_READ, BITS(51, 12) + 8);
}

static struct guest_walk_cache cache;

static int fetch(uint64_t linear)
{
	const struct guest_ram memory = fake_ram_flat(&fake, 0);

	code = 0xdead;
	return guest_walk_fetch(&cache, &cpu, &memory, linear, &gpa, &code);
}

/* Whatever changes between two fetches from one page, the second is as a walk without memory. */
static void assert_fetch_is_a_walk(uint64_t linear)
{
	uint64_t fetched_gpa;
	uint32_t fetched_code;
	int error = fetch(linear);

	fetched_gpa = gpa;
	fetched_code = code;
	assert_int_equal(walk(linear, GUEST_FETCH), error);
	assert_int_equal(fetched_code, code);
	assert_int_equal(fetched_gpa, gpa);
}

LONG_MODE(a_remembered_walk_ends_where_a_fresh_one_does)
{
	uint64_t *const entries[] = {entry64(PML4, 0), entry64(PDPT, 0x48), entry64(PD, 0x1a2), entry64(PT, 0x167)};
	static const uint64_t changes[] = {PAGE_P, PAGE_US, PAGE_NX, BIT(45), PAGE_A, BIT(15), PAGE_RW | PAGE_D};

	memset(&cache, 0, sizeof(cache));
	cpu.cpl = 3;
	for (unsigned level = 0; level < 4; level++)
		for (unsigned n = 0; n < ARRAY_SIZE(changes); n++) {
			assert_int_equal(fetch(LINEAR64 + 4), 0);
			*entries[level] ^= changes[n];
			assert_fetch_is_a_walk(LINEAR64 + 8);
			*entries[level] ^= changes[n];
			assert_fetch_is_a_walk(LINEAR64 + 12);
		}
	assert_fetch_is_a_walk(LINEAR64 + 0x1000);
}

LONG_MODE(a_remembered_walk_is_of_its_registers)
{
	const struct guest_paging good = cpu;

	memset(&cache, 0, sizeof(cache));
	for (unsigned n = 0; n < 6; n++) {
		*entry64(PT, 0x167) = PAGE | ALL;
		cpu = good;
		if (n == 5) /* from the kernel's page only the ring makes a difference */
			*entry64(PT, 0x167) = PAGE | PAGE_P;
		assert_int_equal(fetch(LINEAR64), 0);
		cpu.cr3 = n == 0 ? PD : PML4;
		cpu.cr0 ^= n == 1 ? CR0_PG : 0;
		cpu.cr4 |= n == 2 ? CR4_SMEP : 0;
		cpu.efer ^= n == 3 ? EFER_LMA : 0;
		cpu.mode = n == 4 ? 32 : 64;
		cpu.cpl = n == 5 ? 3 : 0;
		assert_fetch_is_a_walk(LINEAR64);
	}
}

LONG_MODE(the_memory_of_a_walk_sets_accessed_flags_again)
{
	memset(&cache, 0, sizeof(cache));
	assert_int_equal(fetch(LINEAR64), 0);
	*entry64(PT, 0x167) &= ~PAGE_A;
	assert_int_equal(fetch(LINEAR64), 0);
	assert_true(*entry64(PT, 0x167) & PAGE_A);
}

LONG_MODE(a_remembered_walk_reads_each_entry_once)
{
	const struct guest_ram memory = fake_ram_modelled(&fake);

	memset(&cache, 0, sizeof(cache));
	assert_int_equal(guest_walk_fetch(&cache, &cpu, &memory, LINEAR64, &gpa, &code), 0);
	fake.calls = 0;
	assert_int_equal(guest_walk_fetch(&cache, &cpu, &memory, LINEAR64 + 9, &gpa, &code), 0);
	assert_int_equal(gpa, PAGE + 9);
	assert_int_equal(fake.calls, 4);
}

/* What the walk remembers are addresses: RAM that has gone is seen to have gone. */
LONG_MODE(a_remembered_walk_does_not_outlive_its_ram)
{
	struct fake_ram going = {.bytes = ram, .size = fake.size};
	const struct guest_ram memory = fake_ram_modelled(&going);

	memset(&cache, 0, sizeof(cache));
	assert_int_equal(guest_walk_fetch(&cache, &cpu, &memory, LINEAR64, &gpa, &code), 0);
	going.size = 0;
	assert_int_equal(guest_walk_fetch(&cache, &cpu, &memory, LINEAR64, &gpa, &code), -ENOENT);
}

/* Another CPU changes the entry between the read and the setting of its flags. */
static int changes_first(void *ctx, uint64_t at, unsigned size, uint64_t expected, uint64_t desired)
{
	(void)ctx, (void)at, (void)size, (void)expected, (void)desired;
	return -EAGAIN;
}

static int is_rom(void *ctx, uint64_t at, unsigned size, uint64_t expected, uint64_t desired)
{
	(void)ctx, (void)at, (void)size, (void)expected, (void)desired;
	return -EFAULT;
}

LONG_MODE(an_entry_that_changes_under_the_walk_is_tried_again)
{
	struct guest_ram memory = fake_ram_modelled(&fake);

	memory.compare_exchange = changes_first;
	assert_int_equal(guest_walk(&cpu, &memory, LINEAR64, GUEST_READ, &gpa, &code), -EAGAIN);
}

static int reads_nothing(void *ctx, uint64_t at, void *to, unsigned size)
{
	(void)ctx, (void)at, (void)to, (void)size;
	return -EFAULT;
}

/* As a CPU with EPT accessed and dirty flags has it: a table's read is a write. */
LONG_MODE(a_walk_reads_tables_and_nothing_else)
{
	struct guest_ram memory = fake_ram_modelled(&fake);
	struct guest_walk_cache last = {0};

	memory.read = reads_nothing;
	for (unsigned i = 0; i < 2; i++) /* the second by the cache */
		assert_int_equal(guest_walk_fetch(&last, &cpu, &memory, LINEAR64, &gpa, &code), 0);
	memory.read_table = reads_nothing;
	assert_int_equal(guest_walk(&cpu, &memory, LINEAR64, GUEST_READ, &gpa, &code), -ENOENT);
}

LONG_MODE(a_table_in_rom_cannot_take_its_flags)
{
	struct guest_ram memory = fake_ram_modelled(&fake);

	memory.compare_exchange = is_rom;
	assert_int_equal(guest_walk(&cpu, &memory, LINEAR64, GUEST_READ, &gpa, &code), -ENOENT);
	assert_int_equal(gpa, PML4);
}
