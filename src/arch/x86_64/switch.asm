; SPDX-License-Identifier: MIT
;
; From one kernel stack to another.

section .text

; void thread_switch_stacks(uint64_t *from_rsp, uint64_t to_rsp)
; The compiler has saved what a call may change; what it may not (System V ABI, AMD64, "Registers
; and the Stack Frame") goes onto the stack that is left, and comes from the one that is entered: a
; stack that came here before, or what arch_thread_init() made to look like one. Interrupts are off.
align 16
global thread_switch_stacks
thread_switch_stacks:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov [rdi], rsp
    mov rsp, rsi
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret
