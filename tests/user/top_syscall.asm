; SPDX-License-Identifier: MIT
;
; `syscall` as the last two bytes of the highest page that a program can have: the address behind it,
; to which the call returns, is the first that is never mapped. tests/programs.py puts the section
; .top into that page.

bits 64
global _start

LINUX_GETPID    equ 39

section .text
_start:
    mov eax, LINUX_GETPID               ; what work is due is done now: the next goes the short way
    syscall
    mov eax, LINUX_GETPID
    mov rdx, gate
    jmp rdx

section .top progbits alloc exec nowrite align=4096
    times 4096 - 2 nop
gate:
    syscall
