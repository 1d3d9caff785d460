/* SPDX-License-Identifier: MIT */
/*
 * What every unit test begins with: cmocka and what it wants included before it, and TEST(), which
 * begins a test. Its name is the rule that it proves.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* 'state' is what the test's set-up left, for the few that look at it. */
#define TEST(name) static void name(__attribute__((unused)) void **state)
