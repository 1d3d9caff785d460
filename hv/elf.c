/* SPDX-License-Identifier: MIT */
#include "hv/elf.h"

#include <stdbool.h>

#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"

#define MULTIBOOT_MAGIC	   0x1badb002
#define MULTIBOOT_SEARCH   8192
#define MULTIBOOT_ADDRESSES BIT(16) /* the header names the load addresses itself */
#define MULTIBOOT_REQUIRED BITS(15, 0)
#define MULTIBOOT_KNOWN	   (BIT(0) | BIT(1) | BIT(2)) /* page-aligned modules, memory, video */

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

static bool find_multiboot(const uint8_t *image, size_t size, struct multiboot_header *header,
			   size_t *at)
{
	size_t end = MIN(size, (size_t)MULTIBOOT_SEARCH);

	memset(header, 0, sizeof(*header));
	for (*at = 0; *at + 12 <= end; *at += 4) {
		memcpy(header, image + *at, 12);
		if (header->magic == MULTIBOOT_MAGIC &&
		    !(uint32_t)(header->magic + header->flags + header->checksum)) {
			memcpy(header, image + *at, MIN(sizeof(*header), size - *at));
			return true;
		}
	}
	return false;
}

static bool fits(const struct elf_target *t, uint64_t start, uint64_t size)
{
	uint64_t end = start + size;

	return end >= start &&
	       (end <= t->low_end || (start >= t->high_start && end <= t->high_end));
}

static int load_segment(const uint8_t *image, size_t size, const struct segment *s,
			const struct elf_target *target, struct elf_image *loaded,
			const char **problem)
{
	if (!s->memsz)
		return 0;
	*problem = "a segment has more bytes in the file than in memory";
	if (s->filesz > s->memsz)
		return -ENOEXEC;
	*problem = "a segment lies beyond the end of the file (is it truncated?)";
	if (s->offset > size || s->filesz > size - s->offset)
		return -ENOEXEC;
	*problem = "a segment lies outside the VM's RAM: a larger mem= or another link address";
	if (!fits(target, s->paddr, s->memsz))
		return -ENOEXEC;
	memcpy(target->memory + s->paddr, image + s->offset, s->filesz);
	memset(target->memory + s->paddr + s->filesz, 0, s->memsz - s->filesz);
	loaded->start = MIN(loaded->start, s->paddr);
	loaded->end = MAX(loaded->end, s->paddr + s->memsz);
	return 0;
}

/* The a.out kludge: Multiboot 3.1.3. */
static int load_by_addresses(const uint8_t *image, size_t size, size_t at,
			     const struct multiboot_header *h, const struct elf_target *target,
			     struct elf_image *loaded, const char **problem)
{
	struct segment s;
	uint64_t back = h->header_addr - h->load_addr;

	*problem = "the multiboot header's addresses contradict each other";
	if (h->header_addr < h->load_addr || back > at || size - at < sizeof(*h))
		return -ENOEXEC;
	s = (struct segment){.offset = at - back, .paddr = h->load_addr};
	s.filesz = h->load_end_addr ? (uint64_t)h->load_end_addr - h->load_addr : size - s.offset;
	s.memsz = h->bss_end_addr ? (uint64_t)h->bss_end_addr - h->load_addr : s.filesz;
	if ((h->load_end_addr && h->load_end_addr < h->load_addr) ||
	    (h->bss_end_addr && h->bss_end_addr < h->load_addr))
		return -ENOEXEC;
	loaded->entry = h->entry_addr;
	return load_segment(image, size, &s, target, loaded, problem);
}

static bool read_headers(const uint8_t *image, size_t size, struct headers *h)
{
	struct elf32_header h32;
	struct elf64_header h64;

	if (size < sizeof(h64) || memcmp(image, "\177ELF", 4) || image[5] != LITTLE_ENDIAN)
		return false;
	memcpy(&h32, image, sizeof(h32));
	memcpy(&h64, image, sizeof(h64));
	if (h32.ident[4] == CLASS_32 && h32.machine == MACHINE_386)
		*h = (struct headers){h32.entry, h32.phoff, h32.phentsize, h32.phnum, false};
	else if (h32.ident[4] == CLASS_64 && h64.machine == MACHINE_X86_64)
		*h = (struct headers){h64.entry, h64.phoff, h64.phentsize, h64.phnum, true};
	else
		return false;
	return h->phentsize >= (h->is_64 ? sizeof(struct elf64_segment)
					 : sizeof(struct elf32_segment));
}

/* Program header i, or false when it is no LOAD segment. The bytes are known to be there. */
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

static int load_by_segments(const uint8_t *image, size_t size, const struct elf_target *target,
			    struct elf_image *loaded, const char **problem)
{
	struct headers h;

	*problem = "no ELF image for x86, ELF32 or ELF64 was expected";
	if (!read_headers(image, size, &h))
		return -ENOEXEC;
	*problem = "the program headers lie beyond the end of the file (is it truncated?)";
	if (h.phoff > size || (uint64_t)h.phnum * h.phentsize > size - h.phoff)
		return -ENOEXEC;
	for (unsigned i = 0; i < h.phnum; i++) {
		struct segment s;
		int error;

		if (!read_segment(image + h.phoff + (size_t)i * h.phentsize, h.is_64, &s))
			continue;
		error = load_segment(image, size, &s, target, loaded, problem);
		if (error)
			return error;
		/* The entry point is a virtual address; the guest begins without paging. */
		if (h.entry - s.vaddr < s.memsz)
			loaded->entry = (uint32_t)(h.entry - s.vaddr + s.paddr);
	}
	*problem = "the entry point lies in no segment";
	return loaded->entry || !h.entry ? 0 : -ENOEXEC;
}

int elf_load(const uint8_t *image, size_t size, const struct elf_target *target,
	     struct elf_image *loaded, const char **problem)
{
	struct multiboot_header header;
	size_t at;
	int error;

	*loaded = (struct elf_image){.start = ~0ULL};
	*problem = "no multiboot header in the first 8192 bytes: no guest image";
	if (!find_multiboot(image, size, &header, &at))
		return -ENOEXEC;
	*problem = "the multiboot header requires a feature that is not offered";
	if (header.flags & MULTIBOOT_REQUIRED & ~MULTIBOOT_KNOWN)
		return -ENOEXEC;
	error = header.flags & MULTIBOOT_ADDRESSES
			? load_by_addresses(image, size, at, &header, target, loaded, problem)
			: load_by_segments(image, size, target, loaded, problem);
	if (error)
		return error;
	*problem = "the image has nothing to load";
	return loaded->end ? 0 : -ENOEXEC;
}
