# SPDX-License-Identifier: MIT
# The page: ept/, iommu/, the model CPU and web/ compiled to WebAssembly without a C library, and put
# into one HTML file with its style and scripts. The same files for the host, for its test.
WEB_SRC := $(wildcard ept/*.c iommu/*.c web/*.c) lib/format.c lib/string.c hv/events/text.c \
	hv/load/guest_map.c tests/model/model_cpu.c
WEB_WASM_SRC := $(WEB_SRC) web/freestanding/libc.c
WEB_CFLAGS := --target=wasm32 -std=gnu11 -Os -ffreestanding -mbulk-memory -Iweb/freestanding -I. \
	-Wall -Wextra -Wno-format -Wno-int-to-pointer-cast -Wno-unused-function \
	-Wno-sign-compare -MMD -MP $(if $(WERROR),-Werror)
WEB_EXPORTS := play_input play_output play_step play_state play_explain play_trace_format \
	play_trace_text

$(BUILD)/web/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,WASM $<)
	$(Q)clang $(WEB_CFLAGS) -c $< -o $@

$(BUILD)/web/machine.wasm: $(WEB_WASM_SRC:%.c=$(BUILD)/web/obj/%.o)
	$(call say,LD   $@)
	$(Q)clang --target=wasm32 -nostdlib -Wl,--no-entry -Wl,--strip-all \
		$(WEB_EXPORTS:%=-Wl,--export=%) $^ -o $@

WEB_PAGE := $(wildcard web/page/*)
$(BUILD)/web/leafcutter.html: $(BUILD)/web/machine.wasm $(WEB_PAGE) web/scenarios web/example.trace.gz web/bundle
	$(call say,HTML $@)
	$(Q)web/bundle $(BUILD)/web/machine.wasm $@

# The same steps on the host's objects, with the sanitizers.
$(BUILD)/web/play: $(patsubst %.c,$(BUILD)/host/%.o,$(filter web/% tests/model/%,$(WEB_SRC)) tests/web/play.c) \
		$(BUILD)/host/libpure.a
	@mkdir -p $(@D)
	$(call say,LD   $@)
	$(Q)$(CC) $(HOST_CFLAGS) $(filter %.o,$^) -o $@ $(BUILD)/host/libpure.a

TEST_FILES += $(BUILD)/web/leafcutter.html $(BUILD)/web/play
WEB_SUITES := tests/web/run tests/web/run-firefox tests/web/pictures.bats

# The pictures of the documents, from real runs; with a browser also README's screenshot.
.PHONY: pictures
pictures: need-build need-bochs need-web need-browser
	$(call build,$(BUILD)/leafcutter.elf $(BUILD)/guest/noncoherent.elf $(BUILD)/web/play $(BUILD)/web/leafcutter.html \
		$(BUILD)/tools/trace)
	@tests/web/trace $(BUILD)/web/demonstration.trace
	@web/pictures docs/pictures $(BUILD)/web/demonstration.trace
	@/usr/bin/python3 tests/web/browser.py --screenshot docs/pictures/page.png

.PHONY: web
web: need-web
	$(call build,$(BUILD)/web/leafcutter.html)
	@echo "$(BUILD)/web/leafcutter.html: open it in a browser"
