/* SPDX-License-Identifier: MIT */
/*
 * Finds the multiboot header, then places the segments that it or the ELF headers name. Every
 * number comes from a stranger: each is checked before it is used.
 */
#include "hv/load/elf.h"

#include "lib/string.h"

#define MULTIBOOT_MAGIC     0x1badb002
#define MULTIBOOT_SEARCH    8192
#define MULTIBOOT_ADDRESSES BIT(16) /* the header names the load addresses itself */
#define MULTIBOOT_REQUIRED  BITS(15, 0)
#define MULTIBOOT_KNOWN     (BIT(0) | BIT(1) | BIT(2)) /* page-aligned modules, memory, video */

struct multiboot_header {
	uint32_t magic, flags, checksum;
	uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

enum { CLASS_32 = 1, CLASS_64 = 2, LITTLE_ENDIAN = 1, LOAD = 1 };
enum { IDENT_CLASS = 4, IDENT_DATA = 5, MACHINE = 18, ENTRY = 24, SEGMENT_TYPE = 0 };

/* Where fields are in the headers of each class (System V gABI 4.1, 5.1), those that are read. */
static const struct layout {
	unsigned machine, word; /* EM_386 or EM_X86_64; bytes of an address */
	unsigned size, phoff, phentsize, phnum;
	unsigned segment_size, offset, vaddr, paddr, filesz, memsz;
} layouts[] = {
	[CLASS_32] = {3, 4, 46, 28, 42, 44, 32, 4, 8, 12, 16, 20},
	[CLASS_64] = {62, 8, 58, 32, 54, 56, 56, 8, 16, 24, 32, 40},
};
#define LARGEST_HEADER 58

struct segment {
	uint64_t offset, paddr, vaddr, filesz, memsz;
};

/* Multiboot 3.1.1: 4-byte aligned, its first three words sum up to 0; *at is its offset. */
static bool find_multiboot(const uint8_t *image, size_t size, struct multiboot_header *header, size_t *at)
{
	size_t end = MIN(size, (size_t)MULTIBOOT_SEARCH);

	memset(header, 0, sizeof(*header));
	for (*at = 0; *at + 12 <= end; *at += 4) {
		memcpy(header, image + *at, 12);
		if (header->magic == MULTIBOOT_MAGIC && !(uint32_t)(header->magic + header->flags + header->checksum)) {
			memcpy(header, image + *at, MIN(sizeof(*header), size - *at));
			return true;
		}
	}
	return false;
}

bool elf_has_multiboot(const uint8_t *image, size_t size)
{
	struct multiboot_header header;
	size_t at;

	return find_multiboot(image, size, &header, &at);
}

/* What every step of a load needs. */
struct load {
	const struct load_job *job;
	struct elf_image *loaded;
	uint64_t room; /* bytes of RAM that no segment has claimed yet */
};

bool elf_covers_page(const struct elf_image *loaded, uint64_t gpa)
{
	return loaded->covered[gpa / PAGE_SIZE / 64] & BIT(gpa / PAGE_SIZE % 64);
}

/* Keep which pages below 1 MiB a segment of at least one byte covers. */
static void mark_pages(struct elf_image *loaded, const struct segment *s)
{
	uint64_t end = MIN(s->paddr + s->memsz, MiB);

	for (uint64_t page = s->paddr / PAGE_SIZE; page * PAGE_SIZE < end; page++)
		loaded->covered[page / 64] |= BIT(page % 64);
}

/* All of it in one of the two pieces of RAM below 4 GiB; the end does not wrap. */
static bool in_ram(const struct guest_map *map, const struct segment *s)
{
	uint64_t end = s->paddr + s->memsz;

	return end >= s->paddr && (end <= GUEST_HOLE_START || (s->paddr >= MiB && end <= map->low_end));
}

static const char *check_segment(const struct load *load, const struct segment *s)
{
	const struct load_job *job = load->job;

	if (s->filesz > s->memsz)
		return "a segment has more bytes in the file than in memory: expected at most as many";
	if (s->filesz && (s->offset > job->size || s->filesz > job->size - s->offset))
		return "a segment lies beyond the end of the file (is it truncated?)";
	if (!in_ram(job->map, s))
		return "a segment lies outside the VM's RAM: expected a larger mem= or another link address";
	/* Also what bounds the time that a long list of segments takes. */
	return s->memsz <= load->room ? NULL : "the segments together are larger than the VM's RAM";
}

static const char *load_segment(struct load *load, const struct segment *s)
{
	const char *problem = check_segment(load, s);
	uint8_t *to;

	if (!s->memsz && !s->filesz) return NULL;
	if (problem) return problem;
	to = load->job->ram + s->paddr;
	if (s->filesz) /* a segment without bytes may name an offset beyond the file */
		load->job->put(to, load->job->image + s->offset, s->filesz);
	load->job->put(to + s->filesz, NULL, s->memsz - s->filesz);
	load->room -= s->memsz;
	load->loaded->start = MIN(load->loaded->start, s->paddr);
	load->loaded->end = MAX(load->loaded->end, s->paddr + s->memsz);
	mark_pages(load->loaded, s);
	return NULL;
}

/* The a.out kludge, Multiboot 3.1.3: 0 for an end means "to the end of the file", "no bss". */
static const char *load_by_addresses(struct load *load, size_t at, const struct multiboot_header *h)
{
	static const char contradiction[] = "the multiboot header's addresses contradict each other";
	uint64_t back = h->header_addr - h->load_addr; /* from the header to the image's begin */
	uint64_t load_end = h->load_end_addr, bss_end = h->bss_end_addr;
	struct segment s;

	if (h->header_addr < h->load_addr || back > at || load->job->size - at < sizeof(*h)) return contradiction;
	s = (struct segment){.offset = at - back, .paddr = h->load_addr};
	if (!load_end) load_end = s.paddr + (load->job->size - s.offset);
	if (!bss_end) bss_end = load_end;
	if (load_end < s.paddr || bss_end < load_end) return contradiction;
	s.filesz = load_end - s.paddr;
	s.memsz = bss_end - s.paddr;
	if (h->entry_addr - s.paddr >= s.memsz)
		return "the entry point lies outside what the multiboot header loads: expected it within";
	load->loaded->entry = h->entry_addr;
	return load_segment(load, &s);
}

/* A field of 'width' bytes, which are known to be there. */
static uint64_t field(const uint8_t *header, unsigned offset, unsigned width)
{
	uint64_t value = 0;

	memcpy(&value, header + offset, width);
	return value;
}

/* The layout of the file's headers, or NULL. */
static const struct layout *find_layout(const uint8_t *image, size_t size)
{
	const struct layout *l;

	if (size < LARGEST_HEADER || memcmp(image, "\177ELF", 4) || image[IDENT_DATA] != LITTLE_ENDIAN) return NULL;
	if (image[IDENT_CLASS] != CLASS_32 && image[IDENT_CLASS] != CLASS_64) return NULL;
	l = &layouts[image[IDENT_CLASS]];
	return field(image, MACHINE, 2) == l->machine && field(image, l->phentsize, 2) >= l->segment_size ? l : NULL;
}

/*
 * The entry point is a virtual address of a segment, or (as `qemu -kernel` takes it too) already
 * a physical one: the guest begins without paging.
 */
struct entry {
	uint64_t by_virtual, by_physical;
};
#define NO_ENTRY (~0ULL)

static void find_entry(uint64_t entry, const struct segment *s, struct entry *found)
{
	if (entry - s->vaddr < s->memsz) found->by_virtual = entry - s->vaddr + s->paddr;
	if (entry - s->paddr < s->memsz) found->by_physical = entry;
}

static const char *load_by_segments(struct load *load)
{
	const uint8_t *image = load->job->image;
	const struct layout *l = find_layout(image, load->job->size);
	struct entry entry = {NO_ENTRY, NO_ENTRY};
	uint64_t phoff, phentsize, phnum;

	if (!l) return "no ELF image for x86: expected ELF32 or ELF64";
	phoff = field(image, l->phoff, l->word);
	phentsize = field(image, l->phentsize, 2);
	phnum = field(image, l->phnum, 2);
	if (phoff > load->job->size || phnum * phentsize > load->job->size - phoff)
		return "the program headers lie beyond the end of the file (is it truncated?)";
	for (const uint8_t *at = image + phoff; phnum; phnum--, at += phentsize) {
		const struct segment s = {
			.offset = field(at, l->offset, l->word),
			.paddr = field(at, l->paddr, l->word),
			.vaddr = field(at, l->vaddr, l->word),
			.filesz = field(at, l->filesz, l->word),
			.memsz = field(at, l->memsz, l->word),
		};
		const char *problem;

		if (field(at, SEGMENT_TYPE, 4) != LOAD) continue;
		problem = load_segment(load, &s);
		if (problem) return problem;
		find_entry(field(image, ENTRY, l->word), &s, &entry);
	}
	if (!load->loaded->end) return "the image has nothing to load: expected a segment";
	if (entry.by_virtual == NO_ENTRY && entry.by_physical == NO_ENTRY)
		return "the entry point lies in no segment: expected it in one that is loaded";
	load->loaded->entry = (uint32_t)(entry.by_virtual != NO_ENTRY ? entry.by_virtual : entry.by_physical);
	return NULL;
}

const char *elf_load(const struct load_job *job, struct elf_image *loaded)
{
	struct load load = {job, loaded, GUEST_HOLE_START + (job->map->low_end - MiB)};
	struct multiboot_header header;
	size_t at;

	*loaded = (struct elf_image){.start = ~0ULL};
	if (!find_multiboot(job->image, job->size, &header, &at))
		return "no multiboot header in the first 8192 bytes: expected a guest image";
	if (header.flags & MULTIBOOT_REQUIRED & ~MULTIBOOT_KNOWN)
		return "the multiboot header requires a feature that is not offered: expected none but flags 0 to 2";
	return header.flags & MULTIBOOT_ADDRESSES ? load_by_addresses(&load, at, &header) : load_by_segments(&load);
}
