/* SPDX-License-Identifier: MIT */
/*
 * One pass over the pattern, one character at a time into the sink; no buffer but for the digits of
 * a number.
 */
#include "lib/format.h"

#include "lib/string.h"

static const char digits[] = "0123456789abcdef";

struct spec {
	bool left, zero;
	size_t width;
	size_t precision; /* of %s */
	unsigned longs;
};

struct sink {
	void (*put)(void *ctx, char c);
	void *ctx;
};

static void pad(const struct sink *sink, char c, size_t have, size_t width)
{
	for (; have < width; have++) sink->put(sink->ctx, c);
}

static void put_text(const struct sink *sink, const struct spec *spec, const char *text, size_t n)
{
	if (!spec->left) pad(sink, ' ', n, spec->width);
	for (size_t i = 0; i < n; i++) sink->put(sink->ctx, text[i]);
	if (spec->left) pad(sink, ' ', n, spec->width);
}

static void put_number(const struct sink *sink, const struct spec *spec, uint64_t value, unsigned base, bool negative)
{
	char text[24];
	size_t n = 0;
	struct spec plain = *spec;

	do text[sizeof(text) - ++n] = digits[value % base];
	while (value /= base);
	if (spec->zero && !spec->left) {
		if (negative) sink->put(sink->ctx, '-');
		pad(sink, '0', n + negative, spec->width);
		plain.width = 0;
	} else if (negative) {
		text[sizeof(text) - ++n] = '-';
	}
	put_text(sink, &plain, text + sizeof(text) - n, n);
}

static const char *parse_spec(const char *p, struct spec *spec)
{
	*spec = (struct spec){.precision = SIZE_MAX};
	for (; *p == '-' || *p == '0'; p++) {
		spec->left |= *p == '-';
		spec->zero |= *p == '0';
	}
	for (; *p >= '0' && *p <= '9'; p++) spec->width = spec->width * 10 + (size_t)(*p - '0');
	if (*p == '.')
		for (spec->precision = 0, p++; *p >= '0' && *p <= '9'; p++)
			spec->precision = spec->precision * 10 + (size_t)(*p - '0');
	for (; *p == 'l' || *p == 'z'; p++) spec->longs++;
	return p;
}

/* Print the next argument as 'conversion' asks; false when that is none of ours. */
static bool put_argument(const struct sink *sink, const struct spec *spec, char conversion, va_list *args)
{
	const char *s;
	size_t n = 0;
	uint64_t v;
	int64_t d;
	char c;

	switch (conversion) {
	case 's':
		s = va_arg(*args, const char *);
		while (n < spec->precision && s[n]) n++;
		put_text(sink, spec, s, n);
		return true;
	case 'c':
		c = (char)va_arg(*args, int);
		put_text(sink, spec, &c, 1);
		return true;
	case 'd':
		d = spec->longs ? va_arg(*args, int64_t) : va_arg(*args, int);
		put_number(sink, spec, d < 0 ? -(uint64_t)d : (uint64_t)d, 10, d < 0);
		return true;
	case 'u':
	case 'x':
		v = spec->longs ? va_arg(*args, uint64_t) : va_arg(*args, unsigned);
		put_number(sink, spec, v, conversion == 'u' ? 10 : 16, false);
		return true;
	case 'p': put_number(sink, spec, (uintptr_t)va_arg(*args, void *), 16, false); return true;
	case '%': sink->put(sink->ctx, '%'); return true;
	default: return false;
	}
}

void format(void (*put)(void *ctx, char c), void *ctx, const char *text, va_list args)
{
	const struct sink sink = {put, ctx};
	va_list rest;

	va_copy(rest, args);
	for (const char *p = text; *p; p++) {
		const char *end;
		struct spec spec;

		if (*p == '%') {
			end = parse_spec(p + 1, &spec);
			if (put_argument(&sink, &spec, *end, &rest)) {
				p = end;
				continue;
			}
		}
		put(ctx, *p);
	}
	va_end(rest);
}

struct buffer {
	char *text;
	size_t room; /* without the NUL */
};

static void put_buffer(void *ctx, char c)
{
	struct buffer *buffer = ctx;

	if (!buffer->room) return;
	*buffer->text++ = c;
	buffer->room--;
}

void format_text(char *text, size_t size, const char *pattern, va_list args)
{
	struct buffer buffer = {text, size - 1};

	if (!size) return;
	format(put_buffer, &buffer, pattern, args);
	*buffer.text = '\0';
}

void format_append(char *text, size_t size, const char *pattern, ...)
{
	size_t length = strlen(text);
	va_list args;

	va_start(args, pattern);
	format_text(text + length, size - length, pattern, args);
	va_end(args);
}

void lines_end(struct lines *lines)
{
	if (lines->text[0]) lines->line(lines->ctx, lines->text);
	lines->text[0] = '\0';
}

unsigned digit_value(char c)
{
	const char *digit = c ? strchr(digits, c) : NULL;

	return digit ? (unsigned)(digit - digits) : 16;
}

bool digits_value(const char *text, size_t length, unsigned base, uint64_t *value)
{
	*value = 0;
	for (size_t i = 0; i < length; i++) {
		if (digit_value(text[i]) >= base) return false;
		*value = *value * base + digit_value(text[i]);
	}
	return length;
}
