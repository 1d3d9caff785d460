/* SPDX-License-Identifier: MIT */
/*
 * An IOMMU that the guest programs, over iommu/: one unit, one device behind it.
 */
#pragma once

/* The unit in its reset state, its register page served from now on. */
void unit_setup(void);
