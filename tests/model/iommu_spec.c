/* SPDX-License-Identifier: MIT */
/* See iommu_spec.h: the rules in the order of docs/iommu.md, as plainly as they can be said. */
#include "tests/model/iommu_spec.h"
#include "iommu/vtd.h"

#define TABLE_ENTRIES 512

#define DID(hi) ((uint16_t)FIELD(hi, VTD_CONTEXT_DID))

/* Attached: translation is enabled and the context entry is present and valid. */
bool spec_attached(const struct iommu_spec *s, const struct spec_device *d)
{
	return s->translating && d->context.valid;
}

/* Noncoherent: attached, and its No-Snoop writes can reach memory, with nothing to force a snoop.
 */
bool spec_noncoherent(const struct iommu_spec *s, const struct spec_device *d)
{
	bool through = FIELD(d->context.lo, VTD_CONTEXT_TT) == VTD_TT_PASS_THROUGH;

	return spec_attached(s, d) && d->emits && d->enabled && (!s->snoop_control || through || d->unsnooped);
}

static bool is_valid(uint64_t lo, uint64_t hi)
{
	uint64_t type = FIELD(lo, VTD_CONTEXT_TT), width = FIELD(hi, VTD_CONTEXT_AW);

	return (lo & VTD_CONTEXT_P) && !(lo & VTD_CONTEXT_RSVD_LO) && !(hi & VTD_CONTEXT_RSVD_HI) &&
	       (type == VTD_TT_UNTRANSLATED || type == VTD_TT_PASS_THROUGH) &&
	       (width == VTD_AW_39BIT || width == VTD_AW_48BIT);
}

static struct spec_context in_memory(const struct iommu_spec *s, const struct spec_device *d)
{
	uint64_t root[2], entry[2];
	bool there = !(s->root & VTD_RTADDR_TTM) && s->read(s->root + (d->source_id >> 8) * 16, root, 16) &&
		     (root[0] & VTD_ROOT_P) && !(root[0] & VTD_ROOT_RSVD_LO) && !root[1] &&
		     s->read((root[0] & VTD_ROOT_CTP) + (d->source_id & 0xff) * 16, entry, 16);

	if (!there) return (struct spec_context){0, 0, false};
	return (struct spec_context){entry[0], entry[1], is_valid(entry[0], entry[1])};
}

/* What a device did through an earlier context, or while attached before, does not count. */
static void set_context(struct iommu_spec *s, struct spec_device *d, struct spec_context now)
{
	if (d->context.lo != now.lo || d->context.hi != now.hi || !now.valid || !s->translating) d->unsnooped = false;
	d->context = now;
}

/* With caching mode all is cached, what is absent too; without, the next DMA looks again. */
static void reread(struct iommu_spec *s, struct spec_device *d)
{
	d->cached = s->caching_mode;
	set_context(s, d, in_memory(s, d));
}

static bool in_scope(const struct iommu_spec *s, const struct spec_device *d, unsigned granularity, uint16_t domain_id,
		     uint16_t source_id, unsigned function_mask)
{
	static const uint16_t masked[] = {0, 4, 6, 7};

	switch (granularity) {
	case VTD_GLOBAL: return true;
	case VTD_DOMAIN: /* the old domain, or the new one, or it had none */
		return !d->context.valid || DID(d->context.hi) == domain_id || DID(in_memory(s, d).hi) == domain_id;
	case VTD_DEVICE: /* whatever the domain */ return !((d->source_id ^ source_id) & ~masked[function_mask]);
	}
	return false;
}

void spec_invalidate(struct iommu_spec *s, unsigned granularity, uint16_t domain_id, uint16_t source_id,
		     unsigned function_mask)
{
	for (struct spec_device *d = s->device; d < s->device + s->devices; d++) {
		if (s->translating && in_scope(s, d, granularity, domain_id, source_id, function_mask)) reread(s, d);
	}
}

void spec_command(struct iommu_spec *s, uint32_t gcmd, uint64_t rtaddr)
{
	bool on = gcmd & VTD_GCMD_TE, changes = on != s->translating;

	if (gcmd & VTD_GCMD_SRTP) {
		s->root = rtaddr;
		spec_invalidate(s, VTD_GLOBAL, 0, 0, 0);
	}
	s->translating = on;
	for (struct spec_device *d = s->device; d < s->device + s->devices && changes; d++) {
		reread(s, d);
		d->unsnooped = false;
	}
}

void spec_add(struct iommu_spec *s, uint16_t source_id, bool emits)
{
	struct spec_device *d = &s->device[s->devices++];

	*d = (struct spec_device){.source_id = source_id, .emits = emits, .enabled = true};
	if (s->translating) reread(s, d);
}

void spec_dma_begins(struct iommu_spec *s, struct spec_device *d)
{
	if (!s->translating || d->cached) return;
	set_context(s, d, in_memory(s, d));
	d->cached = d->context.valid || s->caching_mode;
}

uint64_t spec_part(struct iommu_spec *s, struct spec_device *d, uint64_t iova, bool *around)
{
	uint64_t table = d->context.lo & VTD_CONTEXT_SLPTPTR, entry = 0;
	unsigned shift = FIELD(d->context.hi, VTD_CONTEXT_AW) == VTD_AW_39BIT ? 30 : 39;

	*around = spec_noncoherent(s, d);
	if (!s->translating || FIELD(d->context.lo, VTD_CONTEXT_TT) == VTD_TT_PASS_THROUGH) return iova;
	for (;; shift -= 9) {
		if (!s->read(table + (iova >> shift) % TABLE_ENTRIES * 8, &entry, 8)) return ~0ULL;
		if (shift == 12 || (shift < 39 && (entry & VTD_SL_PS))) break;
		table = entry & VTD_SL_ADDR;
	}
	d->unsnooped = d->unsnooped || !(entry & VTD_SL_SNP);
	/* SNP alone does not make the device coherent again, but this part snoops. */
	*around = spec_noncoherent(s, d) && !(entry & VTD_SL_SNP);
	return ((entry & VTD_SL_ADDR) >> shift << shift) + iova % (1ULL << shift);
}
