/* SPDX-License-Identifier: MIT */
/*
 * The VM-entry checker's rules for the guest's segment registers: SDM 3C 27.3.1.2. A row's
 * fields name the segments that it concerns.
 */
#include <stddef.h>

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
WHEN(unrestricted, (e->secondary & SECONDARY_UNRESTRICTED_GUEST) != 0)
WHEN(virtual_8086, entry_read(e, VMCS_GUEST_RFLAGS) & RFLAGS_VM)
WHEN(no_virtual_8086, !virtual_8086(e, field))
WHEN(usable_no_virtual_8086, usable(e, field) && !virtual_8086(e, field))
WHEN(restricted_no_virtual_8086, !virtual_8086(e, field) && !unrestricted(e, field))
WHEN(cs_is_data, !virtual_8086(e, field) && type_of(e, VMCS_CS) == SEGMENT_TYPE_DATA_RW_A)
WHEN(cs_is_nonconforming,
     !virtual_8086(e, field) && is_code(type_of(e, VMCS_CS)) && !is_conforming(type_of(e, VMCS_CS)))
WHEN(cs_is_conforming, !virtual_8086(e, field) && is_conforming(type_of(e, VMCS_CS)))
WHEN(ss_is_kernel, cs_is_data(e, field) || (!virtual_8086(e, field) && !(entry_read(e, VMCS_GUEST_CR0) & CR0_PE)))
WHEN(dpl_against_rpl,
     usable_no_virtual_8086(e, field) && !unrestricted(e, field) && !is_conforming(type_of(e, segment_of(field))))
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
HOLDS(ti_zero, !(value & SELECTOR_TI))
HOLDS(rpl_as_cs, (value & SELECTOR_RPL) == rpl_of(e, VMCS_CS))
HOLDS(base_is_selector, value == entry_read(e, VMCS_GUEST_SELECTOR(segment_of(field))) << 4)
HOLDS(limit_64k, value == 0xffff)
HOLDS(rights_virtual_8086, value == 0xf3)
HOLDS(type_data_rw_accessed, (value & SEGMENT_TYPE & ~SEGMENT_TYPE_CONFORMING) == SEGMENT_TYPE_DATA_RW_A)
HOLDS(type_accessed, (value & SEGMENT_TYPE_ACCESSED) != 0)
HOLDS(code_is_readable, !is_code(value) || (value & SEGMENT_TYPE_READABLE))
HOLDS(is_code_or_data, (value & SEGMENT_S) != 0)
HOLDS(is_system, !(value & SEGMENT_S))
HOLDS(dpl_zero, FIELD(value, SEGMENT_DPL) == 0)
HOLDS(dpl_as_ss, FIELD(value, SEGMENT_DPL) == dpl_of(e, VMCS_SS))
HOLDS(dpl_at_most_ss, FIELD(value, SEGMENT_DPL) <= dpl_of(e, VMCS_SS))
HOLDS(dpl_as_rpl, FIELD(value, SEGMENT_DPL) == rpl_of(e, segment_of(field)))
HOLDS(dpl_at_least_rpl, FIELD(value, SEGMENT_DPL) >= rpl_of(e, segment_of(field)))
HOLDS(is_present, (value & SEGMENT_P) != 0)
HOLDS(bits_11_8_zero, !(value & BITS(11, 8)))
HOLDS(bits_31_17_zero, !(value & BITS(31, 17)))
HOLDS(without_db, !(value & SEGMENT_DB))
HOLDS(bytes_unless_whole_pages, !(value & SEGMENT_G) || (limit_of(e, segment_of(field)) & BITS(11, 0)) == BITS(11, 0))
HOLDS(pages_if_large, (value & SEGMENT_G) || !(limit_of(e, segment_of(field)) & BITS(31, 20)))
HOLDS(is_usable, !(value & SEGMENT_UNUSABLE))
HOLDS(type_ldt, (value & SEGMENT_TYPE) == SEGMENT_TYPE_LDT)

/* Accessed code; an unrestricted guest may have real mode's read/write data there. */
static bool cs_type(const struct entry *e, uint64_t value, uint32_t field)
{
	uint64_t type = value & SEGMENT_TYPE;

	if (type == SEGMENT_TYPE_DATA_RW_A) return unrestricted(e, field);
	return is_code(type) && (type & SEGMENT_TYPE_ACCESSED);
}

static bool tr_type(const struct entry *e, uint64_t value, uint32_t field)
{
	uint64_t type = value & SEGMENT_TYPE;

	(void)field;
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
	{"27.3.1.2", "TR selector: TI is 0", ALWAYS, ti_zero, FIELDS(VMCS_GUEST_TR_SELECTOR)},
	{"27.3.1.2", "LDTR selector: TI is 0 if usable", usable, ti_zero, FIELDS(VMCS_GUEST_LDTR_SELECTOR)},
	{"27.3.1.2", "SS selector: RPL equals that of CS", restricted_no_virtual_8086, rpl_as_cs, FIELDS(VMCS_GUEST_SS_SELECTOR)},

	{"27.3.1.2", "in virtual-8086 mode, base is the selector shifted left by 4", virtual_8086, base_is_selector,
	 FIELDS(CODE_AND_DATA(BASE))},
	{"27.3.1.2", "TR, FS and GS base: canonical", ALWAYS, is_canonical, FIELDS(VMCS_GUEST_TR_BASE, VMCS_GUEST_FS_BASE,
	 VMCS_GUEST_GS_BASE)},
	{"27.3.1.2", "LDTR base: canonical if usable", usable, is_canonical, FIELDS(VMCS_GUEST_LDTR_BASE)},
	{"27.3.1.2", "CS base: bits 63:32 are 0", ALWAYS, is_below_4g, FIELDS(VMCS_GUEST_CS_BASE)},
	{"27.3.1.2", "SS, DS and ES base: bits 63:32 are 0 if usable", usable, is_below_4g, FIELDS(VMCS_GUEST_SS_BASE, VMCS_GUEST_DS_BASE,
	 VMCS_GUEST_ES_BASE)},

	{"27.3.1.2", "in virtual-8086 mode, limit is 0000FFFFH", virtual_8086, limit_64k, FIELDS(CODE_AND_DATA(LIMIT))},

	{"27.3.1.2", "in virtual-8086 mode, access rights are 000000F3H", virtual_8086, rights_virtual_8086,
	 FIELDS(CODE_AND_DATA(ACCESS_RIGHTS))},
	{"27.3.1.2", "CS type: accessed code, or 3 in an unrestricted guest", no_virtual_8086, cs_type,
	 FIELDS(VMCS_GUEST_CS_ACCESS_RIGHTS)},
	{"27.3.1.2", "SS type: 3 or 7 if usable", usable_no_virtual_8086, type_data_rw_accessed, FIELDS(VMCS_GUEST_SS_ACCESS_RIGHTS)},
	{"27.3.1.2", "DS, ES, FS and GS type: accessed if usable", usable_no_virtual_8086, type_accessed, FIELDS(DATA_BUT_SS)},
	{"27.3.1.2", "DS, ES, FS and GS type: readable if usable code", usable_no_virtual_8086, code_is_readable, FIELDS(DATA_BUT_SS)},
	{"27.3.1.2", "S is 1 for code and data", rights_count, is_code_or_data, FIELDS(CODE_AND_DATA(ACCESS_RIGHTS))},
	{"27.3.1.2", "CS DPL: 0 where CS type is 3", cs_is_data, dpl_zero, FIELDS(VMCS_GUEST_CS_ACCESS_RIGHTS)},
	{"27.3.1.2", "CS DPL: that of SS where CS is non-conforming", cs_is_nonconforming, dpl_as_ss, FIELDS(VMCS_GUEST_CS_ACCESS_RIGHTS)},
	{"27.3.1.2", "CS DPL: at most that of SS where CS is conforming", cs_is_conforming, dpl_at_most_ss,
	 FIELDS(VMCS_GUEST_CS_ACCESS_RIGHTS)},
	{"27.3.1.2", "SS DPL: RPL of the selector", restricted_no_virtual_8086, dpl_as_rpl, FIELDS(VMCS_GUEST_SS_ACCESS_RIGHTS)},
	{"27.3.1.2", "SS DPL: 0 where CS type is 3 or CR0.PE is 0", ss_is_kernel, dpl_zero, FIELDS(VMCS_GUEST_SS_ACCESS_RIGHTS)},
	{"27.3.1.2", "DS, ES, FS and GS DPL: at least RPL if usable and not conforming code", dpl_against_rpl, dpl_at_least_rpl,
	 FIELDS(DATA_BUT_SS)},
	{"27.3.1.2", "P is 1", rights_count, is_present, FIELDS(ALL)},
	{"27.3.1.2", "access rights: bits 11:8 are 0", rights_count, bits_11_8_zero, FIELDS(ALL)},
	{"27.3.1.2", "CS D/B: 0 in 64-bit mode", code64, without_db, FIELDS(VMCS_GUEST_CS_ACCESS_RIGHTS)},
	{"27.3.1.2", "G is 0 where a bit of limit 11:0 is 0", rights_count, bytes_unless_whole_pages, FIELDS(ALL)},
	{"27.3.1.2", "G is 1 where a bit of limit 31:20 is 1", rights_count, pages_if_large, FIELDS(ALL)},
	{"27.3.1.2", "access rights: bits 31:17 are 0", rights_count, bits_31_17_zero, FIELDS(ALL)},
	{"27.3.1.2", "TR type: busy 32-bit or 64-bit TSS, or 16-bit outside IA-32e mode", ALWAYS, tr_type,
	 FIELDS(VMCS_GUEST_TR_ACCESS_RIGHTS)},
	{"27.3.1.2", "TR: usable", ALWAYS, is_usable, FIELDS(VMCS_GUEST_TR_ACCESS_RIGHTS)},
	{"27.3.1.2", "LDTR type: LDT if usable", usable, type_ldt, FIELDS(VMCS_GUEST_LDTR_ACCESS_RIGHTS)},
	{"27.3.1.2", "S is 0 for TR and usable LDTR", rights_count, is_system, FIELDS(SYSTEM)},
};
/* clang-format on */

const struct entry_rules entry_rules_segments = {rules, ARRAY_SIZE(rules)};
