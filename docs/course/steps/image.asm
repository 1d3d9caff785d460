; SPDX-License-Identifier: MIT
; A guest's flat image inside the hypervisor's: GUEST_IMAGE is the file, given by docs/course/steps.mk.
        section .rodata
        global  guest_image, guest_image_end
guest_image:
        incbin  GUEST_IMAGE
guest_image_end:
