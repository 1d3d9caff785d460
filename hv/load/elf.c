/* SPDX-License-Identifier: MIT */
/*
 * Finds the multiboot header, then places the segments that it or the ELF headers name. Every
 * number comes from a stranger: each is checked before it is used.
 */
#include "hv/load/elf.h"

#include "lib/bits.h"
#include "lib/errno.h"
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

enum { CLASS_32 = 1, CLASS_64 = 2, LITTLE_ENDIAN = 1, MACHINE_386 = 3, MACHINE_X86_64 = 62, LOAD = 1 };

/* ELF headers (System V gABI 4), the parts that are read. */
struct elf32_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version, entry, phoff, shoff, flags;
	uint16_t ehsize, phentsize, phnum;
} __attribute__((packed));

struct elf64_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum;
} __attribute__((packed));

struct elf32_segment {
	uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
};

struct elf64_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

_Static_assert(sizeof(struct elf32_header) == 46, "gABI 4.1");
_Static_assert(sizeof(struct elf64_header) == 58, "gABI 4.1");
_Static_assert(sizeof(struct elf32_segment) == 32, "gABI 5.1");
_Static_assert(sizeof(struct elf64_segment) == 56, "gABI 5.1");

/* Both classes in one form. */
struct headers {
	uint64_t entry, phoff;
	unsigned phentsize, phnum;
	bool is_64;
};

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
	const uint8_t *image;
	size_t size;
	const struct elf_target *target;
	struct elf_image *loaded;
	uint64_t room; /* bytes of RAM that no segment has claimed yet */
	const char **problem;
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

/* All of it in one of the two pieces of RAM; the end does not wrap. */
static bool in_ram(const struct elf_target *t, const struct segment *s)
{
	uint64_t end = s->paddr + s->memsz;

	return end >= s->paddr && (end <= t->low_end || (s->paddr >= t->high_start && end <= t->high_end));
}

static int check_segment(struct load *load, const struct segment *s)
{
	*load->problem = "a segment has more bytes in the file than in memory";
	if (s->filesz > s->memsz) return -ENOEXEC;
	*load->problem = "a segment lies beyond the end of the file (is it truncated?)";
	if (s->filesz && (s->offset > load->size || s->filesz > load->size - s->offset)) return -ENOEXEC;
	*load->problem = "a segment lies outside the VM's RAM: expected a larger mem= or another "
			 "link address";
	if (!in_ram(load->target, s)) return -ENOEXEC;
	/* Also what bounds the time that a long list of segments takes. */
	*load->problem = "the segments together are larger than the VM's RAM";
	return s->memsz <= load->room ? 0 : -ENOEXEC;
}

static int load_segment(struct load *load, const struct segment *s)
{
	uint8_t *to;
	int error;

	if (!s->memsz && !s->filesz) return 0;
	error = check_segment(load, s);
	if (error) return error;
	to = load->target->memory + s->paddr;
	if (s->filesz) /* a segment without bytes may name an offset beyond the file */
		memcpy(to, load->image + s->offset, s->filesz);
	memset(to + s->filesz, 0, s->memsz - s->filesz);
	load->room -= s->memsz;
	load->loaded->start = MIN(load->loaded->start, s->paddr);
	load->loaded->end = MAX(load->loaded->end, s->paddr + s->memsz);
	mark_pages(load->loaded, s);
	return 0;
}

/* The a.out kludge, Multiboot 3.1.3: 0 for an end means "to the end of the file", "no bss". */
static int load_by_addresses(struct load *load, size_t at, const struct multiboot_header *h)
{
	uint64_t back = h->header_addr - h->load_addr; /* from the header to the image's begin */
	uint64_t load_end = h->load_end_addr, bss_end = h->bss_end_addr;
	struct segment s;

	*load->problem = "the multiboot header's addresses contradict each other";
	if (h->header_addr < h->load_addr || back > at || load->size - at < sizeof(*h)) return -ENOEXEC;
	s = (struct segment){.offset = at - back, .paddr = h->load_addr};
	if (!load_end) load_end = s.paddr + (load->size - s.offset);
	if (!bss_end) bss_end = load_end;
	if (load_end < s.paddr || bss_end < load_end) return -ENOEXEC;
	s.filesz = load_end - s.paddr;
	s.memsz = bss_end - s.paddr;
	*load->problem = "the entry point lies outside what the multiboot header loads";
	if (h->entry_addr - s.paddr >= s.memsz) return -ENOEXEC;
	load->loaded->entry = h->entry_addr;
	return load_segment(load, &s);
}

static bool read_headers(const uint8_t *image, size_t size, struct headers *h)
{
	struct elf32_header h32;
	struct elf64_header h64;

	if (size < sizeof(h64) || memcmp(image, "\177ELF", 4) || image[5] != LITTLE_ENDIAN) return false;
	memcpy(&h32, image, sizeof(h32));
	memcpy(&h64, image, sizeof(h64));
	if (h32.ident[4] == CLASS_32 && h32.machine == MACHINE_386)
		*h = (struct headers){h32.entry, h32.phoff, h32.phentsize, h32.phnum, false};
	else if (h32.ident[4] == CLASS_64 && h64.machine == MACHINE_X86_64)
		*h = (struct headers){h64.entry, h64.phoff, h64.phentsize, h64.phnum, true};
	else
		return false;
	return h->phentsize >= (h->is_64 ? sizeof(struct elf64_segment) : sizeof(struct elf32_segment));
}

/* A program header; false when it is no LOAD segment. The bytes are known to be there. */
static bool read_segment(const uint8_t *at, bool is_64, struct segment *s)
{
	struct elf32_segment s32;
	struct elf64_segment s64;

	if (is_64) {
		memcpy(&s64, at, sizeof(s64));
		*s = (struct segment){s64.offset, s64.paddr, s64.vaddr, s64.filesz, s64.memsz};
		return s64.type == LOAD;
	}
	memcpy(&s32, at, sizeof(s32));
	*s = (struct segment){s32.offset, s32.paddr, s32.vaddr, s32.filesz, s32.memsz};
	return s32.type == LOAD;
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

static int load_by_segments(struct load *load)
{
	struct entry entry = {NO_ENTRY, NO_ENTRY};
	struct headers h;

	*load->problem = "no ELF image for x86: expected ELF32 or ELF64";
	if (!read_headers(load->image, load->size, &h)) return -ENOEXEC;
	*load->problem = "the program headers lie beyond the end of the file (is it truncated?)";
	if (h.phoff > load->size || (uint64_t)h.phnum * h.phentsize > load->size - h.phoff) return -ENOEXEC;
	for (unsigned i = 0; i < h.phnum; i++) {
		struct segment s;
		int error;

		if (!read_segment(load->image + h.phoff + (size_t)i * h.phentsize, h.is_64, &s)) continue;
		error = load_segment(load, &s);
		if (error) return error;
		find_entry(h.entry, &s, &entry);
	}
	*load->problem = "the image has nothing to load";
	if (!load->loaded->end) return -ENOEXEC;
	*load->problem = "the entry point lies in no segment";
	if (entry.by_virtual == NO_ENTRY && entry.by_physical == NO_ENTRY) return -ENOEXEC;
	load->loaded->entry = (uint32_t)(entry.by_virtual != NO_ENTRY ? entry.by_virtual : entry.by_physical);
	return 0;
}

int elf_load(const uint8_t *image, size_t size, const struct elf_target *target, struct elf_image *loaded,
	     const char **problem)
{
	struct load load = {
		.image = image,
		.size = size,
		.target = target,
		.loaded = loaded,
		.room = target->low_end + (target->high_end - target->high_start),
		.problem = problem,
	};
	struct multiboot_header header;
	size_t at;

	*loaded = (struct elf_image){.start = ~0ULL};
	*problem = "no multiboot header in the first 8192 bytes: no guest image";
	if (!find_multiboot(image, size, &header, &at)) return -ENOEXEC;
	*problem = "the multiboot header requires a feature that is not offered";
	if (header.flags & MULTIBOOT_REQUIRED & ~MULTIBOOT_KNOWN) return -ENOEXEC;
	return header.flags & MULTIBOOT_ADDRESSES ? load_by_addresses(&load, at, &header) : load_by_segments(&load);
}
