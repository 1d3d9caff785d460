/* SPDX-License-Identifier: MIT */
/* What the zoo is written with, in 32 and 64 bits. */
#pragma once

/* No allocation: its header would want a C library of 32 bits. */
#define _MM_MALLOC_H_INCLUDED
#define __MM_MALLOC_H
#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
