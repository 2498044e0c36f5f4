; SPDX-License-Identifier: MIT
;
; Both gates in turn, without a pause: getpid by `syscall` with Linux's number, then by int 0x80
; with the textbook's. After each the result must be right and every register that the gate keeps
; must hold what it held, the upper halves of the AVX registers too where the CPU has them. Ends by
; Linux's exit_group with 0, or with the number of the check that failed. With an argument it goes on
; for 2^32 rounds.

bits 64
global _start

LINUX_WRITE      equ 1
LINUX_GETPID     equ 39
LINUX_EXIT       equ 60
LINUX_EXIT_GROUP equ 231
GATE_GETPID      equ 20
ROUNDS           equ 100000
PID              equ 1                  ; init
ENOSYS           equ 38

%define PATTERN(n) (0x1111111111111111 * (n))

; Fail with this status unless the two are equal.
%macro EXPECT 3
    mov r11, %2
    cmp %1, r11
    mov r11d, %3
    jne fail
%endmacro

section .text
_start:
    mov r12, [rsp]                      ; argc
    mov edi, 1                          ; write(1, text, sizeof text)
    lea rsi, [rel text]
    mov edx, text_end - text
    mov eax, LINUX_WRITE
    syscall
    EXPECT rax, text_end - text, 1
    mov eax, 1000                       ; no such call
    syscall
    EXPECT rax, -ENOSYS, 2
    mov rax, 0x100000000 + LINUX_GETPID ; all 64 bits of the number count
    syscall
    EXPECT rax, -ENOSYS, 3
    mov rdi, 0xffff800000000000         ; write(1, kernel memory, 1)
    mov rsi, rdi
    mov edi, 1
    mov edx, 1
    mov eax, LINUX_WRITE
    syscall
    EXPECT rax, -14, 4                  ; -EFAULT

    mov [rel stack_pointer], rsp
    call have_avx
    mov [rel avx], al
    cmp r12, 1
    mov ecx, ROUNDS
    mov edx, 0                          ; the first `dec` makes it 2^32 - 1
    cmova ecx, edx
    mov [rel rounds], ecx
.round:
    call fill
    mov eax, LINUX_GETPID
    syscall
    call check                          ; rcx and r11 are the gate's
    call fill
    mov eax, GATE_GETPID
    int 0x80
    call check
    dec dword [rel rounds]
    jnz .round

    xor edi, edi
    mov eax, LINUX_EXIT_GROUP
    syscall
    ud2

; Status in r11d: by Linux's exit, so that both are used.
fail:
    mov edi, r11d
    mov eax, LINUX_EXIT
    syscall
    ud2

; al = 1 if the kernel has turned AVX on (Intel SDM vol 1, "Detection of AVX Instructions").
have_avx:
    mov eax, 1
    cpuid
    and ecx, 1 << 27 | 1 << 28          ; OSXSAVE, AVX
    cmp ecx, 1 << 27 | 1 << 28
    jne .none
    xor ecx, ecx
    xgetbv
    and eax, 6                          ; SSE and AVX state
    cmp eax, 6
    jne .none
    mov al, 1
    ret
.none:
    xor eax, eax
    ret

fill:
    mov rbx, PATTERN(1)
    mov rdx, PATTERN(2)
    mov rsi, PATTERN(3)
    mov rdi, PATTERN(4)
    mov rbp, PATTERN(5)
    mov r8, PATTERN(6)
    mov r9, PATTERN(7)
    mov r10, PATTERN(8)
    mov r12, PATTERN(9)
    mov r13, PATTERN(10)
    mov r14, PATTERN(11)
    mov r15, PATTERN(12)
    movdqu xmm0, [rel vector]
    movdqu xmm15, [rel vector + 16]
    cmp byte [rel avx], 0
    je .done
    vmovdqu ymm7, [rel vector]
    vmovdqu ymm8, [rel vector]
.done:
    ret

check:
    cld
    EXPECT rax, PID, 10
    EXPECT rbx, PATTERN(1), 11
    EXPECT rdx, PATTERN(2), 12
    EXPECT rsi, PATTERN(3), 13
    EXPECT rdi, PATTERN(4), 14
    EXPECT rbp, PATTERN(5), 15
    EXPECT r8, PATTERN(6), 16
    EXPECT r9, PATTERN(7), 17
    EXPECT r10, PATTERN(8), 18
    EXPECT r12, PATTERN(9), 19
    EXPECT r13, PATTERN(10), 20
    EXPECT r14, PATTERN(11), 21
    EXPECT r15, PATTERN(12), 22
    lea rax, [rsp + 8]
    cmp rax, [rel stack_pointer]
    mov r11d, 23
    jne fail
    movq rax, xmm0
    cmp rax, [rel vector]
    mov r11d, 24
    jne fail
    movhlps xmm0, xmm15
    movq rax, xmm0
    cmp rax, [rel vector + 24]
    mov r11d, 25
    jne fail
    cmp byte [rel avx], 0
    je .done
    vextractf128 xmm0, ymm7, 1
    movq rax, xmm0
    cmp rax, [rel vector + 16]
    mov r11d, 26
    jne fail
    vextractf128 xmm0, ymm8, 1
    movhlps xmm0, xmm0
    movq rax, xmm0
    cmp rax, [rel vector + 24]
    mov r11d, 27
    jne fail
.done:
    ret

section .rodata
text: db "gates: both in turn", 10
text_end:
align 32
vector: dq 0x0123456789abcdef, 0xfedcba9876543210, 0x5555aaaa5555aaaa, 0xaaaa5555aaaa5555

section .bss
stack_pointer: resq 1
rounds: resd 1
avx: resb 1
