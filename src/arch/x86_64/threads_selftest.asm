; SPDX-License-Identifier: MIT
;
; A program for the self-test threads-in-ring-3 (proc/threads_selftest.c), which runs it in several
; threads at once, each in an address space of its own. It fills the registers with values that
; follow from its seed, spins, perhaps yields, and looks whether they are still there, ROUNDS times.
; Exits with 0, or with the number of the check that failed: 1 general registers, 2 vectors.
;
; Position-independent; rsp = the first stack pointer, with three words above it and a page below.

bits 64
%include "syscall_numbers.inc"

global threads_program, threads_program_end

SEED    equ 0                           ; from rsp
YIELDS  equ 8                           ; 0: it never gives its core away by itself
SPINS   equ 16
ROUNDS  equ 40
VECTORS equ 16
SAVED   equ -64                         ; where a vector is looked at, below rsp

section .rodata
align 16
threads_program:
    mov rbx, [rsp + SEED]
    lea rbp, [rbx + 1]
    lea r12, [rbx + 2]
    lea r13, [rbx + 3]
    lea r14, [rbx + 4]
%assign i 0
%rep VECTORS
    lea rax, [rbx + 16 + i]
    movq xmm%[i], rax
    punpcklqdq xmm%[i], xmm%[i]
%assign i i + 1
%endrep
    mov r15d, ROUNDS

.round:
    mov rcx, [rsp + SPINS]
.spin:
    dec rcx
    jnz .spin
    cmp qword [rsp + YIELDS], 0
    je .check
    mov eax, NR_SCHED_YIELD
    int 0x80

.check:
    mov edi, 1
    mov rax, [rsp + SEED]
    cmp rbx, rax
    jne .fail
%assign i 1
%rep 4
    inc rax
  %if i == 1
    cmp rbp, rax
  %elif i == 2
    cmp r12, rax
  %elif i == 3
    cmp r13, rax
  %else
    cmp r14, rax
  %endif
    jne .fail
%assign i i + 1
%endrep
    mov edi, 2
%assign i 0
%rep VECTORS
    lea rax, [rbx + 16 + i]
    movdqu [rsp + SAVED], xmm%[i]
    cmp [rsp + SAVED], rax
    jne .fail
    cmp [rsp + SAVED + 8], rax
    jne .fail
%assign i i + 1
%endrep
    dec r15
    jnz .round
    xor edi, edi
.fail:
    mov ebx, edi
    mov eax, NR_EXIT
    int 0x80
threads_program_end:
