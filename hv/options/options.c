/* SPDX-License-Identifier: MIT */
/*
 * Splits a line into words and compares each with what the line may have. What is wrong is told
 * with the word and what was expected, in the caller's buffer.
 */
#include "hv/options/options.h"

#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"

#define WATCH_EXPECTED "trace=exits, events or off; stop=entry, transition, exit, kill or vmcall"
#define HV_EXPECTED    "console=e9, console=guest, check, check=always, gdb, trace=, stop= or mask=FEATURE[,FEATURE]..."
#define IOMMU_EXPECTED "iommu=off or iommu=on[,sc][,cm=off][,strict]"
#define MEMORY_DEFAULT (128 * MiB)
#define MEMORY_MIN     (2 * MiB)
#define MEMORY_MAX     (1024 * GiB)

/* A word of the line: not NUL-terminated. */
struct word {
	const char *text;
	size_t length;
};

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* Cut the next word off *line. An empty one means the line has ended. */
static struct word next_word(const char **line)
{
	struct word word;

	while (is_blank(**line)) (*line)++;
	word.text = *line;
	while (**line && !is_blank(**line)) (*line)++;
	word.length = (size_t)(*line - word.text);
	return word;
}

static bool is(struct word word, const char *text)
{
	return word.length == strlen(text) && !memcmp(word.text, text, word.length);
}

/* If the word begins with 'key', cut that off. */
static bool has_key(struct word *word, const char *key)
{
	size_t length = strlen(key);

	if (word->length < length || memcmp(word->text, key, length)) return false;
	word->text += length;
	word->length -= length;
	return true;
}

/* Cut the part up to the next comma off 'rest'; false, and an empty part, when there is none left.
 */
static bool next_part(struct word *rest, struct word *part)
{
	size_t n = 0;

	*part = (struct word){"", 0};
	if (!rest->text) return false;
	while (n < rest->length && rest->text[n] != ',') n++;
	*part = (struct word){rest->text, n};
	if (n == rest->length)
		rest->text = NULL;
	else
		*rest = (struct word){rest->text + n + 1, rest->length - n - 1};
	return true;
}

static int fail(struct option_error *error, struct word word, const char *expected)
{
	size_t n = MIN(word.length, (size_t)OPTION_WORD_MAX);

	for (size_t i = 0; i < n; i++) /* the console shows it: keep it printable */
		error->word[i] = word.text[i] >= ' ' && word.text[i] <= '~' ? word.text[i] : '?';
	error->word[n] = '\0';
	error->expected = expected;
	return -EINVAL;
}

static bool parse_number(struct word word, uint64_t *value)
{
	return word.length <= 12 && digits_value(word.text, word.length, 10, value);
}

/* "64M": decimal with K, M, G or nothing behind it. False on anything else and on overflow. */
static bool parse_size(struct word word, uint64_t *size)
{
	uint64_t value, unit = 1;

	if (word.length && strchr("KMG", word.text[word.length - 1])) {
		char c = word.text[--word.length];

		unit = c == 'K' ? KiB : c == 'M' ? MiB : GiB;
	}
	if (!parse_number(word, &value)) return false;
	*size = value * unit;
	return *size / unit == value;
}

/* Which of the names, up to a NULL, the word is, or -1. */
static int find_name(struct word word, const char *const *names)
{
	for (int i = 0; names && names[i]; i++)
		if (is(word, names[i])) return i;
	return -1;
}

/* Parts with commas between them, each one of the names: its number is a bit of *set. */
static bool parse_list(struct word rest, const char *const *names, bool once, unsigned *set)
{
	struct word part;

	while (next_part(&rest, &part)) {
		int found = find_name(part, names);

		if (found < 0 || (once && *set & 1U << found)) return false;
		*set |= 1U << found;
	}
	return true;
}

/* What a line's words are read into: the options' fields, of a VM the options, and the buffer for an error's list. */
struct target {
	char *fields;
	struct vm_options *vm;
	struct option_error *error;
};

/* What a line may have: words that begin with 'key'. */
struct word_row {
	const char *key;
	const char *expected;
	/* The values there are, up to a NULL. One's number goes to the field at 'offset'; of a list, a bit for each. */
	const char *const *names;
	size_t offset;
	bool list;
	/* Where there is one instead, it reads what follows the key: NULL, or what was expected. */
	const char *(*parse)(struct word value, const struct target *to);
};

static const char *parse_word(struct word word, const struct word_row *row, const struct target *to)
{
	int found;

	for (; row->key; row++) {
		struct word value = word;
		unsigned *field = (unsigned *)(to->fields + row->offset);

		if (!has_key(&value, row->key)) continue;
		if (row->parse) return row->parse(value, to);
		if (row->list) return parse_list(value, row->names, false, field) ? NULL : row->expected;
		found = find_name(value, row->names);
		if (found < 0) return row->expected;
		*field = (unsigned)found;
		return NULL;
	}
	return row->expected;
}

#define NAMES(...)                                                                                                     \
	(const char *const[]) { __VA_ARGS__, NULL }
#define NO_WORD " " /* no word has a blank */
#define FLAG    NAMES(NO_WORD, "")

#define HV_FIELD(name) .offset = offsetof(struct hv_options, name)
#define VM_FIELD(name) .offset = offsetof(struct vm_options, name)

_Static_assert(MASK_INVEPT_SINGLE == 1 << 5 && STOP_VMCALL == 1 << 4, "a bit for each name, in their order");

static const struct word_row hv_words[] = {
	{"console=e9", HV_EXPECTED, FLAG, HV_FIELD(console_e9)},
	{"console=guest", HV_EXPECTED, FLAG, HV_FIELD(console_guest)},
	{"check=always", HV_EXPECTED, FLAG, HV_FIELD(check_always)},
	{"check", HV_EXPECTED, FLAG, HV_FIELD(check)},
	{"gdb", HV_EXPECTED, FLAG, HV_FIELD(gdb)},
	{"mask=", "mask= with timer, vpid, ept-ad, ept-2m, ept-1g, invept-single",
	 NAMES("timer", "vpid", "ept-ad", "ept-2m", "ept-1g", "invept-single"), HV_FIELD(mask), .list = true},
	{"trace=", WATCH_EXPECTED, NAMES("off", "events", "exits"), HV_FIELD(trace)},
	{"stop=", WATCH_EXPECTED, NAMES("entry", "transition", "exit", "kill", "vmcall"), HV_FIELD(stop), .list = true},
	{.expected = HV_EXPECTED},
};

int hv_options_parse(const char *line, struct hv_options *options, struct option_error *error)
{
	const struct target to = {.fields = (char *)options, .error = error};
	const char *expected;
	struct word word;

	memset(options, 0, sizeof(*options));
	while ((word = next_word(&line)).length) {
		expected = parse_word(word, hv_words, &to);
		if (options->trace && options->console_e9) expected = "trace= or console=e9: port 0xe9 has one use";
		if (expected) return fail(error, word, expected);
	}
	return 0;
}

static bool good_name(struct word word)
{
	if (!word.length || word.length > VM_NAME_MAX || is(word, "hv")) return false;
	for (size_t i = 0; i < word.length; i++) {
		char c = word.text[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-') return false;
	}
	return true;
}

static const char *parse_memory(struct word value, const struct target *to)
{
	uint64_t size;

	if (!parse_size(value, &size) || size < MEMORY_MIN || size > MEMORY_MAX || !IS_ALIGNED(size, MiB))
		return "mem= and a number of megabytes from 2M to 1024G, as in mem=128M";
	to->vm->memory = size;
	return NULL;
}

static const char *parse_cpus(struct word value, const struct target *to)
{
	uint64_t cpus;

	if (!parse_number(value, &cpus) || cpus < 1 || cpus > VM_CPUS_MAX) return "cpus=1 to cpus=16";
	to->vm->cpus = (unsigned)cpus;
	return NULL;
}

/* Whole: what an earlier iommu= on the line asked for does not last. */
static const char *parse_iommu(struct word value, const struct target *to)
{
	enum { SC = 1 << 0, CM_OFF = 1 << 1, STRICT = 1 << 2 };
	struct vm_options *options = to->vm;
	unsigned set = 0;
	struct word part;

	next_part(&value, &part);
	options->iommu = is(part, "on");
	if (!options->iommu && (!is(part, "off") || value.text)) return IOMMU_EXPECTED;
	if (!parse_list(value, NAMES("sc", "cm=off", "strict"), false, &set)) return IOMMU_EXPECTED;
	options->snoop_control = set & SC;
	options->caching_mode = !(set & CM_OFF);
	options->strict = set & STRICT;
	return NULL;
}

/* "dev=edu[,snoop] or dev=testdev": the table's names, and with each the words it takes. */
static const char *list_devices(struct option_error *error)
{
	error->list[0] = '\0';
	for (unsigned i = 0; i < optional_device_count; i++) {
		const struct device_row *row = optional_devices[i];

		format_append(error->list, sizeof(error->list), "%sdev=%s", i ? " or " : "", row->name);
		for (unsigned w = 0; row->words && row->words[w]; w++)
			format_append(error->list, sizeof(error->list), "[,%s]", row->words[w]);
	}
	return error->list;
}

/* NAME[,WORD]..., each word once. */
static const char *parse_device(struct word value, const struct target *to)
{
	struct device_option device = {0};
	struct word name;

	next_part(&value, &name);
	for (unsigned i = 0; i < optional_device_count; i++)
		if (is(name, optional_devices[i]->name)) device.row = optional_devices[i];
	if (!device.row || !parse_list(value, device.row->words, true, &device.words)) return list_devices(to->error);
	if (to->vm->devices == VM_DEVICES_MAX) return "at most 8 devices";
	to->vm->device[to->vm->devices++] = device;
	return NULL;
}

static const struct word_row vm_words[] = {
	{"mem=", .parse = parse_memory},
	{"cpus=", .parse = parse_cpus},
	{"iommu=", .parse = parse_iommu},
	{"dev=", .parse = parse_device},
	{"memtype=", "memtype=kvm-6.6, kvm-6.7, kvm-6.11 or kvm-6.16", memtype_policies, VM_FIELD(policy)},
	{"coherence=", "coherence=none or coherence=model", NAMES("none", "model"), VM_FIELD(coherence)},
	{"reset=", "reset=end or reset=restart", NAMES("end", "restart"), VM_FIELD(restart)},
	{"transition=", "transition=zap or retype", NAMES("zap", "retype"), VM_FIELD(retype)},
	{"fill=", "fill=leaf or table", NAMES("leaf", "table"), VM_FIELD(fill_table)},
	{.expected = "mem=, cpus=, iommu=, dev=, memtype=, coherence=, transition=, fill=, reset= or --"},
};

int vm_options_parse(const char *line, struct vm_options *options, struct option_error *error)
{
	const struct target to = {.vm = options, .fields = (char *)options, .error = error};
	struct word word = next_word(&line);

	memset(options, 0, sizeof(*options));
	options->memory = MEMORY_DEFAULT;
	options->cpus = 1;
	options->caching_mode = true;
	options->policy = MEMTYPE_KVM_6_7;
	options->command_line = "";
	if (is(word, "initrd")) /* it was not alone, or it would not be taken for a VM's line */
		return fail(error, next_word(&line), "nothing behind 'initrd'");
	if (!is(word, "vm")) return fail(error, word, "'vm NAME [words] -- command line' or 'initrd'");
	word = next_word(&line);
	if (!good_name(word)) return fail(error, word, "a NAME of 1 to 15 characters a-z, 0-9, '-', not 'hv'");
	memcpy(options->name, word.text, word.length);
	while ((word = next_word(&line)).length) {
		const char *expected;

		if (is(word, "--")) {
			options->command_line = is_blank(*line) ? line + 1 : line;
			return 0;
		}
		expected = parse_word(word, vm_words, &to);
		if (expected) return fail(error, word, expected);
	}
	return 0;
}

bool options_is_initrd(const char *line)
{
	struct word first = next_word(&line);

	return is(first, "initrd") && !next_word(&line).length;
}

void options_unescape(char *line)
{
	char *to = line;

	while (*line) {
		if (*line == '\\' && line[1] && strchr("\\'\"", line[1])) line++;
		*to++ = *line++;
	}
	*to = '\0';
}
