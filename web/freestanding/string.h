/* SPDX-License-Identifier: MIT */
/* <string.h> where there is no C library: the image's own. */
#include "lib/string.h"
