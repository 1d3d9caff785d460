/* SPDX-License-Identifier: MIT */
/*
 * Loads a Linux kernel by its 64-bit boot protocol, or by its 32-bit one if its header offers no more
 * (boot.rst, "64-bit Boot Protocol"). The file is a boot sector, a real-mode setup that is skipped, and a
 * payload that unpacks itself; what the setup would have asked of a BIOS is told in the zero page.
 */
#include "hv/dev/firmware.h"
#include "hv/load/load.h"
#include "lib/string.h"
#include "lib/x86.h"

/* The setup header, from byte 0x1f1 of the file and of the zero page (boot.rst, "The Real-Mode
 * Kernel Header"). */
struct setup_header {
	uint8_t setup_sectors;
	uint16_t root_flags;
	uint32_t payload_paragraphs;
	uint16_t ram_size, video_mode, root_device, boot_flag;
	uint8_t jump, jump_length;
	uint32_t magic;
	uint16_t version;
	uint32_t realmode_switch;
	uint16_t start_segment, kernel_version;
	uint8_t loader, load_flags;
	uint16_t setup_move_size;
	uint32_t code32_start, initrd, initrd_size, bootsect_kludge;
	uint16_t heap_end;
	uint8_t loader_version, loader_type;
	uint32_t command_line;
	uint32_t initrd_last; /* the highest address that the initrd may occupy */
	uint32_t alignment;
	uint8_t relocatable, minimum_alignment;
	uint16_t x_load_flags;
	uint32_t command_line_max, subarchitecture;
	uint64_t subarchitecture_data;
	uint32_t payload_offset, payload_length;
	uint64_t setup_data, preferred_address;
	uint32_t init_size; /* bytes it needs from where it runs on before it knows the memory map */
	uint32_t handover_offset;
} __attribute__((packed));

#define HEADER_OFFSET 0x1f1UL
#define MAGIC_OFFSET  0x202UL /* from here on the jump's length counts */
#define HEADER_LIMIT  0x290UL /* where the zero page goes on */

_Static_assert(HEADER_OFFSET + offsetof(struct setup_header, magic) == MAGIC_OFFSET, "boot.rst");
_Static_assert(HEADER_OFFSET + offsetof(struct setup_header, init_size) == 0x260, "boot.rst");

#define BOOT_FLAG       0xaa55
#define MAGIC           0x53726448 /* "HdrS" */
#define VERSION_2_10    0x020a
#define VERSION_2_12    0x020c
#define LOADER_UNKNOWN  0xff
#define LOADED_HIGH     BIT(0)
#define KERNEL_64       BIT(0) /* of the extended load flags: it has a 64-bit entry, */
#define ENTRY_64        0x200  /* here in its payload */
#define SECTOR          512
#define DEFAULT_SECTORS 4
#define PARAGRAPH       16

/* Linux's struct boot_params (zero-page.rst). */
struct zero_page {
	uint8_t other[0x70];
	uint64_t rsdp;
	uint8_t more[0x170];
	uint8_t e820_ranges;
	uint8_t rest[HEADER_OFFSET - 0x1e9];
	uint8_t header[HEADER_LIMIT - HEADER_OFFSET];
	uint8_t signatures[0x2d0 - HEADER_LIMIT];
	struct e820_range e820[E820_RANGES];
} __attribute__((packed));

_Static_assert(offsetof(struct zero_page, rsdp) == 0x70, "zero-page.rst");
_Static_assert(offsetof(struct zero_page, e820_ranges) == 0x1e8, "zero-page.rst");
_Static_assert(offsetof(struct zero_page, e820) == 0x2d0, "zero-page.rst");

#define ENTRIES (PAGE_SIZE / sizeof(uint64_t))

/* What the kernel is given, below the extended BIOS data area, where nothing else is. */
struct given {
	struct zero_page zero_page;
	uint8_t up_to_a_page[PAGE_SIZE - sizeof(struct zero_page)];
	char command_line[PAGE_SIZE];
	uint64_t gdt[ENTRIES];
	/* Of a 64-bit entry: 4 GiB, each byte where it is. */
	uint64_t pml4[ENTRIES], pdpt[ENTRIES], directory[4 * ENTRIES];
};

#define GIVEN_BASE     0x90000
#define GIVEN_AT(part) (GIVEN_BASE + (uint32_t)offsetof(struct given, part))
_Static_assert(GIVEN_BASE + sizeof(struct given) <= FIRMWARE_EBDA, "it has room");

/* What the protocols call __BOOT_CS and __BOOT_DS, and the flat segments behind them (SDM 3A 3.4.5). */
enum { BOOT_CS = 0x10, BOOT_DS = 0x18 };
#define CODE_32 0x00cf9b000000ffff
#define CODE_64 0x00af9b000000ffff
#define DATA    0x00cf93000000ffff

/* An image as its header describes it, each number checked. */
struct bzimage {
	struct setup_header header;
	size_t header_size;
	uint64_t setup; /* bytes before the payload */
	uint64_t payload;
	uint64_t start, end; /* guest-physical, of the payload and of all that it needs to begin */
};

bool bzimage_probe(const uint8_t *image, size_t size)
{
	struct setup_header header;

	if (size < HEADER_OFFSET + sizeof(header)) return false;
	memcpy(&header, image + HEADER_OFFSET, sizeof(header));
	return header.boot_flag == BOOT_FLAG && header.magic == MAGIC;
}

static bool has_64bit_entry(const struct setup_header *h)
{
	return h->version >= VERSION_2_12 && h->x_load_flags & KERNEL_64;
}

/* What this loader cannot do, or what is not there. */
static const char *check_header(const struct setup_header *h, uint64_t setup, size_t size)
{
	uint64_t payload = (uint64_t)h->payload_paragraphs * PARAGRAPH;

	if (h->version < VERSION_2_10) return "a kernel of a boot protocol before 2.10: expected 2.10 or later";
	if (!(h->load_flags & LOADED_HIGH)) return "a zImage, which runs below 1 MiB: expected a bzImage";
	if (MAGIC_OFFSET + h->jump_length < HEADER_OFFSET + sizeof(*h))
		return "a setup header that ends too early: expected that of protocol 2.10";
	if (!payload || setup + payload > ALIGN_UP(size, PARAGRAPH))
		return "a kernel shorter than its header says: expected all of it (is it truncated?)";
	if (has_64bit_entry(h) && payload <= ENTRY_64)
		return "a kernel that ends before its 64-bit entry: expected all of it";
	if (h->relocatable && (!h->alignment || h->alignment & (h->alignment - 1)))
		return "a kernel whose alignment is no power of two: expected one";
	return NULL;
}

/* Where the payload goes, and where the memory ends that it takes without asking. */
static void place(struct bzimage *b)
{
	const struct setup_header *h = &b->header;
	uint64_t runs = h->preferred_address;

	b->start = h->code32_start;
	if (h->relocatable) runs = MAX(runs, ALIGN_UP(b->start, h->alignment));
	b->end = MAX(b->start + b->payload, runs + h->init_size);
}

/* As load_image(); nothing is written. */
static const char *parse(const struct load_job *job, struct bzimage *b)
{
	const struct setup_header *h = &b->header;
	const char *problem;

	memcpy(&b->header, job->image + HEADER_OFFSET, sizeof(b->header));
	b->setup = ((h->setup_sectors ? h->setup_sectors : DEFAULT_SECTORS) + 1UL) * SECTOR;
	problem = check_header(h, b->setup, job->size);
	if (problem) return problem;
	b->header_size = MIN(MAGIC_OFFSET + h->jump_length, HEADER_LIMIT) - HEADER_OFFSET;
	b->payload = job->size - b->setup;
	place(b);
	if (b->start < MiB || h->preferred_address > job->map->low_end || b->end > job->map->low_end)
		return "the kernel and what it needs to unpack itself do not fit into RAM: expected a larger mem=";
	if (strlen(job->command_line) > MIN(h->command_line_max, PAGE_SIZE - 1))
		return "the command line is too long: expected what the kernel's header allows";
	return NULL;
}

/* As high as the kernel allows, page-aligned: the kernel unpacks itself at the other end. */
static bool put_initrd(const struct load_job *job, struct bzimage *b)
{
	uint64_t last = MIN(job->map->low_end, b->header.initrd_last + 1ULL), start;

	if (last < b->end || job->initrd_size > last - b->end) return false;
	start = ALIGN_DOWN(last - job->initrd_size, PAGE_SIZE);
	if (start < b->end) return false;
	job->put(job->ram + start, job->initrd, job->initrd_size);
	b->header.initrd = (uint32_t)start;
	b->header.initrd_size = (uint32_t)job->initrd_size;
	return true;
}

static void put_zero_page(const struct load_job *job, struct bzimage *b, struct zero_page *page)
{
	b->header.loader = LOADER_UNKNOWN;
	b->header.command_line = GIVEN_AT(command_line);
	memcpy(page->header, job->image + HEADER_OFFSET, b->header_size);
	memcpy(page->header, &b->header, sizeof(b->header));
	page->rsdp = job->rsdp;
	page->e820_ranges = (uint8_t)e820_make(page->e820, job->map->low_end, job->map->high_end);
}

static void put_page_tables(struct given *given)
{
	given->pml4[0] = GIVEN_AT(pdpt) | PAGE_P | PAGE_RW;
	for (unsigned i = 0; i < 4; i++) given->pdpt[i] = GIVEN_AT(directory[i * ENTRIES]) | PAGE_P | PAGE_RW;
	for (unsigned i = 0; i < 4 * ENTRIES; i++) given->directory[i] = i * 2 * MiB | PAGE_P | PAGE_RW | PAGE_PS;
}

const char *bzimage_load(const struct load_job *job, struct load_entry *entry)
{
	struct given *given = (struct given *)(job->ram + GIVEN_BASE);
	struct bzimage b;
	const char *problem = parse(job, &b);
	bool long_mode = has_64bit_entry(&b.header);

	if (problem) return problem;
	b.header.initrd = b.header.initrd_size = 0;
	if (job->initrd && !put_initrd(job, &b))
		return "the initrd does not fit above the kernel: expected a larger mem=";
	job->put(job->ram + b.start, job->image + b.setup, b.payload);
	memset(given, 0, sizeof(*given));
	memcpy(given->command_line, job->command_line, strlen(job->command_line) + 1);
	put_zero_page(job, &b, &given->zero_page);
	given->gdt[BOOT_CS / 8] = long_mode ? CODE_64 : CODE_32;
	given->gdt[BOOT_DS / 8] = DATA;
	*entry = (struct load_entry){.rip = b.start, .rsi = GIVEN_BASE, .code = BOOT_CS, .data = BOOT_DS};
	entry->gdt = GIVEN_AT(gdt);
	if (!long_mode) return NULL;
	put_page_tables(given);
	entry->rip += ENTRY_64;
	entry->cr3 = GIVEN_AT(pml4);
	return NULL;
}
