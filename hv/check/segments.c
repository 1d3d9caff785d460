/* SPDX-License-Identifier: MIT */
/*
 * The VM-entry checker's rules for the guest's segment registers: SDM 3C 27.3.1.2. A row's
 * fields name the segments that it concerns.
 */
#include "hv/check/rules.h"

/* Of which segment a field is: the four kinds lie two apart, in the order of vmcs_segment. */
static unsigned segment_of(uint32_t field)
{
	static const uint32_t first[] = {
		VMCS_GUEST_ES_BASE,
		VMCS_GUEST_ES_ACCESS_RIGHTS,
		VMCS_GUEST_ES_LIMIT,
		VMCS_GUEST_ES_SELECTOR,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(first); i++)
		if (field >= first[i]) return (field - first[i]) / 2;
	return VMCS_ES;
}

static uint64_t rights_of(const struct entry *e, unsigned segment)
{
	return entry_read(e, VMCS_GUEST_ACCESS_RIGHTS(segment));
}

static uint64_t limit_of(const struct entry *e, unsigned segment) { return entry_read(e, VMCS_GUEST_LIMIT(segment)); }

static uint64_t rpl_of(const struct entry *e, unsigned segment)
{
	return entry_read(e, VMCS_GUEST_SELECTOR(segment)) & SELECTOR_RPL;
}

static uint64_t dpl_of(const struct entry *e, unsigned segment) { return FIELD(rights_of(e, segment), SEGMENT_DPL); }

static uint64_t type_of(const struct entry *e, unsigned segment) { return rights_of(e, segment) & SEGMENT_TYPE; }

static bool is_code(uint64_t type) { return type & SEGMENT_TYPE_CODE; }

static bool is_conforming(uint64_t type) { return is_code(type) && (type & SEGMENT_TYPE_CONFORMING); }

/* Conditions. */
WHEN(usable, !(rights_of(e, segment_of(field)) & SEGMENT_UNUSABLE))
WHEN(virtual_8086, entry_read(e, VMCS_GUEST_RFLAGS) & RFLAGS_VM)
WHEN(no_virtual_8086, !virtual_8086(e, field))
WHEN(usable_no_virtual_8086, usable(e, field) && !virtual_8086(e, field))
WHEN(restricted_no_virtual_8086, !virtual_8086(e, field) && !(e->secondary & SECONDARY_UNRESTRICTED_GUEST))
WHEN(cs_is_data, !virtual_8086(e, field) && type_of(e, VMCS_CS) == SEGMENT_TYPE_DATA_RW_A)
WHEN(cs_is_nonconforming,
     !virtual_8086(e, field) && is_code(type_of(e, VMCS_CS)) && !is_conforming(type_of(e, VMCS_CS)))
WHEN(cs_is_conforming, !virtual_8086(e, field) && is_conforming(type_of(e, VMCS_CS)))
WHEN(ss_is_kernel, cs_is_data(e, field) || (!virtual_8086(e, field) && !(entry_read(e, VMCS_GUEST_CR0) & CR0_PE)))
WHEN(dpl_against_rpl, usable_no_virtual_8086(e, field) && !(e->secondary & SECONDARY_UNRESTRICTED_GUEST) &&
			      !is_conforming(type_of(e, segment_of(field))))
WHEN(code64, !virtual_8086(e, field) && (e->entry & ENTRY_IA32E_GUEST) && (rights_of(e, VMCS_CS) & SEGMENT_L))

/* The segments whose access rights count: TR always, LDTR if usable, CS and usable others. */
static bool rights_count(const struct entry *e, uint32_t field)
{
	switch (segment_of(field)) {
	case VMCS_TR: return true;
	case VMCS_LDTR: return usable(e, field);
	case VMCS_CS: return !virtual_8086(e, field);
	default: return usable_no_virtual_8086(e, field);
	}
}

/* Requirements. */
HOLDS(rpl_as_cs, (value & SELECTOR_RPL) == rpl_of(e, VMCS_CS))
HOLDS(base_is_selector, value == entry_read(e, VMCS_GUEST_SELECTOR(segment_of(field))) << 4)
HOLDS(limit_64k, value == 0xffff)
HOLDS(rights_virtual_8086, value == 0xf3)
HOLDS(type_data_rw_accessed, (value & SEGMENT_TYPE & ~SEGMENT_TYPE_CONFORMING) == SEGMENT_TYPE_DATA_RW_A)
HOLDS(code_is_readable, !is_code(value) || (value & SEGMENT_TYPE_READABLE))
HOLDS(dpl_as_ss, FIELD(value, SEGMENT_DPL) == dpl_of(e, VMCS_SS))
HOLDS(dpl_at_most_ss, FIELD(value, SEGMENT_DPL) <= dpl_of(e, VMCS_SS))
HOLDS(dpl_as_rpl, FIELD(value, SEGMENT_DPL) == rpl_of(e, segment_of(field)))
HOLDS(dpl_at_least_rpl, FIELD(value, SEGMENT_DPL) >= rpl_of(e, segment_of(field)))
HOLDS(bytes_unless_whole_pages, !(value & SEGMENT_G) || (limit_of(e, segment_of(field)) & BITS(11, 0)) == BITS(11, 0))
HOLDS(pages_if_large, (value & SEGMENT_G) || !(limit_of(e, segment_of(field)) & BITS(31, 20)))
HOLDS(type_ldt, (value & SEGMENT_TYPE) == SEGMENT_TYPE_LDT)

/* Accessed code; an unrestricted guest may have real mode's read/write data there. */
static REQUIREMENT(cs_type)
{
	uint64_t type = value & SEGMENT_TYPE;

	if (type == SEGMENT_TYPE_DATA_RW_A) return e->secondary & SECONDARY_UNRESTRICTED_GUEST;
	return is_code(type) && (type & SEGMENT_TYPE_ACCESSED);
}

static REQUIREMENT(tr_type)
{
	uint64_t type = value & SEGMENT_TYPE;

	if (type == SEGMENT_TYPE_TSS16_BUSY) return !(e->entry & ENTRY_IA32E_GUEST);
	return type == SEGMENT_TYPE_TSS_BUSY;
}

/* Lists of fields. */
#define CODE_AND_DATA(kind)                                                                                            \
	VMCS_GUEST_CS_##kind, VMCS_GUEST_SS_##kind, VMCS_GUEST_DS_##kind, VMCS_GUEST_ES_##kind, VMCS_GUEST_FS_##kind,  \
		VMCS_GUEST_GS_##kind
#define DATA_BUT_SS                                                                                                    \
	VMCS_GUEST_DS_ACCESS_RIGHTS, VMCS_GUEST_ES_ACCESS_RIGHTS, VMCS_GUEST_FS_ACCESS_RIGHTS,                         \
		VMCS_GUEST_GS_ACCESS_RIGHTS
#define SYSTEM VMCS_GUEST_TR_ACCESS_RIGHTS, VMCS_GUEST_LDTR_ACCESS_RIGHTS
#define ALL    CODE_AND_DATA(ACCESS_RIGHTS), SYSTEM

/* A row a line: a rule is read as a whole. */
/* clang-format off */
static const struct entry_rule rules[] = {
	SECTION("27.3.1.2"),
	{"TR selector: TI is 0", ALWAYS, ZEROES(SELECTOR_TI), FIELDS(VMCS_GUEST_TR_SELECTOR)},
	{"LDTR selector: TI is 0 if usable", IF(usable), ZEROES(SELECTOR_TI), FIELDS(VMCS_GUEST_LDTR_SELECTOR)},
	{"SS selector: RPL equals that of CS", IF(restricted_no_virtual_8086), BY(rpl_as_cs), FIELDS(VMCS_GUEST_SS_SELECTOR)},

	{"in virtual-8086 mode, base is the selector shifted left by 4", IF(virtual_8086), BY(base_is_selector),
	 FIELDS(CODE_AND_DATA(BASE))},
	{"TR, FS and GS base: canonical", ALWAYS, BY(is_canonical), FIELDS(VMCS_GUEST_TR_BASE, VMCS_GUEST_FS_BASE, VMCS_GUEST_GS_BASE)},
	{"LDTR base: canonical if usable", IF(usable), BY(is_canonical), FIELDS(VMCS_GUEST_LDTR_BASE)},
	{"CS base: bits 63:32 are 0", ALWAYS, ZEROES(BITS(63, 32)), FIELDS(VMCS_GUEST_CS_BASE)},
	{"SS, DS and ES base: bits 63:32 are 0 if usable", IF(usable), ZEROES(BITS(63, 32)),
	 FIELDS(VMCS_GUEST_SS_BASE, VMCS_GUEST_DS_BASE, VMCS_GUEST_ES_BASE)},

	{"in virtual-8086 mode, limit is 0000FFFFH", IF(virtual_8086), BY(limit_64k), FIELDS(CODE_AND_DATA(LIMIT))},

	{"in virtual-8086 mode, access rights are 000000F3H", IF(virtual_8086), BY(rights_virtual_8086),
	 FIELDS(CODE_AND_DATA(ACCESS_RIGHTS))},
	{"CS type: accessed code, or 3 in an unrestricted guest", IF(no_virtual_8086), BY(cs_type), FIELDS(VMCS_GUEST_CS_ACCESS_RIGHTS)},
	{"SS type: 3 or 7 if usable", IF(usable_no_virtual_8086), BY(type_data_rw_accessed), FIELDS(VMCS_GUEST_SS_ACCESS_RIGHTS)},
	{"DS, ES, FS and GS type: accessed if usable", IF(usable_no_virtual_8086), ONES(SEGMENT_TYPE_ACCESSED), FIELDS(DATA_BUT_SS)},
	{"DS, ES, FS and GS type: readable if usable code", IF(usable_no_virtual_8086), BY(code_is_readable), FIELDS(DATA_BUT_SS)},
	{"S is 1 for code and data", IF(rights_count), ONES(SEGMENT_S), FIELDS(CODE_AND_DATA(ACCESS_RIGHTS))},
	{"CS DPL: 0 where CS type is 3", IF(cs_is_data), ZEROES(SEGMENT_DPL), FIELDS(VMCS_GUEST_CS_ACCESS_RIGHTS)},
	{"CS DPL: that of SS where CS is non-conforming", IF(cs_is_nonconforming), BY(dpl_as_ss), FIELDS(VMCS_GUEST_CS_ACCESS_RIGHTS)},
	{"CS DPL: at most that of SS where CS is conforming", IF(cs_is_conforming), BY(dpl_at_most_ss),
	 FIELDS(VMCS_GUEST_CS_ACCESS_RIGHTS)},
	{"SS DPL: RPL of the selector", IF(restricted_no_virtual_8086), BY(dpl_as_rpl), FIELDS(VMCS_GUEST_SS_ACCESS_RIGHTS)},
	{"SS DPL: 0 where CS type is 3 or CR0.PE is 0", IF(ss_is_kernel), ZEROES(SEGMENT_DPL), FIELDS(VMCS_GUEST_SS_ACCESS_RIGHTS)},
	{"DS, ES, FS and GS DPL: at least RPL if usable and not conforming code", IF(dpl_against_rpl), BY(dpl_at_least_rpl),
	 FIELDS(DATA_BUT_SS)},
	{"P is 1", IF(rights_count), ONES(SEGMENT_P), FIELDS(ALL)},
	{"access rights: bits 11:8 are 0", IF(rights_count), ZEROES(BITS(11, 8)), FIELDS(ALL)},
	{"CS D/B: 0 in 64-bit mode", IF(code64), ZEROES(SEGMENT_DB), FIELDS(VMCS_GUEST_CS_ACCESS_RIGHTS)},
	{"G is 0 where a bit of limit 11:0 is 0", IF(rights_count), BY(bytes_unless_whole_pages), FIELDS(ALL)},
	{"G is 1 where a bit of limit 31:20 is 1", IF(rights_count), BY(pages_if_large), FIELDS(ALL)},
	{"access rights: bits 31:17 are 0", IF(rights_count), ZEROES(BITS(31, 17)), FIELDS(ALL)},
	{"TR type: busy 32-bit or 64-bit TSS, or 16-bit outside IA-32e mode", ALWAYS, BY(tr_type), FIELDS(VMCS_GUEST_TR_ACCESS_RIGHTS)},
	{"TR: usable", ALWAYS, ZEROES(SEGMENT_UNUSABLE), FIELDS(VMCS_GUEST_TR_ACCESS_RIGHTS)},
	{"LDTR type: LDT if usable", IF(usable), BY(type_ldt), FIELDS(VMCS_GUEST_LDTR_ACCESS_RIGHTS)},
	{"S is 0 for TR and usable LDTR", IF(rights_count), ZEROES(SEGMENT_S), FIELDS(SYSTEM)},
};
/* clang-format on */

const struct entry_rules entry_rules_segments = {rules, ARRAY_SIZE(rules)};
