// SPDX-License-Identifier: MIT
/* */
#include "guest/fidelity/fidelity.h"
void fidelity_cases(void) {}
