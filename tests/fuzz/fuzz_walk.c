/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer on the walk through a guest's page tables: any registers, any tables. It ends, looks
 * at RAM only, changes nothing but accessed and dirty flags, and the walk that remembers the last
 * one always agrees with the one that does not.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "hv/emulate/guest_walk.h"
#include "lib/x86.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "tests/lib/fake_ram.h"

#define PAGES 4

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static uint64_t ram[PAGES * PAGE_SIZE / 8], before[PAGES * PAGE_SIZE / 8];
static struct fake_ram fake = {.bytes = ram, .size = sizeof(ram)};

/* What one run is made of; the rest of the input fills the RAM. */
struct setting {
	uint64_t linear, cr3;
	uint8_t cr0, cr4, efer, mode, cpl, access, width, rflags;
};

static struct guest_paging paging_of(const struct setting *s)
{
	static const unsigned modes[] = {16, 32, 64};
	struct guest_paging p = {
		.cr0 = CR0_PE | (s->cr0 & 1 ? CR0_PG : 0) | (s->cr0 & 2 ? CR0_WP : 0),
		.cr3 = s->cr0 & 4 ? s->cr3 : s->cr3 & BITS(13, 0),
		.cr4 = (s->cr4 & 1 ? CR4_PAE : 0) | (s->cr4 & 2 ? CR4_PSE : 0) | (s->cr4 & 4 ? CR4_SMEP : 0) |
		       (s->cr4 & 8 ? CR4_SMAP : 0),
		.efer = (s->efer & 1 ? EFER_LMA : 0) | (s->efer & 2 ? EFER_NXE : 0),
		.rflags = s->rflags & 1 ? RFLAGS_AC : 0,
		.mode = modes[s->mode % 3],
		.cpl = s->cpl % 4,
		.address_width = 36 + s->width % 17,
		.pages_1g = s->width & 64,
	};

	/* The CPU allows 64-bit code only in long mode, and that only with PAE and paging. */
	if (p.mode == 64) p.efer |= EFER_LMA;
	if (p.efer & EFER_LMA) {
		p.cr0 |= CR0_PG;
		p.cr4 |= CR4_PAE;
	}
	for (unsigned i = 0; i < 4; i++) p.pdpte[i] = s->cr3 >> 12 * i & (BITS(13, 12) | PAGE_P);
	return p;
}

/*
 * Entries where a walk to 'linear' will look: one byte says for which level and in which page, with
 * its address kept in RAM or not, then comes the value.
 */
static void fill_ram(const uint8_t *input, size_t size, uint64_t linear, bool wide)
{
	memset(ram, 0, sizeof(ram));
	for (; size >= 9; input += 9, size -= 9) {
		unsigned shift = 12 + (wide ? 9 : 10) * (input[0] >> 2 & 3);
		uint64_t index = linear >> shift & (wide ? 511 : 1023), value;

		memcpy(&value, input + 1, sizeof(value));
		if (input[0] & 16) value &= ~BITS(wide ? 51 : 31, 14);
		memcpy((uint8_t *)ram + (input[0] & 3) * PAGE_SIZE + index * (wide ? 8 : 4), &value, wide ? 8 : 4);
	}
	memcpy(before, ram, sizeof(ram));
}

static void check_ram(void)
{
	const uint64_t flags = (PAGE_A | PAGE_D) * 0x100000001UL; /* of an entry of either size */

	for (size_t i = 0; i < ARRAY_SIZE(ram); i++) {
		assert(!((ram[i] ^ before[i]) & ~flags));
		assert((ram[i] & before[i]) == before[i]);
	}
}

static void check_result(int error, uint64_t gpa, uint32_t code)
{
	assert(fake.calls <= 8); /* four entries, each read and written once */
	assert(error == 0 || error == -EFAULT || error == -EINVAL || error == -ENOENT);
	if (error == -EFAULT) assert(!(code & PF_ERROR_RESERVED) || code & PF_ERROR_PRESENT);
	if (!error) assert(gpa < BIT(52));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	const struct guest_ram memory = fake_ram_modelled(&fake);
	const struct guest_ram flat = fake_ram_flat(&fake, PAGE_SIZE);
	struct guest_walk_cache cache[2] = {0}; /* one for each RAM */
	struct guest_paging paging;
	struct setting s;
	uint64_t gpa = 0, again_gpa = 0;
	uint32_t code = 0, again_code = 0;
	int error;

	if (size < sizeof(s)) return 0;
	memcpy(&s, input, sizeof(s));
	paging = paging_of(&s);
	fill_ram(input + sizeof(s), size - sizeof(s), s.linear, paging.cr4 & CR4_PAE);
	fake.calls = 0;
	error = guest_walk(&paging, &memory, s.linear, s.access % 3, &gpa, &code);
	check_result(error, gpa, code);
	check_ram();
	error = guest_walk(&paging, &memory, s.linear, GUEST_FETCH, &gpa, &code);
	for (unsigned i = 0; i < 4; i++) {
		assert(guest_walk_fetch(&cache[i % 2], &paging, i % 2 ? &memory : &flat, s.linear, &again_gpa,
					&again_code) == error);
		assert(again_gpa == gpa && again_code == (error == -EFAULT ? code : 0));
	}
	return 0;
}
