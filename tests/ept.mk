# SPDX-License-Identifier: MIT
# What proves and measures ept/ beyond its unit tests: the model, the fuzzer, the coverage, the
# mutation run, and the host part of the bench.
MODEL_OPS ?= 1000000
MODEL_SRC := tests/model/model.c tests/model/model_cpu.c tests/model/bytes.c \
	tests/model/caches.c
MODEL_OBJ := $(patsubst %.c,$(BUILD)/host/%.o,$(MODEL_SRC) tests/model/ept_model.c)

$(BUILD)/unit/ept_model: $(MODEL_OBJ) $(BUILD)/host/libpure.a
	@mkdir -p $(@D)
	$(call say,LD   $@)
	$(Q)$(CC) $(HOST_CFLAGS) $(MODEL_OBJ) -o $@ $(BUILD)/host/libpure.a

# Several CPUs: ept/ and hv/vm/shootdown.c once more, with other CPUs going on at each atomic access.
CPUS_SRC := $(wildcard ept/*.c) lib/format.c tests/model/model_cpu.c tests/model/cpus.c
CPUS_OBJ := $(CPUS_SRC:%.c=$(BUILD)/cpus/%.o)
$(BUILD)/cpus/%.o: %.c tests/model/steps.h
	@mkdir -p $(@D)
	$(call say,CC   $<)
	$(Q)$(CC) $(COMMON) -O1 -fno-strict-aliasing -MMD -MP -include tests/model/steps.h -c $< -o $@
$(BUILD)/unit/cpus: $(CPUS_OBJ)
	@mkdir -p $(@D)
	$(call say,LD   $@)
	$(Q)$(CC) $^ -o $@

THREADS := $(addprefix $(BUILD)/unit/,ept_threads vm_threads)

# What `make test` runs of it, beside the unit tests.
EPT_SUITES := $(BUILD)/unit/ept_model $(BUILD)/unit/cpus tests/threads tools/mutate tools/coverage
TEST_FILES += $(BUILD)/tools/explain $(BUILD)/unit/ept_model $(BUILD)/unit/cpus $(THREADS) $(THREADS:%=%.tsan)

# Why an address has its type, by the same objects: docs/memory-types.md says the words.
$(BUILD)/tools/explain: $(BUILD)/host/tools/explain.o $(BUILD)/host/libpure.a
	@mkdir -p $(@D)
	$(call say,LD   $@)
	$(Q)$(CC) $(HOST_CFLAGS) $< -o $@ $(BUILD)/host/libpure.a
.SECONDARY: $(BUILD)/host/tools/explain.o $(BUILD)/host/tools/trace.o

# What a trace says: tools/trace builds and runs it.
TEST_FILES += $(BUILD)/tools/trace
$(BUILD)/tools/trace: $(BUILD)/host/tools/trace.o $(BUILD)/host/libpure.a
	@mkdir -p $(@D)
	$(call say,LD   $@)
	$(Q)$(CC) $(HOST_CFLAGS) $< -o $@ $(BUILD)/host/libpure.a

# make hands on the variables of its command line by the environment.
.PHONY: explain
explain: need-build
	$(call build,$(BUILD)/tools/explain) >/dev/null
	@$(BUILD)/tools/explain

# A million random operations; MODEL_OPS=n [MODEL_SEED=n] for others. Of several CPUs, a run for each 2,000.
.PHONY: model
model: need-build
	$(call build,$(BUILD)/unit/ept_model $(BUILD)/unit/cpus)
	$(BUILD)/unit/ept_model $(MODEL_OPS) $(MODEL_SEED)
	$(BUILD)/unit/cpus $$(($(MODEL_OPS) / 2000)) $(MODEL_SEED)

# The fuzzer of ept/ (make fuzz-ept) runs the model.
$(BUILD)/fuzz/fuzz_ept: $(MODEL_SRC:%.c=$(BUILD)/fuzz/obj/%.o)

# Lines and branches of ept/ that its unit tests and the model reach.
.PHONY: coverage
coverage: need-cover
	@$(leash) tools/coverage

# Threads on one EPT, and on one VM's locks, with ThreadSanitizer and without (tests/threads chooses).
THREADS_SRC := $(wildcard ept/*.c) lib/format.c
THREADS_SRC_ept_threads := tests/model/ept_threads.c $(THREADS_SRC)
THREADS_SRC_vm_threads := tests/model/vm_threads.c tests/lib/iommu_world.c $(wildcard iommu/*.c) $(THREADS_SRC)
define threads_rule
$(BUILD)/unit/$(1)$(2): $(THREADS_SRC_$(1)) tests/ept_world.h tests/lib/iommu_world.h tests/model/tables.h $(wildcard hv/machine/*.h) \
		$(wildcard ept/*.h iommu/*.h)
	@mkdir -p $$(@D)
	$$(call say,LD   $$@)
	$$(Q)$$(CC) $$(COMMON) -O1 $(3) $(THREADS_SRC_$(1)) -o $$@ -lcmocka
endef
$(foreach program,ept_threads vm_threads,$(eval $(call threads_rule,$(program),,)) \
	$(eval $(call threads_rule,$(program),.tsan,-fsanitize=thread)))

# Deliberate faults in ept/ and iommu/, each of which a test must catch.
.PHONY: mutate
mutate: need-test
	@$(leash) tools/mutate

# Compiled as the image is, but for a host: ept/ and the loops it is compared with.
BENCH_CFLAGS := $(filter-out -ffreestanding,$(IMAGE_CFLAGS))
BENCH_OBJ := $(patsubst %.c,$(BUILD)/bench/%.o,$(wildcard ept/*.c) lib/format.c tests/bench/floor.c tests/bench/lazy.c tests/bench/others.c)

$(BUILD)/bench/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC   $<)
	$(Q)$(CC) $(BENCH_CFLAGS) -c $< -o $@

$(BUILD)/bench/ept_bench: tests/bench/ept_bench.c tests/bench/ways.c tests/ept_world.h $(BENCH_OBJ)
	$(call say,LD   $@)
	$(Q)$(CC) $(COMMON) -O2 -fno-pic -no-pie $(filter tests/bench/%.c,$^) $(BENCH_OBJ) -o $@

.PHONY: bench-host bench-count
bench-host: need-build
	$(call build,$(BUILD)/bench/ept_bench)
	@$(leash) $(BUILD)/bench/ept_bench
bench-count: need-bench
	$(call build,$(BUILD)/bench/ept_bench)
	@$(leash) tests/bench/count
