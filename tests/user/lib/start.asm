; SPDX-License-Identifier: MIT
;
; Where a program without a libc begins: the stack holds argc, then argv (System V ABI, AMD64
; supplement, "Process Initialization"). Calls int main(int argc, char **argv) and exits with what
; it returns.

bits 64
%include "syscall_numbers.inc"

extern main
global _start

section .text
_start:
    xor ebp, ebp
    mov rdi, [rsp]
    lea rsi, [rsp + 8]
    call main                           ; rsp was 16-byte aligned at entry
    mov ebx, eax
    mov eax, NR_EXIT
    int 0x80
