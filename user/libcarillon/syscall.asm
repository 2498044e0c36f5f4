; SPDX-License-Identifier: MIT
;
; long syscall(long number, ...), as libc has it, but that three numbers go through Carillon's gate:
; 283, 317 and 318, which a program written for "a system call of one's own" calls by number.
;
; The linker finds this function before libc's, because libcarillon.a stands before libc.a; so a
; pointer to syscall and a call from another library are meant too. A program that defines a
; syscall() of its own gets that one, and one that uses none gets neither.
;
; In: number in rdi, arguments in rsi, rdx, rcx, r8, r9 and on the stack, as the C caller has them
; (System V ABI, AMD64 supplement, "Parameter Passing"). How many are meant, only the kernel knows.
; Out: rax, after carillon_result. Clobbers what C allows.

bits 64
%include "syscall_numbers.inc"

extern carillon_result
global syscall:function

section .note.GNU-stack noalloc noexec nowrite progbits

section .text
syscall:
    mov rax, rdi
    cmp rax, NR_KLOG
    je .own
    cmp rax, NR_SEND_IPI
    je .own
    cmp rax, NR_REGISTER_IPI
    je .own

    mov rdi, rsi                        ; Linux: rdi, rsi, rdx, r10, r8, r9 (the same, "Calling
    mov rsi, rdx                        ; Conventions" of "Linux Conventions")
    mov rdx, rcx
    mov r10, r8
    mov r8, r9
    mov r9, [rsp + 8]
    syscall
    mov rdi, rax
    jmp carillon_result

.own:                                   ; two arguments at most
    push rbx
    mov rbx, rsi
    mov rcx, rdx
    int 0x80
    pop rbx
    mov rdi, rax
    jmp carillon_result
