# SPDX-License-Identifier: MIT
# Fuzzers: each tests/fuzz/fuzz_NAME.c is one libFuzzer program, linked with all code that is free
# of hardware, with AddressSanitizer and UndefinedBehaviorSanitizer. `make fuzz-NAME` runs one for
# FUZZ_SECONDS, `make fuzz` all of them. What they find is kept in build/fuzz/NAME/ from run to
# run; the inputs in tests/fuzz/corpus/NAME/, where there are any, are where they start.
FUZZ_SECONDS ?= 60
FUZZ_CFLAGS := $(filter-out -O1,$(HOST_CFLAGS)) -O2 -fsanitize=fuzzer-no-link

$(BUILD)/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC   $<)
	$(Q)clang $(FUZZ_CFLAGS) -c $< -o $@

$(BUILD)/fuzz/libpure.a: $(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(PURE) tests/lib/fake_ram.c)
	$(call say,AR   $@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/fuzz/fuzz_%: $(BUILD)/fuzz/obj/tests/fuzz/fuzz_%.o $(BUILD)/fuzz/libpure.a
	$(call say,LD   $@)
	$(Q)clang $(FUZZ_CFLAGS) -fsanitize=fuzzer $(filter %.o,$^) $(filter %.a,$^) -o $@

# The one of iommu/ compares with a specification.
$(BUILD)/fuzz/fuzz_iommu: $(BUILD)/fuzz/obj/tests/model/iommu_spec.o

# Run one: make fuzz-boot
.PHONY: fuzz fuzz-%
fuzz-%: need-fuzz
	$(call build,$(BUILD)/fuzz/fuzz_$*)
	@mkdir -p $(BUILD)/fuzz/$*
	$(BUILD)/fuzz/fuzz_$* -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -timeout=5 \
		-artifact_prefix=$(BUILD)/fuzz/$*- $(BUILD)/fuzz/$* $(wildcard tests/fuzz/corpus/$*)
fuzz: $(FUZZ:%=fuzz-%)

# What `make test` runs of it.
FUZZ_SUITES := tests/fuzz_all
TEST_FILES += $(FUZZ:%=$(BUILD)/fuzz/fuzz_%)
.SECONDARY: $(FUZZ:%=$(BUILD)/fuzz/fuzz_%) $(FUZZ:%=$(BUILD)/fuzz/obj/tests/fuzz/fuzz_%.o)
