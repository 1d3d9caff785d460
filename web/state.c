// SPDX-License-Identifier: MIT
/*
 * What the machine is, as JSON: all that the page draws, and what a test compares between page and
 * host. It changes nothing: where something is asked of ept/ or iommu/, it is a question that they
 * answer without doing anything. 64-bit numbers are strings, for JavaScript's have 53 bits.
 */
#include "iommu/state.h"
#include "web/machine.h"

#define TYPE_GRAIN (64 * KiB) /* how finely the types by MTRR are looked at */

static const char *boolean(bool value) { return value ? "true" : "false"; }

static const char *type_of(uint64_t leaf) { return memtype_name((unsigned)FIELD(leaf, EPT_TYPE)); }

/* Leaves side by side that differ in their addresses only. */
struct run {
	unsigned first, last;
	uint64_t leaf, gpa;
	bool old;
};

static void put_run(const struct run *run, struct out *out)
{
	out_comma(out);
	out_print(out,
		  "{\"first\":%u,\"last\":%u,\"leaf\":\"%s\",\"pat\":%s,\"write\":%s,\"accessed\":%s,"
		  "\"dirty\":%s,\"old\":%s,\"gpa\":\"0x%lx\",\"entry\":\"0x%lx\"}",
		  run->first, run->last, type_of(run->leaf), boolean(!(run->leaf & EPT_IGNORE_PAT)),
		  boolean(run->leaf & EPT_WRITE), boolean(run->leaf & EPT_ACCESSED), boolean(run->leaf & EPT_DIRTY),
		  boolean(run->old), run->gpa, run->leaf);
}

static bool extends(const struct run *run, unsigned index, uint64_t leaf, bool old)
{
	return run->leaf && run->last + 1 == index && run->old == old && !((run->leaf ^ leaf) & ~EPT_ADDRESS);
}

static void put_table(const struct machine *m, uint64_t table, unsigned level, uint64_t base, struct out *out)
{
	const uint64_t *entries = (const uint64_t *)(table + m->ept.host.phys_offset);
	struct run run = {.leaf = 0};

	out_print(out, "{\"at\":\"0x%lx\",\"level\":%u,\"gpa\":\"0x%lx\",\"entries\":[", table, level, base);
	for (unsigned i = 0; i < 512; i++) {
		uint64_t entry = entries[i], gpa = base + i * page_level_size(level);
		bool leaf = (entry & EPT_RWX) && (level == 1 || (entry & EPT_LARGE));
		bool old = leaf && leaf_is_old(m, 0, gpa, entry);

		if (leaf && extends(&run, i, entry, old)) {
			run.last = i;
			continue;
		}
		if (run.leaf) put_run(&run, out);
		run = (struct run){i, i, leaf ? entry : 0, gpa, old};
		if (leaf || !(entry & EPT_RWX)) continue;
		out_comma(out);
		out_print(out, "{\"first\":%u,\"last\":%u,\"entry\":\"0x%lx\",\"table\":", i, i, entry);
		put_table(m, entry & EPT_ADDRESS, level - 1, gpa, out);
		out_print(out, "}");
	}
	if (run.leaf) put_run(&run, out);
	out_print(out, "]}");
}

static void put_slots(const struct machine *m, struct out *out)
{
	static const char *const kinds[] = {[EPT_SLOT_RAM] = "RAM",
					    [EPT_SLOT_ROM] = "ROM",
					    [EPT_SLOT_HOST_MMIO] = "MMIO",
					    [EPT_SLOT_RAM_TWICE] = "RAM twice"};

	out_print(out, "\"slots\":[");
	for (unsigned i = 0; i < m->ept.slots; i++) {
		const struct ept_slot *slot = &m->ept.slot[i];

		out_comma(out);
		out_print(out, "{\"gpa\":\"0x%lx\",\"size\":\"0x%lx\",\"kind\":\"%s\"}", slot->gpa, slot->size,
			  kinds[slot->kind]);
	}
	out_print(out, "],");
}

/* The type of each part of RAM by a vCPU's MTRRs, as runs. */
static void put_types(const struct mtrr *mtrr, struct out *out)
{
	uint64_t start = 0, at;
	enum memtype type = MEMTYPE_UC, now;
	bool uniform;

	out_print(out, "\"types\":[");
	for (at = 0; at <= RAM_SIZE; at += TYPE_GRAIN) {
		now = mtrr_type(mtrr, at, TYPE_GRAIN, &uniform);
		if (at && (at == RAM_SIZE || now != type)) {
			out_comma(out);
			out_print(out, "{\"gpa\":\"0x%lx\",\"end\":\"0x%lx\",\"type\":\"%s\"}", start, at,
				  memtype_name(type));
			start = at;
		}
		type = now;
	}
	out_print(out, "],");
}

static void put_ranges(const struct mtrr *mtrr, struct out *out)
{
	out_print(out, "\"default\":\"%s\",\"ranges\":[", memtype_name((unsigned)FIELD(mtrr->def_type, DEF_TYPE_TYPE)));
	for (unsigned n = 0; n < MTRR_VARIABLE_COUNT; n++) {
		uint64_t mask = mtrr->mask[n] & ~PHYSMASK_V & ~(PAGE_SIZE - 1);

		if (!(mtrr->mask[n] & PHYSMASK_V)) continue;
		out_comma(out);
		out_print(out, "{\"number\":%u,\"type\":\"%s\",\"start\":\"0x%lx\",\"size\":\"0x%lx\"}", n,
			  memtype_name((unsigned)FIELD(mtrr->base[n], PHYSBASE_TYPE)),
			  ALIGN_DOWN(mtrr->base[n], PAGE_SIZE), BIT(mtrr->address_width) - mask);
	}
	out_print(out, "],");
}

static void put_cached(const struct machine *m, const struct model_cpu *cpu, struct out *out)
{
	const uint64_t flags = EPT_ACCESSED | EPT_DIRTY;

	out_print(out, "\"tlb\":[");
	for (unsigned i = 0; i < MODEL_LEAVES; i++) {
		const struct model_cached *hit = &cpu->leaf[i];
		unsigned level;

		if (!hit->level) continue;
		out_comma(out);
		out_print(out, "{\"gpa\":\"0x%lx\",\"level\":%u,\"leaf\":\"%s\",\"pat\":%s,\"stale\":%s}", hit->gpa,
			  hit->level, type_of(hit->value), boolean(!(hit->value & EPT_IGNORE_PAT)),
			  boolean((ept_walk(&m->ept, hit->gpa, &level) & ~flags) != (hit->value & ~flags)));
	}
	out_print(out, "],\"tables\":[");
	for (unsigned i = 0; i < MODEL_TABLES; i++) {
		if (!cpu->table[i].level) continue;
		out_comma(out);
		out_print(out, "{\"gpa\":\"0x%lx\",\"level\":%u,\"table\":\"0x%lx\"}", cpu->table[i].gpa,
			  cpu->table[i].level, cpu->table[i].value);
	}
	out_print(out, "]");
}

static void put_vcpus(const struct machine *m, struct out *out)
{
	out_print(out, "\"vcpus\":[");
	for (unsigned n = 0; n < CPUS; n++) {
		out_comma(out);
		out_print(out, "{\"cd\":%u,\"pat\":\"%s\",\"skips\":%s,", m->cpu[n].cd, memtype_name(m->pat[n]),
			  boolean(m->skip.invept[n]));
		put_ranges(&m->cpu[n].mtrr, out);
		put_types(&m->cpu[n].mtrr, out);
		put_cached(m, &m->cpu[n], out);
		out_print(out, "}");
	}
	out_print(out, "],");
}

/* As the unit would read it. */
static uint64_t load(const struct machine *m, uint64_t gpa)
{
	uint64_t value = 0;
	bool cached;

	for (unsigned i = 0; i < sizeof(value); i++) value |= (uint64_t)ram_peek(m, gpa + i, false, &cached) << 8 * i;
	return value;
}

static void put_context(const struct machine *m, unsigned n, struct out *out)
{
	const struct iommu_device *device = &m->iommu.device[n];
	uint64_t at = GUEST_CONTEXT + (device_id[n] & 0xffU) * sizeof(struct vtd_context_entry);
	uint64_t lo = load(m, at), hi = load(m, at + 8);

	out_comma(out);
	out_print(out,
		  "{\"name\":\"00:%02x.0\",\"attached\":%s,\"noncoherent\":%s,\"nosnoop\":%s,"
		  "\"at\":\"0x%lx\",\"present\":%s,\"pass\":%s,\"domain\":%u,\"root\":\"0x%lx\","
		  "\"cached\":%s,\"old\":%s}",
		  device_id[n] >> 3, boolean(device->attached), boolean(device->noncoherent),
		  boolean(device->no_snoop_enabled), at, boolean(lo & VTD_CONTEXT_P),
		  boolean(FIELD(lo, VTD_CONTEXT_TT) == VTD_TT_PASS_THROUGH), (unsigned)FIELD(hi, VTD_CONTEXT_DID),
		  lo & VTD_CONTEXT_SLPTPTR, boolean(device->cached),
		  boolean(device->cached && (device->context.entry.lo != lo || device->context.entry.hi != hi)));
}

/* The tables of levels 4 to 1 on the way to iova, as far as they are there. */
static void put_path(const struct machine *m, const struct mapping *mapping, struct out *out)
{
	uint64_t table = m->driver.root[mapping->device];

	out_print(out, "\"path\":[");
	for (unsigned level = 4; level && table; level--) {
		out_comma(out);
		out_print(out, "\"0x%lx\"", table);
		table = load(m, table + page_level_index(mapping->iova, level) * sizeof(uint64_t)) & VTD_SL_ADDR;
	}
	out_print(out, "],");
}

static void put_mappings(const struct machine *m, struct out *out)
{
	out_print(out, "],\"mappings\":[");
	for (unsigned i = 0; i < m->driver.mappings; i++) {
		const struct mapping *mapping = &m->driver.mapping[i];
		uint64_t leaf = load(m, mapping->at);

		out_comma(out);
		out_print(out, "{");
		put_path(m, mapping, out);
		out_print(out,
			  "\"device\":%u,\"iova\":\"0x%lx\",\"at\":\"0x%lx\",\"gpa\":\"0x%lx\","
			  "\"read\":%s,\"write\":%s,\"snp\":%s}",
			  mapping->device, mapping->iova, mapping->at, leaf & VTD_SL_ADDR, boolean(leaf & VTD_SL_R),
			  boolean(leaf & VTD_SL_W), boolean(leaf & VTD_SL_SNP));
	}
}

/* What memory has for the page of an IOTLB entry, where the guest's driver made that mapping. */
static bool iotlb_is_old(const struct machine *m, const struct iommu_tlb_entry *entry)
{
	for (unsigned i = 0; i < m->driver.mappings; i++) {
		const struct mapping *mapping = &m->driver.mapping[i];
		uint64_t leaf = load(m, mapping->at);

		if (device_id[mapping->device] == entry->source_id && mapping->iova == entry->iova)
			return (leaf & VTD_SL_ADDR) != entry->translation.address ||
			       (leaf & (VTD_SL_R | VTD_SL_W)) != entry->translation.permission;
	}
	return false;
}

static void put_iotlb(const struct machine *m, struct out *out)
{
	out_print(out, "],\"iotlb\":[");
	for (unsigned set = 0; set < IOMMU_TLB_SETS; set++) {
		for (unsigned way = 0; way < IOMMU_TLB_WAYS; way++) {
			const struct iommu_tlb_entry *entry = &m->iommu.tlb[set].way[way];

			if (!(m->iommu.tlb[set].valid & 1U << way)) continue;
			out_comma(out);
			out_print(out,
				  "{\"source\":\"00:%02x.0\",\"domain\":%u,\"iova\":\"0x%lx\","
				  "\"gpa\":\"0x%lx\",\"read\":%s,\"write\":%s,\"snp\":%s,\"old\":%s}",
				  entry->source_id >> 3, entry->domain_id, entry->iova, entry->translation.address,
				  boolean(entry->translation.permission & VTD_SL_R),
				  boolean(entry->translation.permission & VTD_SL_W), boolean(entry->translation.snp),
				  boolean(iotlb_is_old(m, entry)));
		}
	}
	out_print(out, "]");
}

static void put_queue(const struct machine *m, struct out *out)
{
	static const char *const types[] = {[VTD_DESC_CONTEXT] = "context cache",
					    [VTD_DESC_IOTLB] = "IOTLB",
					    [VTD_DESC_DEVICE_TLB] = "device TLB",
					    [VTD_DESC_IEC] = "interrupt entries",
					    [VTD_DESC_WAIT] = "wait"};
	unsigned tail = m->driver.tail, head;

	head = (unsigned)FIELD(m->iommu.words[VTD_IQH / 4], VTD_IQ_PTR);
	out_print(out, "\"queue\":{\"head\":%u,\"tail\":%u,\"descriptors\":[", head, tail);
	for (unsigned i = tail > 8 ? tail - 8 : 0; i < tail; i++) {
		uint64_t lo = load(m, GUEST_QUEUE + i * sizeof(struct vtd_descriptor));
		unsigned type = (unsigned)FIELD(lo, VTD_DESC_TYPE);

		out_comma(out);
		out_print(out, "{\"number\":%u,\"what\":\"%s\",\"done\":%s}", i,
			  type && type < ARRAY_SIZE(types) ? types[type] : "?", boolean(i < head));
	}
	out_print(out, "]},");
}

static void put_iommu(const struct machine *m, struct out *out)
{
	out_print(out, "\"iommu\":{\"on\":%s,\"root\":\"0x%lx\",\"sc\":%s,\"cm\":%s,\"stale\":%lu,",
		  boolean(m->iommu.translating), m->iommu.root_table & VTD_RTADDR_ADDR, boolean(m->snoop_control),
		  boolean(m->caching_mode), iommu_stale_uses(&m->iommu));
	put_queue(m, out);
	out_print(out, "\"devices\":[");
	for (unsigned n = 0; n < DEVICES; n++) put_context(m, n, out);
	put_mappings(m, out);
	put_iotlb(m, out);
	out_print(out, "},");
}

/* The bytes of both copies, and what each would read: a device as device 0 is now. */
static void put_pages(const struct machine *m, struct out *out)
{
	bool around = m->coherence && m->iommu.device[0].noncoherent;

	out_print(out, "\"pages\":[");
	for (unsigned i = 0; i < m->watching; i++) {
		uint64_t gpa = m->watched[i];
		bool cached, memory;
		uint8_t snooped = ram_peek(m, gpa, false, &cached);
		uint8_t beside = ram_peek(m, gpa, true, &memory);

		out_comma(out);
		out_print(out,
			  "{\"gpa\":\"0x%lx\",\"memory\":%u,\"cache\":%d,\"cpu\":[%d,%d],"
			  "\"device\":%u}",
			  gpa, beside, m->coherence && cached ? snooped : -1, cpu_would_read(m, 0, gpa),
			  cpu_would_read(m, 1, gpa), around ? beside : snooped);
	}
	out_print(out, "]");
}

void machine_state(const struct machine *m, struct out *out)
{
	const struct ept_stats *stats = &m->ept.stats;

	out_print(out,
		  "{\"policy\":\"%s\",\"count\":%u,\"transitions\":%lu,\"cleared\":%lu,\"invepts\":"
		  "%lu,"
		  "\"tables\":%lu,\"skipzap\":%s,\"coherence\":%s,\"retype\":%s,\"filltable\":%s,",
		  memtype_policy_name(m->ept.policy), m->ept.noncoherent, stats->transitions, m->cleared, m->invepts,
		  stats->tables, boolean(m->skip.zap), boolean(m->coherence),
		  boolean(m->ept.transition == EPT_TRANSITION_RETYPE), boolean(m->ept.fill == EPT_FILL_TABLE));
	put_slots(m, out);
	put_vcpus(m, out);
	out_print(out, "\"ept\":");
	put_table(m, m->ept.root, EPT_ROOT_LEVEL, 0, out);
	out_print(out, ",");
	put_iommu(m, out);
	put_pages(m, out);
	out_print(out, "}");
}

static void put_line(void *ctx, const char *text)
{
	out_comma(ctx);
	out_string(ctx, text);
}

void machine_explain(const struct machine *m, unsigned cpu, uint64_t gpa, struct out *out)
{
	const struct ept_cpu ept_cpu = machine_ept_cpu(m, cpu);
	const struct ept_pat pat = {.value = m->pat[cpu], .index = 0};
	struct ept_explanation why;

	ept_explain(&m->ept, &ept_cpu, &pat, gpa, &why);
	out_print(out, "[");
	ept_explain_print(&why, put_line, out);
	out_print(out, "]");
}
