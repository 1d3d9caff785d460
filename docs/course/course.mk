# SPDX-License-Identifier: MIT
# The course: its steps, its labs and their graders, and a new guest's skeleton.
include docs/course/steps/steps.mk

# A guest of one's own: docs/write-a-guest.md.
.PHONY: new-guest
new-guest:
	@tools/new-guest "$(NAME)"
