/* SPDX-License-Identifier: MIT */
/*
 * The error numbers this project returns, negated, with the values Linux gives them (a guest
 * sees them through VMCALL). Each is named at the place of failure.
 */
#pragma once

#if __STDC_HOSTED__
#include <errno.h>
#else
#define EPERM   1
#define ENOENT  2
#define ENOEXEC 8
#define EAGAIN  11
#define ENOMEM  12
#define EFAULT  14
#define EEXIST  17
#define EINVAL  22
#define ENOSPC  28
#define ENOSYS  38
#endif
