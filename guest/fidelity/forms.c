// SPDX-License-Identifier: MIT
/* The table of forms.h, and nothing that acts. */
#include "guest/fidelity/forms.h"
#include "lib/bits.h"
#include "lib/x86.h"

#define ALL_BUT(flags) (RFLAGS_STATUS & ~(uint64_t)(flags))
#define SHIFTED        (RFLAGS_AF | RFLAGS_OF | RFLAGS_CF)

/* clang-format off */
/* Opcodes with prefixes where they belong to them. A form may stand for those beside it. */
const struct form forms[] = {
	/* ADD to CMP, TEST, XCHG, MOV */
	{0x00, MODRM, 0, RFLAGS_AF}, {0x01, MODRM, 0, RFLAGS_AF}, {0x03, MODRM, 0, RFLAGS_AF},
	{0x09, MODRM, 0, RFLAGS_AF}, {0x0a, MODRM, 0, RFLAGS_AF}, {0x11, MODRM, 0, 0}, {0x13, MODRM, 0, 0},
	{0x18, MODRM, 0, 0}, {0x1b, MODRM, 0, 0}, {0x21, MODRM, 0, RFLAGS_AF}, {0x29, MODRM, 0, 0},
	{0x2a, MODRM, 0, 0}, {0x33, MODRM, 0, RFLAGS_AF}, {0x38, MODRM, 0, 0}, {0x3b, MODRM, 0, 0},
	{0x84, MODRM, 0, RFLAGS_AF}, {0x85, MODRM, 0, RFLAGS_AF}, {0x86, MODRM, 0, 0}, {0x87, MODRM, 0, 0},
	{0x88, MODRM, 0, 0}, {0x89, MODRM, 0, 0}, {0x8a, MODRM, 0, 0}, {0x8b, MODRM, 0, 0},
	{0x80, MODRM | GROUP | IMM8, 0xff, RFLAGS_AF}, {0x81, MODRM | GROUP | IMM, 0xff, RFLAGS_AF},
	{0x83, MODRM | GROUP | IMM8, 0xff, RFLAGS_AF}, {0xc6, MODRM | GROUP | IMM8, 1, 0},
	{0xc7, MODRM | GROUP | IMM, 1, 0}, {0xf6, MODRM | GROUP, 0x0c, 0}, {0xf7, MODRM | GROUP, 0x0c, 0},
	{0xf6, MODRM | GROUP | IMM8, 1, RFLAGS_AF}, {0xf7, MODRM | GROUP | IMM, 1, RFLAGS_AF},
	{0xfe, MODRM | GROUP, 3, 0}, {0xff, MODRM | GROUP, 3, 0}, {0x63, MODRM, 0, 0}, {0xa1, OFFSET, 0, 0},
	{0xa2, OFFSET, 0, 0},
	/* MUL, IMUL, DIV, IDIV */
	{0xf6, MODRM | GROUP, 0x30, ALL_BUT(RFLAGS_CF | RFLAGS_OF)},
	{0xf7, MODRM | GROUP, 0x30, ALL_BUT(RFLAGS_CF | RFLAGS_OF)}, {0xf6, MODRM | GROUP, 0xc0, RFLAGS_STATUS},
	{0xf7, MODRM | GROUP, 0xc0, RFLAGS_STATUS}, {0x0faf, MODRM, 0, ALL_BUT(RFLAGS_CF | RFLAGS_OF)},
	{0x69, MODRM | IMM, 0, ALL_BUT(RFLAGS_CF | RFLAGS_OF)},
	{0x6b, MODRM | IMM8, 0, ALL_BUT(RFLAGS_CF | RFLAGS_OF)},
	/* shifts */
	{0xc0, MODRM | GROUP | IMM8, 0xff, SHIFTED}, {0xc1, MODRM | GROUP | IMM8, 0xff, SHIFTED},
	{0xd0, MODRM | GROUP, 0xff, RFLAGS_AF}, {0xd1, MODRM | GROUP, 0xff, RFLAGS_AF},
	{0xd2, MODRM | GROUP, 0xff, SHIFTED}, {0xd3, MODRM | GROUP, 0xff, SHIFTED},
	{0x0fa4, MODRM | IMM8, 0, RFLAGS_STATUS}, {0x0fa5, MODRM, 0, RFLAGS_STATUS}, {0x0fac, MODRM | IMM8, 0, RFLAGS_STATUS},
	{0x0fad, MODRM, 0, RFLAGS_STATUS},
	/* bits */
	{0x0fa3, MODRM | BITS_REG, 0, ALL_BUT(RFLAGS_CF)}, {0x0fab, MODRM | BITS_REG, 0, ALL_BUT(RFLAGS_CF)},
	{0x0fb3, MODRM | BITS_REG, 0, ALL_BUT(RFLAGS_CF)}, {0x0fbb, MODRM | BITS_REG, 0, ALL_BUT(RFLAGS_CF)},
	{0x0fba, MODRM | GROUP | IMM8, 0xf0, ALL_BUT(RFLAGS_CF)}, {0x0fbc, MODRM, 0, ALL_BUT(RFLAGS_ZF)},
	{0x0fbd, MODRM, 0, ALL_BUT(RFLAGS_ZF)}, {0xf30fbc, MODRM, 0, ALL_BUT(RFLAGS_ZF | RFLAGS_CF)},
	{0xf30fbd, MODRM, 0, ALL_BUT(RFLAGS_ZF | RFLAGS_CF)}, {0xf30fb8, MODRM, 0, 0},
	/* SETcc, CMOVcc, MOVZX, MOVSX, MOVBE, MOVNTI */
	{0x0f92, MODRM, 0, 0}, {0x0f9e, MODRM, 0, 0}, {0x0f95, MODRM, 0, 0}, {0x0f46, MODRM, 0, 0},
	{0x0f4b, MODRM, 0, 0}, {0x0f4d, MODRM, 0, 0}, {0x0fb6, MODRM, 0, 0}, {0x0fb7, MODRM, 0, 0},
	{0x0fbe, MODRM, 0, 0}, {0x0fbf, MODRM, 0, 0}, {0x0f38f0, MODRM, 0, 0}, {0x0f38f1, MODRM, 0, 0},
	{0x0fc3, MODRM, 0, 0},
	/* CMPXCHG, XADD */
	{0x0fb0, MODRM, 0, 0}, {0x0fb1, MODRM, 0, 0}, {0x0fc0, MODRM, 0, 0}, {0x0fc1, MODRM, 0, 0},
	{0x0fc7, MODRM | GROUP | ALIGNED, 2, 0},
	/* strings */
	{0xa4, STRING, 0, 0}, {0xa5, STRING, 0, 0}, {0xa6, STRING, 0, 0}, {0xa7, STRING, 0, 0}, {0xaa, STRING, 0, 0},
	{0xab, STRING, 0, 0}, {0xac, STRING, 0, 0}, {0xad, STRING, 0, 0}, {0xae, STRING, 0, 0}, {0xaf, STRING, 0, 0},
	/* the stack, and where it leads */
	{0xff, MODRM | GROUP | STACK, 0x40, 0}, {0x8f, MODRM | GROUP | STACK, 1, 0},
	{0xff, MODRM | GROUP | STACK | JUMPS, 0x14, 0},
	/* segment registers, cache lines */
	{0x8c, MODRM | GROUP, 0x3f, 0}, {0x8e, MODRM | GROUP, 0x3d, 0}, {0x0fae, MODRM | GROUP, 0x80, 0},
	{0x660fae, MODRM | GROUP, 0xc0, 0}, {0xd7, TABLE, 0, 0},
	/* x87, but for what loads and stores its environment */
	{0xd8, MODRM, 0, 0}, {0xd9, MODRM | GROUP, 0xad, 0}, {0xda, MODRM, 0, 0}, {0xdb, MODRM | GROUP, 0x2f, 0},
	{0xdb, MODRM | GROUP | INSIDE, 0x80, 0}, {0xdc, MODRM, 0, 0}, {0xdd, MODRM | GROUP, 0x8f, 0},
	{0xde, MODRM, 0, 0}, {0xdf, MODRM | GROUP, 0xbf, 0}, {0xdf, MODRM | GROUP | INSIDE, 0x40, 0},
	/* MMX, SSE */
	{0x0f10, MODRM, 0, 0}, {0x0f11, MODRM, 0, 0}, {0x660f10, MODRM, 0, 0}, {0x660f11, MODRM, 0, 0},
	{0xf30f10, MODRM, 0, 0}, {0xf30f11, MODRM, 0, 0}, {0xf20f10, MODRM, 0, 0}, {0xf20f11, MODRM, 0, 0},
	{0x0f12, MODRM, 0, 0}, {0x660f13, MODRM, 0, 0}, {0x0f16, MODRM, 0, 0}, {0x660f17, MODRM, 0, 0},
	{0x0f28, MODRM | ALIGNED, 0, 0}, {0x660f29, MODRM | ALIGNED, 0, 0}, {0x0f2b, MODRM | ALIGNED, 0, 0},
	{0x0f6e, MODRM, 0, 0}, {0x660f6e, MODRM, 0, 0}, {0x0f7e, MODRM, 0, 0}, {0x660f7e, MODRM, 0, 0},
	{0xf30f7e, MODRM, 0, 0}, {0x0f6f, MODRM, 0, 0}, {0x660f6f, MODRM | ALIGNED, 0, 0}, {0xf30f6f, MODRM, 0, 0},
	{0x0f7f, MODRM, 0, 0}, {0x660f7f, MODRM | ALIGNED, 0, 0}, {0xf30f7f, MODRM, 0, 0}, {0x660fd6, MODRM, 0, 0},
	{0x0fe7, MODRM, 0, 0}, {0x660fe7, MODRM | ALIGNED, 0, 0}, {0xf20ff0, MODRM, 0, 0},
	{0x660f382a, MODRM | ALIGNED, 0, 0},
	/* their arithmetic */
	{0x0f58, MODRM | ALIGNED, 0, 0}, {0x660f58, MODRM | ALIGNED, 0, 0}, {0x660f5c, MODRM | ALIGNED, 0, 0},
	{0x0f5e, MODRM | ALIGNED, 0, 0}, {0x660f51, MODRM | ALIGNED, 0, 0}, {0x0f5a, MODRM | ALIGNED, 0, 0},
	{0x660f5a, MODRM | ALIGNED, 0, 0}, {0x0f5b, MODRM | ALIGNED, 0, 0}, {0x660fe6, MODRM | ALIGNED, 0, 0},
	{0x660f54, MODRM | ALIGNED, 0, 0}, {0x0f14, MODRM | ALIGNED, 0, 0}, {0x660f60, MODRM | ALIGNED, 0, 0},
	{0x660f67, MODRM | ALIGNED, 0, 0}, {0x660f6d, MODRM | ALIGNED, 0, 0}, {0x660f74, MODRM | ALIGNED, 0, 0},
	{0x660fd2, MODRM | ALIGNED, 0, 0}, {0x660fda, MODRM | ALIGNED, 0, 0}, {0x660fef, MODRM | ALIGNED, 0, 0},
	{0x660ff3, MODRM | ALIGNED, 0, 0}, {0x660f7c, MODRM | ALIGNED, 0, 0}, {0xf20fd0, MODRM | ALIGNED, 0, 0},
	{0xf30f12, MODRM | ALIGNED, 0, 0}, {0x660f3800, MODRM | ALIGNED, 0, 0}, {0x660f3810, MODRM | ALIGNED, 0, 0},
	{0x660f3817, MODRM | ALIGNED, 0, 0}, {0x660f381c, MODRM | ALIGNED, 0, 0}, {0x660f383b, MODRM | ALIGNED, 0, 0},
	{0x660f3840, MODRM | ALIGNED, 0, 0}, {0x660f38dc, MODRM | ALIGNED, 0, 0}, {0xf30f58, MODRM, 0, 0},
	{0xf20f59, MODRM, 0, 0}, {0xf20f5e, MODRM, 0, 0}, {0xf30f51, MODRM, 0, 0}, {0xf20f5a, MODRM, 0, 0},
	{0xf30f5a, MODRM, 0, 0}, {0xf30fe6, MODRM, 0, 0}, {0xf20f12, MODRM, 0, 0}, {0x0f2e, MODRM, 0, 0},
	{0x660f2f, MODRM, 0, 0}, {0xf20f2a, MODRM, 0, 0}, {0xf30f2a, MODRM, 0, 0}, {0xf20f2c, MODRM, 0, 0},
	{0xf30f2d, MODRM, 0, 0}, {0x0f2a, MODRM, 0, 0}, {0x0f2c, MODRM, 0, 0}, {0x0fef, MODRM, 0, 0},
	{0x0f60, MODRM, 0, 0}, {0x0fd3, MODRM, 0, 0}, {0x0f3800, MODRM, 0, 0}, {0x660f3820, MODRM, 0, 0},
	{0x660f3822, MODRM, 0, 0}, {0x660f3831, MODRM, 0, 0}, {0x660f3835, MODRM, 0, 0},
	{0x0fc2, MODRM | ALIGNED | IMM8, 0, 0}, {0x660f70, MODRM | ALIGNED | IMM8, 0, 0},
	{0xf20f70, MODRM | ALIGNED | IMM8, 0, 0}, {0x660fc6, MODRM | ALIGNED | IMM8, 0, 0},
	{0x660f3a0f, MODRM | ALIGNED | IMM8, 0, 0}, {0x660f3a0c, MODRM | ALIGNED | IMM8, 0, 0},
	{0x660f3a44, MODRM | ALIGNED | IMM8, 0, 0}, {0xf20fc2, MODRM | IMM8, 0, 0}, {0x0f70, MODRM | IMM8, 0, 0},
	{0x660fc4, MODRM | IMM8, 0, 0}, {0x0fc4, MODRM | IMM8, 0, 0}, {0x660f3a0b, MODRM | IMM8, 0, 0},
	{0x660f3a14, MODRM | IMM8, 0, 0}, {0x660f3a15, MODRM | IMM8, 0, 0}, {0x660f3a16, MODRM | IMM8, 0, 0},
	{0x660f3a17, MODRM | IMM8, 0, 0}, {0x660f3a20, MODRM | IMM8, 0, 0}, {0x660f3a21, MODRM | IMM8, 0, 0},
	{0x660f3a22, MODRM | IMM8, 0, 0}, {0x0f3a0f, MODRM | IMM8, 0, 0},
	/* AVX: the second byte of C5 is made up, the third of C4 too */
	{0xc558, MODRM | VEX, 0, 0}, {0xc55e, MODRM | VEX, 0, 0}, {0xc551, MODRM | VEX, 0, 0},
	{0xc55a, MODRM | VEX, 0, 0}, {0xc55b, MODRM | VEX, 0, 0}, {0xc52e, MODRM | VEX, 0, 0},
	{0xc52a, MODRM | VEX, 0, 0}, {0xc52c, MODRM | VEX, 0, 0}, {0xc554, MODRM | VEX, 0, 0},
	{0xc560, MODRM | VEX, 0, 0}, {0xc574, MODRM | VEX, 0, 0}, {0xc5d2, MODRM | VEX, 0, 0},
	{0xc5da, MODRM | VEX, 0, 0}, {0xc5e6, MODRM | VEX, 0, 0}, {0xc5ef, MODRM | VEX, 0, 0},
	{0xc57c, MODRM | VEX, 0, 0}, {0xc5c2, MODRM | VEX | IMM8, 0, 0}, {0xc570, MODRM | VEX | IMM8, 0, 0},
	{0xc5c4, MODRM | VEX | IMM8, 0, 0}, {0xc5c6, MODRM | VEX | IMM8, 0, 0},
	{0xc40200, MODRM | VEX | MOSTLY_66, 0, 0}, {0xc4020e, MODRM | VEX | MOSTLY_66, 0, 0},
	{0xc40213, MODRM | VEX | MOSTLY_66, 0, 0}, {0xc40217, MODRM | VEX | MOSTLY_66, 0, 0},
	{0xc40218, MODRM | VEX | MOSTLY_66, 0, 0}, {0xc40219, MODRM | VEX | MOSTLY_66, 0, 0},
	{0xc4021a, MODRM | VEX | MOSTLY_66, 0, 0}, {0xc4021c, MODRM | VEX | MOSTLY_66, 0, 0},
	{0xc40220, MODRM | VEX | MOSTLY_66, 0, 0}, {0xc40222, MODRM | VEX | MOSTLY_66, 0, 0},
	{0xc40231, MODRM | VEX | MOSTLY_66, 0, 0}, {0xc40236, MODRM | VEX | MOSTLY_66, 0, 0},
	{0xc4023b, MODRM | VEX | MOSTLY_66, 0, 0}, {0xc40245, MODRM | VEX | MOSTLY_66, 0, 0},
	{0xc40258, MODRM | VEX | MOSTLY_66, 0, 0}, {0xc40259, MODRM | VEX | MOSTLY_66, 0, 0},
	{0xc4025a, MODRM | VEX | MOSTLY_66, 0, 0}, {0xc40278, MODRM | VEX | MOSTLY_66, 0, 0},
	{0xc40279, MODRM | VEX | MOSTLY_66, 0, 0}, {0xc40298, MODRM | VEX | MOSTLY_66, 0, 0},
	{0xc4029b, MODRM | VEX | MOSTLY_66, 0, 0}, {0xc402a7, MODRM | VEX | MOSTLY_66, 0, 0},
	{0xc402bd, MODRM | VEX | MOSTLY_66, 0, 0}, {0xc402dc, MODRM | VEX | MOSTLY_66, 0, 0},
	{0xc40300, MODRM | VEX | MOSTLY_66 | IMM8, 0, 0}, {0xc40302, MODRM | VEX | MOSTLY_66 | IMM8, 0, 0},
	{0xc40304, MODRM | VEX | MOSTLY_66 | IMM8, 0, 0}, {0xc40306, MODRM | VEX | MOSTLY_66 | IMM8, 0, 0},
	{0xc40308, MODRM | VEX | MOSTLY_66 | IMM8, 0, 0}, {0xc4030b, MODRM | VEX | MOSTLY_66 | IMM8, 0, 0},
	{0xc4030c, MODRM | VEX | MOSTLY_66 | IMM8, 0, 0}, {0xc4030f, MODRM | VEX | MOSTLY_66 | IMM8, 0, 0},
	{0xc40314, MODRM | VEX | MOSTLY_66 | IMM8, 0, 0}, {0xc40316, MODRM | VEX | MOSTLY_66 | IMM8, 0, 0},
	{0xc40318, MODRM | VEX | MOSTLY_66 | IMM8, 0, 0}, {0xc40319, MODRM | VEX | MOSTLY_66 | IMM8, 0, 0},
	{0xc4031d, MODRM | VEX | MOSTLY_66 | IMM8, 0, 0}, {0xc40320, MODRM | VEX | MOSTLY_66 | IMM8, 0, 0},
	{0xc40322, MODRM | VEX | MOSTLY_66 | IMM8, 0, 0}, {0xc40338, MODRM | VEX | MOSTLY_66 | IMM8, 0, 0},
	{0xc40339, MODRM | VEX | MOSTLY_66 | IMM8, 0, 0}, {0xc40344, MODRM | VEX | MOSTLY_66 | IMM8, 0, 0},
	{0xc40346, MODRM | VEX | MOSTLY_66 | IMM8, 0, 0}, {0xc510, MODRM | VEX, 0, 0}, {0xc511, MODRM | VEX, 0, 0},
	{0xc512, MODRM | VEX, 0, 0}, {0xc516, MODRM | VEX, 0, 0}, {0xc517, MODRM | VEX, 0, 0},
	{0xc528, MODRM | VEX | ALIGNED, 0, 0}, {0xc529, MODRM | VEX | ALIGNED, 0, 0}, {0xc56e, MODRM | VEX, 0, 0},
	{0xc57e, MODRM | VEX, 0, 0}, {0xc56f, MODRM | VEX, 0, 0}, {0xc57f, MODRM | VEX, 0, 0},
	{0xc5d6, MODRM | VEX, 0, 0}, {0xc5e7, MODRM | VEX | ALIGNED, 0, 0}, {0xc5f0, MODRM | VEX, 0, 0},
	/* BMI1 and BMI2: the second byte is the map, the third is made up */
	{0xc402f2, MODRM | VEX, 0, RFLAGS_AF | RFLAGS_PF},
	{0xc402f3, MODRM | VEX | GROUP, 0x0e, RFLAGS_AF | RFLAGS_PF},
	{0xc402f5, MODRM | VEX, 0, RFLAGS_AF | RFLAGS_PF}, {0xc402f6, MODRM | VEX, 0, 0},
	{0xc402f7, MODRM | VEX, 0, RFLAGS_AF | RFLAGS_PF | RFLAGS_SF}, {0xc403f0, MODRM | VEX | IMM8, 0, 0},
};
/* clang-format on */

const unsigned forms_count = ARRAY_SIZE(forms);
