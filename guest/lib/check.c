// SPDX-License-Identifier: MIT
/*
 * The check lines; see check.h. All of them are printed by conclude(), so that no image has a form
 * of its own.
 */
#include <stdarg.h>

#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/x86.h"

static unsigned checks, failures;

struct words words(const char *text, ...)
{
	struct words w;
	va_list ap;

	va_start(ap, text);
	format_text(w.text, sizeof(w.text), text, ap);
	va_end(ap);
	return w;
}

/* One line; 'found' and 'expected' are NULL for a claim without values. */
static bool conclude(bool held, const struct words *found, const struct words *expected, const char *claim, va_list *ap)
{
	checks++;
	if (held) {
		printf("ok %u - ", checks);
	} else {
		failures++;
		printf("FAIL %u - found %s, expected%s%s: ", checks, found ? found->text : "otherwise",
		       expected ? " " : "", expected ? expected->text : "");
	}
	vprintf(claim, *ap);
	printf("\n");
	return held;
}

bool check(bool held, const char *claim, ...)
{
	va_list ap;

	va_start(ap, claim);
	conclude(held, NULL, NULL, claim, &ap);
	va_end(ap);
	return held;
}

bool check_whether(bool expected, bool found, const char *yes, const char *no, const char *claim, ...)
{
	struct words f = words("%s", found ? yes : no), e = words("%s", expected ? yes : no);
	va_list ap;

	va_start(ap, claim);
	conclude(found == expected, &f, &e, claim, &ap);
	va_end(ap);
	return found == expected;
}

bool check_words(bool held, struct words found, struct words expected, const char *claim, ...)
{
	va_list ap;

	va_start(ap, claim);
	conclude(held, &found, &expected, claim, &ap);
	va_end(ap);
	return held;
}

/* A digit is the same in both bases. */
static struct words hexadecimal(uint64_t value) { return words(value < 10 ? "%lu" : "0x%lx", value); }

bool check_is(uint64_t expected, uint64_t found, const char *claim, ...)
{
	struct words f = hexadecimal(found), e = hexadecimal(expected);
	va_list ap;

	va_start(ap, claim);
	conclude(found == expected, &f, &e, claim, &ap);
	va_end(ap);
	return found == expected;
}

bool check_count(uint64_t expected, uint64_t found, const char *things, const char *claim, ...)
{
	struct words f = words("%lu %s", found, things), e = words("%lu", expected);
	va_list ap;

	va_start(ap, claim);
	conclude(found == expected, &f, &e, claim, &ap);
	va_end(ap);
	return found == expected;
}

static struct words vector_words(int vector)
{
	static const char *const names[] = {
		[VECTOR_DE] = "#DE", [VECTOR_DB] = "#DB", [VECTOR_NMI] = "an NMI", [VECTOR_BP] = "#BP",
		[VECTOR_OF] = "#OF", [VECTOR_BR] = "#BR", [VECTOR_UD] = "#UD",     [VECTOR_NM] = "#NM",
		[VECTOR_DF] = "#DF", [VECTOR_TS] = "#TS", [VECTOR_NP] = "#NP",     [VECTOR_SS] = "#SS",
		[VECTOR_GP] = "#GP", [VECTOR_PF] = "#PF", [VECTOR_MF] = "#MF",     [VECTOR_AC] = "#AC",
		[VECTOR_MC] = "#MC", [VECTOR_XM] = "#XM", [VECTOR_VE] = "#VE",     [VECTOR_CP] = "#CP",
	};

	if (vector < 0) return words("no exception");
	if ((unsigned)vector < ARRAY_SIZE(names) && names[vector]) return words("%s", names[vector]);
	return words("vector %d", vector);
}

bool check_vector(int expected, int found, const char *claim, ...)
{
	struct words f = vector_words(found), e = vector_words(expected);
	va_list ap;

	va_start(ap, claim);
	conclude(found == expected, &f, &e, claim, &ap);
	va_end(ap);
	return found == expected;
}

/* Those that the contract has for a VMCALL. */
static struct words error_words(int64_t error)
{
	switch (error) {
	case 0: return words("success");
	case -EPERM: return words("-EPERM");
	case -EINVAL: return words("-EINVAL");
	case -ENOSYS: return words("-ENOSYS");
	default: return words("%ld", error);
	}
}

bool check_error(int64_t expected, int64_t found, const char *claim, ...)
{
	struct words f = error_words(found), e = error_words(expected);
	va_list ap;

	va_start(ap, claim);
	conclude(found == expected, &f, &e, claim, &ap);
	va_end(ap);
	return found == expected;
}

int check_status(void)
{
	printf("%u checks, %u failed\n", checks, failures);
	return failures || !checks;
}
