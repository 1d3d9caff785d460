# SPDX-License-Identifier: MIT
# What tools/grade makes in its copy of the tree: the pure rooms of whoever is graded, the tests of this
# tree, the model. No sanitizers and one archive: a change costs a second.
OUT := build/grade
CFLAGS := -std=gnu11 -g -O1 -I. -w -fno-strict-aliasing -MMD -MP
PURE_ROOMS := $(shell sed -n 's/^\([a-z][a-z/]*\) [*]:.*/\1/p' tools/rooms)
PURE := $(patsubst %.c,$(OUT)/%.o,$(wildcard $(PURE_ROOMS:%=%/*.c)) $(wildcard tests/lib/*.c))
MODEL := $(patsubst %,$(OUT)/tests/model/%.o,ept_model model model_cpu bytes caches)

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	@gcc $(CFLAGS) -c $< -o $@

$(OUT)/libpure.a: $(PURE)
	@rm -f $@ && ar rcs $@ $^

$(OUT)/test_%: $(OUT)/tests/unit/test_%.o $(OUT)/libpure.a
	@gcc $^ -o $@ -lcmocka

$(OUT)/model: $(MODEL) $(OUT)/libpure.a
	@gcc $^ -o $@

.SECONDARY:
-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
