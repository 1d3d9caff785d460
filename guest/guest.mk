# SPDX-License-Identifier: MIT
# Guest images: each guest/NAME/*.c with the small library guest/lib becomes one multiboot1 ELF.
