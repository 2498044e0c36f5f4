; SPDX-License-Identifier: MIT
;
; long gate(const uint64_t registers[7])
; rax, rbx, rcx, rdx, rsi, rdi and rbp from the array, then int 0x80. Returns rax.

bits 64
global gate

section .text
gate:
    push rbx
    push rbp
    mov rax, [rdi]
    mov rbx, [rdi + 8]
    mov rcx, [rdi + 16]
    mov rdx, [rdi + 24]
    mov rsi, [rdi + 32]
    mov rbp, [rdi + 48]
    mov rdi, [rdi + 40]
    int 0x80
    pop rbp
    pop rbx
    ret
