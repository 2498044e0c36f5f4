; SPDX-License-Identifier: MIT
;
; A program for the self-test gates-under-fire (proc/gates_selftest.c), which copies it into an
; address space and runs it there in ring 3: getpid by both gates in turn, without a pause, until
; the word at its first stack pointer is no longer 0. After each call the result, all registers that
; the gate keeps, and the flags (DF too) must be what they were; every 64 rounds also all vector
; registers, in full width with AVX. Exits with 0, or with the number of the check that failed.
;
; Position-independent; rsp = the first stack pointer, with 16 bytes above it and a page below.

bits 64
%include "syscall_numbers.inc"

global gates_program, gates_program_end

LINUX_GETPID    equ 39
LINUX_EXIT      equ 60
PID             equ 1
FLAGS           equ 0xed7               ; CF PF AF ZF SF IF DF OF, and the bit that is always 1
VECTORS         equ 16
VECTOR_BYTES    equ 32
CHECK_MASK      equ 63                  ; vectors are compared when these bits of the round are 0

STOP            equ 0                   ; from rsp
HAVE_AVX        equ 8

%define PATTERN(n) (0x1111111111111111 * (n))

; Fail with status %3 unless register %1 is %2. Uses r11.
%macro EXPECT 3
    mov r11, %2
    cmp %1, r11
    mov r11d, %3
    jne gates_program.fail
%endmacro

; After a gate: rax, the flags, and every register that both gates keep. Uses rax, rcx, r11.
%macro CHECK 1
    pushfq
    pop rcx
    cld
    EXPECT rcx, FLAGS, %1
    EXPECT rax, PID, %1 + 1
    EXPECT rbx, PATTERN(1), %1 + 2
    EXPECT rdx, PATTERN(2), %1 + 3
    EXPECT rsi, PATTERN(3), %1 + 4
    EXPECT rdi, PATTERN(4), %1 + 5
    EXPECT r8, PATTERN(5), %1 + 6
    EXPECT r9, PATTERN(6), %1 + 7
    EXPECT r10, PATTERN(7), %1 + 8
    EXPECT r12, PATTERN(8), %1 + 9
    EXPECT r13, PATTERN(9), %1 + 10
    EXPECT r14, PATTERN(10), %1 + 11
    cmp rbp, rsp
    mov r11d, %1 + 12
    jne gates_program.fail
%endmacro

; Load or store all vector registers at rax, by VEX or without.
%macro EACH_VECTOR 2                    ; load | store, ymm | xmm
%assign i 0
%rep VECTORS
%ifidn %1 %2, load ymm
    vmovdqu ymm %+ i, [rax + i * VECTOR_BYTES]
%elifidn %1 %2, store ymm
    vmovdqu [rax + i * VECTOR_BYTES], ymm %+ i
%elifidn %1 %2, load xmm
    movdqu xmm %+ i, [rax + i * VECTOR_BYTES]
%else
    movdqu [rax + i * VECTOR_BYTES], xmm %+ i
%endif
%assign i i + 1
%endrep
%endmacro

section .rodata align=32

gates_program:
    mov eax, 1                          ; Intel SDM vol 1, "Detection of AVX Instructions"
    cpuid
    and ecx, 1 << 27 | 1 << 28          ; OSXSAVE, AVX
    cmp ecx, 1 << 27 | 1 << 28
    jne .no_avx
    xor ecx, ecx
    xgetbv
    and eax, 6                          ; SSE and AVX state
    cmp eax, 6
    jne .no_avx
    mov byte [rsp + HAVE_AVX], 1
    lea rax, [rel .vectors]
    EACH_VECTOR load, ymm
    jmp .fill
.no_avx:
    lea rax, [rel .vectors]
    EACH_VECTOR load, xmm
.fill:
    mov rbx, PATTERN(1)
    mov rdx, PATTERN(2)
    mov rsi, PATTERN(3)
    mov rdi, PATTERN(4)
    mov r8, PATTERN(5)
    mov r9, PATTERN(6)
    mov r10, PATTERN(7)
    mov r12, PATTERN(8)
    mov r13, PATTERN(9)
    mov r14, PATTERN(10)
    mov rbp, rsp
    xor r15d, r15d                      ; rounds

.round:
    mov eax, LINUX_GETPID
    push FLAGS
    popfq
    syscall                             ; rcx and r11 are the gate's
    CHECK 10
    mov eax, NR_GETPID
    mov ecx, 0x5eed
    mov r11d, 0xf00d
    push FLAGS
    popfq
    int 0x80
    pushfq                              ; this gate keeps rcx and r11 as well
    cmp ecx, 0x5eed
    jne .fail_rcx
    cmp r11d, 0xf00d
    jne .fail_r11
    popfq
    CHECK 30
    inc r15d
    test r15d, CHECK_MASK
    jz .compare
.compared:
    cmp dword [rsp + STOP], 0
    je .round
    mov ebx, 0
    mov eax, NR_EXIT
    int 0x80

; The vectors, stored below the stack pointer, against what was loaded. Without AVX only the lower
; halves are stored: the first two words of four.
.compare:
    lea rax, [rsp - VECTORS * VECTOR_BYTES]
    cmp byte [rsp + HAVE_AVX], 0
    je .store_xmm
    EACH_VECTOR store, ymm
    jmp .stored
.store_xmm:
    EACH_VECTOR store, xmm
.stored:
    mov ecx, VECTORS * VECTOR_BYTES / 8 - 1
.word:
    test ecx, 2
    jz .stored_word
    cmp byte [rsp + HAVE_AVX], 0
    je .next
.stored_word:
    lea r11, [rel .vectors]
    mov r11, [r11 + rcx * 8]
    cmp r11, [rax + rcx * 8]
    jne .fail_vector
.next:
    dec ecx
    jns .word
    jmp .compared

.fail_vector:
    mov r11d, 50
    jmp .fail
.fail_rcx:
    mov r11d, 51
    jmp .fail
.fail_r11:
    mov r11d, 52
.fail:
    mov edi, r11d
    mov eax, LINUX_EXIT
    syscall
    ud2

align 32, db 0
.vectors:
%assign i 0
%rep VECTORS * VECTOR_BYTES / 8
    dq 0x0123456789abcdef * (2 * i + 1)
%assign i i + 1
%endrep
gates_program_end:
