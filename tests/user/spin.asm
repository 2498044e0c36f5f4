; SPDX-License-Identifier: MIT
;
; A program that never ends: what something from outside has to interrupt.

bits 64
global _start

section .text
_start:
    mov eax, 4                          ; write(1, text, sizeof text)
    mov ebx, 1
    lea rcx, [rel text]
    mov edx, text_end - text
    int 0x80
.forever:
    pause
    jmp .forever

section .rodata
text: db "spinning", 10
text_end:
