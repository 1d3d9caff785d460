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

#define MASK_EXPECTED  "mask= with timer, vpid, ept-ad, ept-2m, ept-1g, invept-single"
#define WATCH_EXPECTED "trace=exits, events or off; stop=entry, transition, exit, kill or vmcall"
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

/* "64M": decimal with K, M, G or nothing behind it. False on anything else and on overflow. */
static bool parse_size(struct word word, uint64_t *size)
{
	uint64_t value = 0, unit = 1;

	if (word.length && strchr("KMG", word.text[word.length - 1])) {
		char c = word.text[--word.length];

		unit = c == 'K' ? KiB : c == 'M' ? MiB : GiB;
	}
	if (!word.length || word.length > 12) return false;
	for (size_t i = 0; i < word.length; i++) {
		if (word.text[i] < '0' || word.text[i] > '9') return false;
		value = value * 10 + (uint64_t)(word.text[i] - '0');
	}
	*size = value * unit;
	return *size / unit == value;
}

static bool parse_mask(struct word rest, unsigned *mask)
{
	static const struct {
		const char *name;
		unsigned bit;
	} names[] = {
		{"timer", MASK_TIMER},   {"vpid", MASK_VPID},     {"ept-ad", MASK_EPT_AD},
		{"ept-2m", MASK_EPT_2M}, {"ept-1g", MASK_EPT_1G}, {"invept-single", MASK_INVEPT_SINGLE},
	};
	struct word part;

	while (next_part(&rest, &part)) {
		unsigned bit = 0;

		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if (is(part, names[i].name)) bit = names[i].bit;
		if (!bit) return false;
		*mask |= bit;
	}
	return true;
}

/* Which of the names the word is, or -1. */
static int find_name(struct word word, const char *const *names, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (names[i] && is(word, names[i])) return (int)i;
	return -1;
}

/* trace= and stop=; false: it is neither, or has no such value. */
static bool parse_watch(struct word word, struct hv_options *options)
{
	static const char *const trace[] = {"off", "events", "exits"};
	static const char *const stop[] = {NULL, "entry", "transition", "exit", "kill", "vmcall"};
	int found;

	if (has_key(&word, "trace=")) {
		found = find_name(word, trace, ARRAY_SIZE(trace));
		options->trace = found < 0 ? TRACE_OFF : (enum trace_option)found;
		return found >= 0;
	}
	found = has_key(&word, "stop=") ? find_name(word, stop, ARRAY_SIZE(stop)) : -1;
	options->stop = found < 0 ? STOP_NEVER : (enum stop_option)found;
	return found >= 0;
}

static int parse_hv_word(struct word word, struct hv_options *options, struct option_error *error)
{
	struct word value = word;

	if (is(word, "console=e9"))
		options->console_e9 = true;
	else if (is(word, "console=guest"))
		options->console_guest = true;
	else if (is(word, "check"))
		options->check = true;
	else if (is(word, "gdb"))
		options->gdb = true;
	else if (has_key(&value, "mask="))
		return parse_mask(value, &options->mask) ? 0 : fail(error, word, MASK_EXPECTED);
	else if (has_key(&value, "trace=") || has_key(&value, "stop="))
		return parse_watch(word, options) ? 0 : fail(error, word, WATCH_EXPECTED);
	else
		return fail(error, word,
			    "console=e9, console=guest, check, gdb, trace=, stop= or "
			    "mask=FEATURE[,FEATURE]...");
	return 0;
}

int hv_options_parse(const char *line, struct hv_options *options, struct option_error *error)
{
	struct word word;
	int bad;

	memset(options, 0, sizeof(*options));
	while ((word = next_word(&line)).length) {
		bad = parse_hv_word(word, options, error);
		if (bad) return bad;
		if (options->trace && options->console_e9)
			return fail(error, word, "trace= or console=e9: port 0xe9 has one use");
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

static int parse_memory(struct word word, struct word value, struct vm_options *options, struct option_error *error)
{
	if (!parse_size(value, &options->memory) || options->memory < MEMORY_MIN || options->memory > MEMORY_MAX ||
	    !IS_ALIGNED(options->memory, MiB))
		return fail(error, word, "mem= and a number of megabytes from 2M to 1024G, as in mem=128M");
	return 0;
}

/* Whole: what an earlier iommu= on the line asked for does not last. */
static int parse_iommu(struct word word, struct word value, struct vm_options *options, struct option_error *error)
{
	struct word part;

	options->iommu = options->snoop_control = options->strict = false;
	options->caching_mode = true;
	if (is(value, "off")) return 0;
	if (!next_part(&value, &part) || !is(part, "on")) return fail(error, word, IOMMU_EXPECTED);
	options->iommu = true;
	while (next_part(&value, &part)) {
		if (is(part, "sc"))
			options->snoop_control = true;
		else if (is(part, "cm=off"))
			options->caching_mode = false;
		else if (is(part, "strict"))
			options->strict = true;
		else
			return fail(error, word, IOMMU_EXPECTED);
	}
	return 0;
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

/* Which of the row's words this is, as a bit; 0 for none. */
static unsigned device_word(const struct device_row *row, struct word word)
{
	for (unsigned w = 0; row->words && row->words[w]; w++)
		if (is(word, row->words[w])) return 1U << w;
	return 0;
}

/* NAME[,WORD]..., each word once. False if the table has no such device. */
static bool find_device(struct word value, struct device_option *device)
{
	struct word part;

	*device = (struct device_option){0};
	next_part(&value, &part);
	for (unsigned i = 0; i < optional_device_count; i++)
		if (is(part, optional_devices[i]->name)) device->row = optional_devices[i];
	while (device->row && next_part(&value, &part)) {
		unsigned word = device_word(device->row, part);

		if (!word || device->words & word) return false;
		device->words |= word;
	}
	return device->row;
}

static int parse_device(struct word word, struct word value, struct vm_options *options, struct option_error *error)
{
	struct device_option device;

	if (!find_device(value, &device)) return fail(error, word, list_devices(error));
	if (options->devices == VM_DEVICES_MAX) return fail(error, word, "at most 8 devices");
	options->device[options->devices++] = device;
	return 0;
}

static int parse_policy(struct word word, struct word value, struct vm_options *options, struct option_error *error)
{
	char name[16] = "";
	int policy;

	if (value.length < sizeof(name)) memcpy(name, value.text, value.length);
	policy = memtype_policy_parse(name);
	if (policy < 0) return fail(error, word, "memtype=kvm-6.6, kvm-6.7, kvm-6.11 or kvm-6.16");
	options->policy = (enum memtype_policy)policy;
	return 0;
}

/* One of two words, 'expected' says which: is it the second? */
static int parse_either(struct word word, struct word value, const char *first, const char *other, const char *expected,
			bool *second, struct option_error *error)
{
	*second = is(value, other);
	return *second || is(value, first) ? 0 : fail(error, word, expected);
}

static int parse_vm_word(struct word word, struct vm_options *options, struct option_error *error)
{
	struct word value = word;

	if (has_key(&value, "mem=")) return parse_memory(word, value, options, error);
	if (has_key(&value, "iommu=")) return parse_iommu(word, value, options, error);
	if (has_key(&value, "dev=")) return parse_device(word, value, options, error);
	if (has_key(&value, "memtype=")) return parse_policy(word, value, options, error);
	if (has_key(&value, "coherence=")) {
		options->coherence = is(value, "model");
		return options->coherence || is(value, "none") ? 0
							       : fail(error, word, "coherence=none or coherence=model");
	}
	if (has_key(&value, "reset=")) {
		options->restart = is(value, "restart");
		return options->restart || is(value, "end") ? 0 : fail(error, word, "reset=end or reset=restart");
	}
	if (has_key(&value, "cpus=")) {
		options->cpus = 1;
		return is(value, "1") ? 0 : fail(error, word, "cpus=1");
	}
	if (has_key(&value, "transition="))
		return parse_either(word, value, "zap", "retype", "transition=zap or retype", &options->retype, error);
	if (has_key(&value, "fill="))
		return parse_either(word, value, "leaf", "table", "fill=leaf or table", &options->fill_table, error);
	return fail(error, word,
		    "mem=, cpus=, iommu=, dev=, memtype=, coherence=, transition=, fill=, "
		    "reset= or --");
}

int vm_options_parse(const char *line, struct vm_options *options, struct option_error *error)
{
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
		int bad;

		if (is(word, "--")) {
			options->command_line = is_blank(*line) ? line + 1 : line;
			return 0;
		}
		bad = parse_vm_word(word, options, error);
		if (bad) return bad;
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
