// SPDX-License-Identifier: MIT
/* The two 8259s: known, moved out of the way and silenced. */
#pragma once

/* Remap both to VECTOR_PIC_BASE and mask every line. Context: boot cpu only. */
void pic_disable(void);
