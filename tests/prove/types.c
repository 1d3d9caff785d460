// SPDX-License-Identifier: MIT
/*
 * The functions that decide a memory type, tried with every argument there is, against tables that
 * were written down from the manuals and from Linux, not from the code: memtype_leaf_bits() under
 * every policy, memtype_effective(), and which type overlapping variable ranges give. The same
 * tables must stand in docs/memory-types.md, word for word. Prints TAP.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ept/ept.h"
#include "lib/bits.h"

#define WIDTH 40

static const char *const types[] = {"UC", "WC", "WT", "WP", "WB"};
static const enum memtype values[] = {0, 1, 4, 5, 6};
/* The columns of the SDM's table, with the PAT's encodings. */
static const unsigned pats[] = {0, 7, 1, 4, 5, 6};

/* Host MMIO; no noncoherent DMA; noncoherent and CD=1; noncoherent and CD=0. */
static const struct policy_row {
	const char *name, *column[4];
} policies[MEMTYPE_POLICIES] = {
	{"kvm-6.6", {"UC", "WB, PAT ignored", "UC, PAT ignored", "the guest's MTRR type"}},
	{"kvm-6.7", {"UC", "WB, PAT ignored", "UC, PAT ignored", "the guest's MTRR type"}},
	{"kvm-6.11", {"UC", "WB, PAT ignored", "WB", "WB"}},
	{"kvm-6.16", {"UC", "WB", "WB", "WB"}},
};

/* SDM 3A table 12-7: by the leaf's type, then PAT UC, UC-, WC, WT, WP, WB. */
static const char *const effective[5][6] = {
	{"UC", "UC", "WC", "UC", "UC", "UC"}, {"UC", "WC", "WC", "UC", "UC", "WC"},
	{"UC", "UC", "WC", "WT", "WP", "WT"}, {"UC", "WC", "WC", "WT", "WP", "WP"},
	{"UC", "UC", "WC", "WT", "WP", "WB"},
};

static unsigned tests, failed;

static void verdict(unsigned wrong, unsigned cases, const char *what)
{
	failed += wrong || !cases;
	printf("%sok %u - %s (%u cases)\n", wrong || !cases ? "not " : "", ++tests, what, cases);
}

/* The type that begins with these two letters. */
static enum memtype type_of(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		if (!strncmp(name, types[i], 2)) return values[i];
	}
	abort();
}

static uint64_t bits_of(const char *cell, enum memtype mtrr)
{
	if (!strcmp(cell, "the guest's MTRR type")) return (uint64_t)mtrr << 3;
	return (uint64_t)type_of(cell) << 3 | (strstr(cell, "PAT ignored") ? BIT(6) : 0);
}

static void leaf_bits(void)
{
	unsigned wrong = 0, cases = 0;

	for (unsigned p = 0; p < MEMTYPE_POLICIES; p++) {
		bool named = !strcmp(memtype_policies[p], policies[p].name);

		for (unsigned i = 0; i < 8 * ARRAY_SIZE(values); i++) {
			bool mmio = i & 1, noncoherent = i & 2, cd = i & 4;
			enum memtype mtrr = values[i / 8];
			unsigned column = mmio ? 0 : !noncoherent ? 1 : cd ? 2 : 3;

			cases++;
			wrong += !named || memtype_leaf_bits((enum memtype_policy)p, mmio, noncoherent, cd, mtrr) !=
						   bits_of(policies[p].column[column], mtrr);
		}
	}
	verdict(wrong, cases, "memtype_leaf_bits: every policy, state and MTRR type");
}

/* Bits 11:0 in full, and whatever is above them all clear or all set. */
static void effective_types(void)
{
	unsigned wrong = 0, cases = 0;

	for (unsigned i = 0; i < 2 * PAGE_SIZE * ARRAY_SIZE(pats) * 2; i++) {
		bool cd = i & 1, high = i & 2;
		unsigned pat = i / 4 % 6, low = i / 24, row = 0;
		uint64_t leaf = low | (high ? ~(PAGE_SIZE - 1) : 0);
		enum memtype expected;

		while (row < 5 && values[row] != (low >> 3 & 7)) row++;
		if (row == 5) continue; /* such a leaf is a misconfiguration */
		expected = cd ? MEMTYPE_UC : low & BIT(6) ? values[row] : type_of(effective[row][pat]);
		cases++;
		wrong += memtype_effective(leaf, (enum memtype)pats[pat], cd) != expected;
	}
	verdict(wrong, cases, "memtype_effective: every leaf type, PAT type and CD");
}

/* SDM 3A 12.11.4.1: alike stands, UC wins, WT wins over WB; anything else is UC here. */
static enum memtype overlap(unsigned set)
{
	const unsigned wt = 1 << 2, wb = 1 << 4;

	for (unsigned i = 0; i < 5; i++) {
		if (set == 1U << i) return values[i];
	}
	return set == (wt | wb) ? MEMTYPE_WT : MEMTYPE_UC;
}

static void overlaps(void)
{
	unsigned wrong = 0, cases = 0;

	for (unsigned set = 1; set < 32; set++) {
		for (unsigned by_default = 0; by_default < 5; by_default++) {
			struct mtrr mtrr = {.address_width = WIDTH, .def_type = 0x800 | values[by_default]};
			bool uniform;

			for (unsigned i = 0; i < 5; i++) {
				mtrr.base[i] = values[i];
				mtrr.mask[i] = (BIT(WIDTH) - PAGE_SIZE) | (set >> i & 1) << 11;
				mtrr_prepare(&mtrr, i);
			}
			cases++;
			wrong += mtrr_type(&mtrr, 0, PAGE_SIZE, &uniform) != overlap(set);
		}
	}
	verdict(wrong, cases, "mtrr_type: every set of overlapping types");
}

static unsigned lacks(const char *page, const char *line) { return strstr(page, line) == NULL; }

static void page_agrees(const char *path)
{
	static char page[65536];
	FILE *file = fopen(path, "r");
	char line[256];
	unsigned wrong = 0;

	if (file) {
		page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
		fclose(file);
	}
	for (unsigned p = 0; p < MEMTYPE_POLICIES; p++) {
		const char *const *c = policies[p].column;

		snprintf(line, sizeof(line), "\n| `%s` | %s | %s | %s | %s |\n", policies[p].name, c[0], c[1], c[2],
			 c[3]);
		wrong += lacks(page, line);
	}
	for (unsigned r = 0; r < 5; r++) {
		const char *const *e = effective[r];

		snprintf(line, sizeof(line), "\n| %s | %s | %s | %s | %s | %s | %s |\n", types[r], e[0], e[1], e[2],
			 e[3], e[4], e[5]);
		wrong += lacks(page, line);
	}
	verdict(wrong, MEMTYPE_POLICIES + 5, "docs/memory-types.md has the same tables");
}

int main(void)
{
	leaf_bits();
	effective_types();
	overlaps();
	page_agrees("docs/memory-types.md");
	printf("1..%u\n", tests);
	return failed != 0;
}
