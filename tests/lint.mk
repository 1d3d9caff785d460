# SPDX-License-Identifier: MIT
# The formatter, the linters and the rules of the house: tools/lint says which. CHECKS="format walls"
# runs only those.
.PHONY: lint
lint: need-lint
	@$(leash) tools/lint $(CHECKS)
