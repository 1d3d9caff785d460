# SPDX-License-Identifier: MIT
# The course: its steps, its labs and their graders, and a new guest's skeleton.
include docs/course/steps/steps.mk
