# SPDX-License-Identifier: MIT
# The course: its steps, its labs and their graders, and a new guest's skeleton.
include docs/course/steps.mk

# A guest of one's own: docs/write-a-guest.md.
.PHONY: new-guest
new-guest:
	@tools/new-guest "$(NAME)"

# A lab's working copy, its judge, and what a fork commits of it.
.PHONY: lab hand-in grade
lab:
	@tools/lab "$(LAB)"
hand-in:
	@tools/lab hand-in "$(LAB)"
grade: need-build need-grade need-$(ENGINE)
	@ENGINE=$(ENGINE) $(leash) tools/grade $(if $(LAB),"$(LAB)")
