; SPDX-License-Identifier: MIT
;
; A program for the self-test space-in-ring-3 (proc/space_selftest.c), which runs it on several cores
; at once, in one address space. It reads one byte of a page again and again until the page is taken
; away from under it, and exits with 2 if it ever reads what is neither the page's byte nor 0.
;
; Position-independent; rsp = the first stack pointer, with three words above it.

bits 64
%include "syscall_numbers.inc"

global space_program, space_program_end

PAGE    equ 0                           ; from rsp: the byte's address
BYTE_   equ 8                           ; what it holds
TURNS   equ 16                          ; counted up: how often it was read

section .rodata
align 16
space_program:
    mov rsi, [rsp + PAGE]
    mov rdx, [rsp + BYTE_]
.read:
    movzx eax, byte [rsi]
    inc qword [rsp + TURNS]
    test eax, eax
    jz .read
    cmp eax, edx
    je .read
    mov ebx, 2
    mov eax, NR_EXIT
    int 0x80
space_program_end:
