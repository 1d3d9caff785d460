// SPDX-License-Identifier: MIT
/*
 * `make explain`: why a guest-physical address has its memory type, from the very code that the
 * hypervisor runs (ept/). A VM is set up as the words in the environment say, the address is
 * touched, and the explanation printed. The host's addresses are made up; the types are not.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ept/explain.h"
#include "ept/table.h"
#include "hv/load/guest_map.h"
#include "lib/x86.h"
#include "tests/ept_world.h"
#include "tools/memtype_policy.h"

#define HOST_RAM    (4 * GiB)
#define HOST_WIDTH  46
#define GUEST_WIDTH 40
#define TABLES      256
#define COUNT_MAX   8

struct vm {
	struct ept_world world;
	struct ept ept;
	struct mtrr mtrr;
	struct ept_cpu cpu;
	struct ept_pat pat;
	uint64_t gpa;
	unsigned next_range; /* the variable range that the next word sets */
};

static void __attribute__((noreturn)) refuse(const char *name, const char *word, const char *expected)
{
	fprintf(stderr, "make explain: %s: '%s' is not understood, expected %s: see docs/memory-types.md\n", name, word,
		expected);
	exit(2);
}

/* The variable's value, or what it is when make was not given one. */
static const char *value_of(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && *value ? value : otherwise;
}

/*
 * A number, decimal or hexadecimal with 0x, with K, M, G or T behind it; *end is where it ends. False: there
 * is none, or it has more than 64 bits.
 */
static bool parse_number(const char *text, uint64_t *value, const char **end)
{
	static const char units[] = "KMGT";
	bool hexadecimal = !strncmp(text, "0x", 2);
	const char *unit;
	unsigned shift;
	char *rest;

	if (!isxdigit((unsigned char)text[hexadecimal ? 2 : 0]) || !isdigit((unsigned char)*text)) return false;
	errno = 0;
	*value = strtoull(text, &rest, hexadecimal ? 16 : 10);
	unit = *rest ? strchr(units, *rest) : NULL;
	shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
	if (errno || *value << shift >> shift != *value) return false;
	*value <<= shift;
	*end = rest + (unit != NULL);
	return true;
}

static uint64_t number(const char *name, const char *otherwise, uint64_t most, const char *expected)
{
	const char *text = value_of(name, otherwise), *end;
	uint64_t value;

	if (!parse_number(text, &value, &end) || *end || value > most) refuse(name, text, expected);
	return value;
}

/* The type that the first 'length' characters name, or MEMTYPE_UC_MINUS + 1. */
static unsigned parse_type(const char *text, size_t length)
{
	for (unsigned type = 0; type <= MEMTYPE_UC_MINUS; type++) {
		const char *name = memtype_name(type);

		if (*name != '?' && strlen(name) == length && !strncmp(text, name, length)) return type;
	}
	return MEMTYPE_UC_MINUS + 1;
}

static bool write_mtrr(struct mtrr *mtrr, uint32_t msr, uint64_t value)
{
	unsigned count;

	return mtrr_write(mtrr, msr, value, NULL, &count) == 0;
}

/* As a multiboot guest finds them. */
static void entry_mtrrs(struct vm *vm)
{
	mtrr_reset(&vm->mtrr, GUEST_WIDTH);
	vm->mtrr.fixed[0] = vm->mtrr.fixed[1] = 0x0606060606060606;
	write_mtrr(&vm->mtrr, MSR_IA32_MTRR_PHYSBASE0, 3 * GiB | MEMTYPE_UC);
	write_mtrr(&vm->mtrr, MSR_IA32_MTRR_PHYSMASK0, (BIT(GUEST_WIDTH) - GiB) | PHYSMASK_V);
	write_mtrr(&vm->mtrr, MSR_IA32_MTRR_DEF_TYPE, DEF_TYPE_E | DEF_TYPE_FE | MEMTYPE_WB);
	vm->next_range = 1;
}

static bool set_default(struct vm *vm, const char *type)
{
	return write_mtrr(&vm->mtrr, MSR_IA32_MTRR_DEF_TYPE,
			  (vm->mtrr.def_type & ~DEF_TYPE_TYPE) | parse_type(type, strlen(type)));
}

/* TYPE@START+SIZE */
static bool set_range(struct vm *vm, const char *word)
{
	const char *at = strchr(word, '@'), *end;
	uint32_t msr = MSR_IA32_MTRR_PHYSBASE0 + 2 * vm->next_range;
	uint64_t start, size;

	if (!at || !parse_number(at + 1, &start, &end) || *end != '+' || !parse_number(end + 1, &size, &end) || *end ||
	    size < PAGE_SIZE || (size & (size - 1)) || !IS_ALIGNED(start, size) ||
	    vm->next_range == MTRR_VARIABLE_COUNT)
		return false;
	vm->next_range++;
	return write_mtrr(&vm->mtrr, msr, start | parse_type(word, (size_t)(at - word))) &&
	       write_mtrr(&vm->mtrr, msr + 1, (BIT(GUEST_WIDTH) - size) | PHYSMASK_V);
}

/* MSR=VALUE, as WRMSR takes them */
static bool set_register(struct vm *vm, const char *word)
{
	const char *end;
	uint64_t msr, value;

	return parse_number(word, &msr, &end) && *end == '=' && msr <= UINT32_MAX &&
	       parse_number(end + 1, &value, &end) && !*end && write_mtrr(&vm->mtrr, (uint32_t)msr, value);
}

static bool set_mtrr(struct vm *vm, const char *word)
{
	if (!strcmp(word, "off")) return write_mtrr(&vm->mtrr, MSR_IA32_MTRR_DEF_TYPE, 0);
	if (!strcmp(word, "none")) {
		mtrr_reset(&vm->mtrr, GUEST_WIDTH);
		vm->next_range = 0;
		return write_mtrr(&vm->mtrr, MSR_IA32_MTRR_DEF_TYPE, DEF_TYPE_E | MEMTYPE_WB);
	}
	if (!strncmp(word, "default=", 8)) return set_default(vm, word + 8);
	return *word == '0' ? set_register(vm, word) : set_range(vm, word);
}

static void parse_mtrrs(struct vm *vm)
{
	char words[512], *at, *word;

	entry_mtrrs(vm);
	if ((size_t)snprintf(words, sizeof(words), "%s", value_of("MTRR", "")) >= sizeof(words))
		refuse("MTRR", value_of("MTRR", ""), "at most 511 characters");
	for (word = strtok_r(words, " ", &at); word; word = strtok_r(NULL, " ", &at)) {
		if (!set_mtrr(vm, word))
			refuse("MTRR", word,
			       "off, none, default=TYPE, TYPE@START+SIZE with a size that is a "
			       "power of two and divides the start, or 0xMSR=VALUE");
	}
}

static void parse_pat(struct vm *vm)
{
	const char *text = value_of("PAT", "0"), *end;
	unsigned type = parse_type(text, strlen(text));
	uint64_t index;

	vm->pat = (struct ept_pat){.value = PAT_RESET, .assumed = !*value_of("PAT", "")};
	if (!strcmp(text, "off")) {
		vm->pat.index = EPT_NO_PAGING;
	} else if (type <= MEMTYPE_UC_MINUS) {
		vm->pat.value = (PAT_RESET & ~0xffULL) | type;
	} else {
		if (!parse_number(text, &index, &end) || index > 7 ||
		    (*end == ':' && !parse_number(end + 1, &vm->pat.value, &end)) || *end || !pat_valid(vm->pat.value))
			refuse("PAT", text,
			       "an entry's number 0 to 7, NUMBER:IA32_PAT of eight types, the type of "
			       "entry 0, or off (paging off)");
		vm->pat.index = (unsigned)index;
	}
}

static struct ept_caps parse_caps(void)
{
	const char *text = value_of("LARGE", "1G");
	struct ept_caps caps = {.accessed_dirty = true, .address_width = HOST_WIDTH};

	caps.large_1g = !strcmp(text, "1G");
	caps.large_2m = caps.large_1g || !strcmp(text, "2M");
	if (!caps.large_2m && strcmp(text, "4K") != 0) refuse("LARGE", text, "4K, 2M or 1G");
	return caps;
}

static enum memtype_policy parse_policy(void)
{
	const char *text = value_of("POLICY", "kvm-6.7");
	int policy = memtype_policy_parse(text);

	if (policy < 0) refuse("POLICY", text, "kvm-6.6, kvm-6.7, kvm-6.11 or kvm-6.16");
	return (enum memtype_policy)policy;
}

static void add_memory(struct vm *vm)
{
	uint64_t size = number("RAM", "128M", 1024 * GiB, "2M to 1T");
	struct guest_map map;

	if (size < 2 * MiB || !IS_ALIGNED(size, PAGE_SIZE)) refuse("RAM", value_of("RAM", ""), "2M to 1T");
	guest_map_make(&map, size, HOST_RAM);
	for (unsigned i = 0; i < map.slots; i++) ept_slot_add(&vm->ept, &map.slot[i]);
}

/* COUNT=1, or 0,1: what it was and what it became; the address is touched each time. */
static void touch_at_counts(struct vm *vm)
{
	const char *text = value_of("COUNT", "1"), *at = text;
	struct ept_fill fill;
	uint64_t count;

	do {
		if (!parse_number(at, &count, &at) || count > COUNT_MAX || (*at && *at != ','))
			refuse("COUNT", text, "0 to 8, or several in turn: 0,1");
		while (vm->ept.noncoherent != count)
			ept_noncoherent_change(&vm->ept, &vm->cpu, vm->ept.noncoherent < count ? 1 : -1);
		ept_fault(&vm->ept, &vm->cpu, vm->gpa, false, &fill);
	} while (*at++);
}

static void print_line(void *ctx, const char *text)
{
	(void)ctx;
	puts(text);
}

int main(void)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	struct ept_caps caps = parse_caps();
	struct ept_explanation why;

	world_init(&vm->world, TABLES);
	ept_init(&vm->ept, &vm->world.host, &caps, parse_policy());
	vm->cpu = (struct ept_cpu){.mtrr = &vm->mtrr, .cd = number("CD", "0", 1, "0 or 1")};
	vm->gpa = number("GPA", "", BIT(EPT_GPA_BITS) - 1, "an address of at most 48 bits: GPA=0x2240000");
	parse_mtrrs(vm);
	parse_pat(vm);
	add_memory(vm);
	touch_at_counts(vm);
	ept_explain(&vm->ept, &vm->cpu, &vm->pat, vm->gpa, &why);
	ept_explain_print(&why, print_line, NULL);
	ept_destroy(&vm->ept);
	world_destroy(&vm->world);
	free(vm);
	return 0;
}
