/* SPDX-License-Identifier: MIT */
/*
 * Checks, one line each. A claim that holds prints "ok N - CLAIM"; one that does not prints what
 * was found, then what was expected, in words, and then the claim:
 * "FAIL N - found 0 devices, expected 1: noncoherent count is 1". So a claim must not hold what was
 * found. Neither of the two has a colon and a blank in it: tests find the claim behind the first.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A short text, made as by printf and cut to fit. */
struct words {
	char text[112];
};
struct words words(const char *text, ...) __attribute__((format(printf, 1, 2)));

/* All return whether the claim holds. */

/* For what has no value but yes and no: "found otherwise, expected: CLAIM". */
bool check(bool held, const char *claim, ...) __attribute__((format(printf, 2, 3)));
/* For what is so or not, with words for both. */
bool check_whether(bool expected, bool found, const char *yes, const char *no, const char *claim, ...)
	__attribute__((format(printf, 5, 6)));
/* For what the caller can put into words. */
bool check_words(bool held, struct words found, struct words expected, const char *claim, ...)
	__attribute__((format(printf, 4, 5)));
/* A register or the bytes at an address: in hexadecimal. */
bool check_is(uint64_t expected, uint64_t found, const char *claim, ...) __attribute__((format(printf, 3, 4)));
/* So many of something, named in the plural. */
bool check_count(uint64_t expected, uint64_t found, const char *things, const char *claim, ...)
	__attribute__((format(printf, 4, 5)));
/* The vector of an exception, or -1 for none, as try_call() returns it. */
bool check_vector(int expected, int found, const char *claim, ...) __attribute__((format(printf, 3, 4)));
/* 0 or a negative errno. */
bool check_error(int64_t expected, int64_t found, const char *claim, ...) __attribute__((format(printf, 3, 4)));

/* Prints how many checks were made and failed: the exit status, 0 only if all held. */
int check_status(void);
