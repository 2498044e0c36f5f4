; SPDX-License-Identifier: MIT
;
; Does what a program must not do, as its argument says. Each case is one row below: its name, and
; the instructions up to the label .at, where the CPU is to report the fault. Whatever comes back
; from a case exits with 77.

bits 64
%include "syscall_numbers.inc"

global _start

EXIT_CAME_BACK  equ 77
KERNEL_ADDRESS  equ 0xffffffff80200000
NON_CANONICAL   equ 0x8000000000000000
KERNEL_CODE     equ 0x08                ; any selector of ring 0 will do
BAD_SELECTOR    equ 0xfff8              ; beyond the GDT
LINUX_GETPID equ 39
FLAG_TF         equ 1 << 8
FLAG_AC         equ 1 << 18
MSR_EFER        equ 0xc0000080

%macro CASE 1
%defstr %%text %1
[section .rodata]
%%name: db %%text, 0
[section .cases]
    dq %%name, %1
[section .text]
%1:
%endmacro

section .text
_start:
    mov rsi, [rsp + 16]                 ; argv[1]
    lea rbx, [rel cases_start]
.next:
    mov rdi, [rbx]
    mov rdx, rsi
.compare:
    mov al, [rdi]
    cmp al, [rdx]
    jne .other
    inc rdi
    inc rdx
    test al, al
    jnz .compare
    call [rbx + 8]
    mov ebx, EXIT_CAME_BACK
    mov eax, NR_EXIT
    int 0x80
.other:
    add rbx, 16
    lea rax, [rel cases_end]
    cmp rbx, rax
    jb .next
    mov ebx, 78                         ; no such case
    mov eax, NR_EXIT
    int 0x80

section .cases progbits alloc noexec nowrite align=8
cases_start:

; ---- arithmetic ----------------------------------------------------------------------------------

CASE divide_by_zero
    xor edx, edx
    mov eax, 1
    xor ecx, ecx
.at:
    div ecx
    ret

CASE divide_overflow
    mov rdx, 1 << 62
    xor eax, eax
    mov ecx, 1
.at:
    idiv rcx
    ret

CASE x87_unmasked
    fninit
    fldcw [rel x87_all_unmasked]
    fldz
    fld1
    fdivrp
.at:
    fwait
    ret

CASE sse_unmasked
    ldmxcsr [rel sse_all_unmasked]
    pxor xmm0, xmm0
    movsd xmm1, [rel one]
.at:
    divsd xmm1, xmm0
    ret

CASE unaligned_with_ac
    lea rax, [rel data + 1]
    pushfq
    or qword [rsp], FLAG_AC
    popfq
.at:
    mov rax, [rax]
    ret

CASE unaligned_sse
    lea rax, [rel data + 1]
.at:
    movaps xmm0, [rax]
    ret

; ---- traps ---------------------------------------------------------------------------------------

CASE breakpoint
    int3
.at:
    ret

CASE breakpoint_long
    int 3
.at:
    ret

CASE single_step
    pushfq
    or qword [rsp], FLAG_TF
    popfq
    nop
.at:
    ret

; The gate clears TF, its return restores it: the kernel is not stepped, the next instruction is.
CASE single_step_over_gate
    mov eax, NR_GETPID
    pushfq
    or qword [rsp], FLAG_TF
    popfq
    int 0x80
    nop
.at:
    ret

; sysretq restores TF in time for its own end: the trap comes as if `syscall` were any instruction.
; The first call does what work is due on this core, with which the way back would be iretq.
CASE single_step_over_syscall
    mov eax, LINUX_GETPID
    syscall
    mov eax, LINUX_GETPID
    pushfq
    or qword [rsp], FLAG_TF
    popfq
    syscall
.at:
    nop
    ret

; ---- instructions that are not the program's -----------------------------------------------------

CASE undefined
.at:
    ud2

CASE invalid_in_64_bit
.at:
    db 0x06                             ; push es
    ret

CASE sysenter_instruction
.at:
    sysenter
    ret

CASE halt
.at:
    hlt
    ret

CASE disable_interrupts
.at:
    cli
    ret

CASE enable_interrupts
.at:
    sti
    ret

CASE port_in
    mov dx, 0x3f8
.at:
    in al, dx
    ret

CASE port_out
    mov dx, 0xf4
.at:
    out dx, al
    ret

CASE port_string
    mov dx, 0x3f8
    lea rsi, [rel data]
.at:
    outsb
    ret

CASE read_cr0
.at:
    mov rax, cr0
    ret

CASE write_cr3
    xor eax, eax
.at:
    mov cr3, rax
    ret

CASE write_cr4
    xor eax, eax
.at:
    mov cr4, rax
    ret

CASE read_dr7
.at:
    mov rax, dr7
    ret

CASE write_dr7
    xor eax, eax
.at:
    mov dr7, rax
    ret

CASE load_gdt
.at:
    lgdt [rel data]
    ret

CASE load_idt
.at:
    lidt [rel data]
    ret

CASE load_task
    mov ax, 0x28
.at:
    ltr ax
    ret

CASE load_ldt
    xor eax, eax
.at:
    lldt ax
    ret

CASE store_gdt
.at:
    sgdt [rel data]
    ret

CASE store_idt
.at:
    sidt [rel data]
    ret

CASE store_ldt
.at:
    sldt ax
    ret

CASE store_task
.at:
    str ax
    ret

CASE store_machine_word
.at:
    smsw ax
    ret

CASE read_msr
    mov ecx, MSR_EFER
.at:
    rdmsr
    ret

CASE write_msr
    mov ecx, MSR_EFER
    xor eax, eax
    xor edx, edx
.at:
    wrmsr
    ret

CASE swap_gs
.at:
    swapgs
    ret

CASE clear_task_switched
.at:
    clts
    ret

CASE invalidate_page
.at:
    invlpg [rel data]
    ret

CASE invalidate_caches
.at:
    wbinvd
    ret

CASE read_counter
    xor ecx, ecx
.at:
    rdpmc
    ret

; ---- interrupts that are not the program's -------------------------------------------------------

%macro INT_CASE 1
CASE int_%1
.at:
    int %1
    ret
%endmacro

INT_CASE 0
INT_CASE 1
INT_CASE 2
INT_CASE 4
INT_CASE 8
INT_CASE 13
INT_CASE 14
INT_CASE 18
INT_CASE 32
INT_CASE 66
INT_CASE 100
INT_CASE 127
INT_CASE 129
INT_CASE 239
INT_CASE 251
INT_CASE 254
INT_CASE 255

; ---- segments ------------------------------------------------------------------------------------

CASE far_jump_to_bad_selector
.at:
    jmp far [rel bad_far_pointer]
    ret

CASE far_jump_to_kernel_code
.at:
    jmp far [rel kernel_far_pointer]
    ret

CASE far_return_to_kernel_code
    push KERNEL_CODE
    lea rax, [rel _start]
    push rax
.at:
    retfq

CASE interrupt_return_to_kernel_code
    push 0
    push rsp
    pushfq
    push KERNEL_CODE
    lea rax, [rel _start]
    push rax
.at:
    iretq

CASE bad_stack_segment
    mov eax, BAD_SELECTOR
.at:
    mov ss, ax
    ret

CASE null_stack_segment
    xor eax, eax
.at:
    mov ss, ax
    ret

CASE kernel_stack_segment
    mov eax, 0x10
.at:
    mov ss, ax
    ret

CASE bad_data_segment
    mov eax, BAD_SELECTOR
.at:
    mov ds, ax
    ret

CASE kernel_gs_segment
    mov eax, 0x10
.at:
    mov gs, ax
    ret

; ---- memory --------------------------------------------------------------------------------------

CASE read_null
    xor eax, eax
.at:
    mov rax, [rax]
    ret

CASE call_null
    xor eax, eax
    push rax
    ret                                 ; the fault is at 0

CASE write_code
.at:
    mov byte [rel _start], 0x90
    ret

CASE write_constant
.at:
    mov byte [rel one], 0
    ret

CASE execute_stack
    mov word [rsp - 64], 0x90c3
    lea rax, [rsp - 64]
    jmp rax                             ; the fault is there

CASE execute_data
    lea rax, [rel data]
    jmp rax

CASE stack_overrun
.at:
    push rax
    jmp .at

CASE read_kernel
    mov rax, KERNEL_ADDRESS
.at:
    mov rax, [rax]
    ret

CASE write_kernel
    mov rax, KERNEL_ADDRESS
.at:
    mov [rax], rax
    ret

CASE jump_to_kernel
    mov rax, KERNEL_ADDRESS
    jmp rax

CASE read_non_canonical
    mov rax, NON_CANONICAL
.at:
    mov rax, [rax]
    ret

CASE jump_to_non_canonical
    mov rax, NON_CANONICAL
.at:
    jmp rax

CASE return_to_non_canonical
    mov rax, NON_CANONICAL
    push rax
.at:
    ret

CASE push_to_non_canonical
    mov rsp, NON_CANONICAL
.at:
    push rax
    ret

CASE read_last_page
    mov rax, 0x7ffffffffff8
.at:
    mov rax, [rax]
    ret

; Code that ends in the last page below 2^47 would leave rip non-canonical after `int 0x80`.
CASE jump_to_last_page
    mov rax, 0x7ffffffffffe
    jmp rax

; A stack that is nowhere does not matter to a fault.
CASE fault_without_stack
    xor esp, esp
.at:
    ud2

section .cases
cases_end:

section .rodata
one:                dq 1.0
x87_all_unmasked:   dw 0x340
align 4
sse_all_unmasked:   dd 0
bad_far_pointer:
    dd 0
    dw BAD_SELECTOR
kernel_far_pointer:
    dd 0
    dw KERNEL_CODE

section .data
align 16
data: times 32 db 0xc3
