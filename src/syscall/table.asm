; SPDX-License-Identifier: MIT
;
; The tables of both gates: number -> function, as tools/gen-syscalls makes them from syscalls.tbl.
; A call that stands in both is one function. No place is empty: sys_none gives -ENOSYS, so that the
; gates (arch/x86_64/stubs.asm) call without a look.

section .rodata
align 64
%include "syscall_table.inc"
