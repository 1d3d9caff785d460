/* SPDX-License-Identifier: MIT */
/*
 * Included before all else in what tests/model/cpus.c runs: every atomic access is a place where another
 * of its CPUs may go on.
 */
#pragma once

void model_step(void);

#define __atomic_load_n(...)             (model_step(), __atomic_load_n(__VA_ARGS__))
#define __atomic_store_n(...)            (model_step(), __atomic_store_n(__VA_ARGS__))
#define __atomic_exchange_n(...)         (model_step(), __atomic_exchange_n(__VA_ARGS__))
#define __atomic_compare_exchange_n(...) (model_step(), __atomic_compare_exchange_n(__VA_ARGS__))
#define __atomic_fetch_add(...)          (model_step(), __atomic_fetch_add(__VA_ARGS__))
#define __atomic_fetch_sub(...)          (model_step(), __atomic_fetch_sub(__VA_ARGS__))
#define __atomic_add_fetch(...)          (model_step(), __atomic_add_fetch(__VA_ARGS__))
#define __atomic_fetch_or(...)           (model_step(), __atomic_fetch_or(__VA_ARGS__))
#define __atomic_fetch_and(...)          (model_step(), __atomic_fetch_and(__VA_ARGS__))
