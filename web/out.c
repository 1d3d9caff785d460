// SPDX-License-Identifier: MIT
/* Appending to a text, by lib/format.c. */
#include "web/out.h"

#include "lib/format.h"

static void put(void *ctx, char c)
{
	struct out *out = ctx;

	if (out->length + 1 >= OUT_SIZE) {
		out->full = true;
		return;
	}
	out->text[out->length++] = c;
	out->text[out->length] = '\0';
}

void out_clear(struct out *out)
{
	out->length = 0;
	out->full = false;
	out->text[0] = '\0';
}

void out_print(struct out *out, const char *text, ...)
{
	va_list args;

	va_start(args, text);
	format(put, out, text, args);
	va_end(args);
}

void out_string(struct out *out, const char *text)
{
	put(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\') put(out, '\\');
		put(out, *text);
	}
	put(out, '"');
}

void out_comma(struct out *out)
{
	char last = out->length ? out->text[out->length - 1] : '[';

	if (last != '[' && last != '{') put(out, ',');
}
