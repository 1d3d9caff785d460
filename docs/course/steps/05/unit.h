/* SPDX-License-Identifier: MIT */
/*
 * An IOMMU that the guest programs, over iommu/: one unit, one device behind it.
 */
#ifndef DOCS_COURSE_STEPS_05_UNIT_H
#define DOCS_COURSE_STEPS_05_UNIT_H

/* The unit in its reset state, its register page served from now on. */
void unit_setup(void);

#endif
