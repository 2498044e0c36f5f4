; SPDX-License-Identifier: MIT
;
; The floor: the least that a kernel can do and still keep Carillon's contract (docs/ring.md,
; docs/system-call-gate.md), written by hand. It is the yardstick of `make bench` and nothing else:
; one machine (QEMU's q35 with -cpu max, APIC ids 0, 1, 2 ...), no errors but those of the calls.
; Beside it stand "bare" variants without the contract's duties, to show what the duties cost.
;
; Boot it by PVH; it prints its measurements to the first serial port (series.inc says how) and ends
; by isa-debug-exit with 0, or with 2 if something happened that cannot happen.

%define SERIES_TEXTS .user_data
%define SERIES_DATA  .user_data

BARE_CORE       equ 2                   ; the core whose idle loop is bare

%include "machine.inc"

section .user_data progbits alloc noexec write align=16
section .user_text progbits alloc exec nowrite align=16
%include "series.inc"

%include "boot.inc"
%include "gates.inc"
%include "rings.inc"

; ---- what is measured in the kernel --------------------------------------------------------------

section .text

main:
    push qword SEL_USER_DATA
    push qword user_stack_top
    push qword FLAG_IF | FLAG_IOPL3 | 2 ; the program prints by itself
    push qword SEL_USER_CODE
    push qword user_start
    cli
    swapgs
    iretq

; KERNEL_SERIES name, arguments, operation (a macro): SAMPLES samples of it go to the program's
; `samples`; rbx = 0: of the arguments alone. Returns 0.
%macro KERNEL_SERIES 3
    push rbx
    push rbp
    push r12
    push r14
    push r15
    mov ebp, ebx
    lea r14, [rel kernel_samples]
    mov r15d, SAMPLES
%%turn:
    mov ecx, SETTLE_TURNS
%%settle:
    pause
    dec ecx
    jnz %%settle
    mov dword [taken], 0
    test ebp, ebp
    jz %%pair
    rdtsc
    mov r12d, eax
    %2
global op_%1
op_%1:
    %3
global op_%1_end
op_%1_end:
    rdtsc
    jmp %%store
%%pair:
    rdtsc
    mov r12d, eax
    %2
    rdtsc
%%store:
    sub eax, r12d
    mov [r14], eax
    add r14, 4
    dec r15d
    jnz %%turn
    lea rsi, [rel kernel_samples]
    lea rdi, [rel samples]
    mov ecx, SAMPLES
    stac
    rep movsd
    clac
    pop r15
    pop r14
    pop r12
    pop rbp
    pop rbx
    xor eax, eax
    ret
%endmacro

; Spin until eax handlers have been there.
%macro WAIT_TAKEN 0
%%look:
    cmp [taken], eax
    je %%seen
    pause
    jmp %%look
%%seen:
%endmacro

%macro NO_ARGUMENTS 0
%endmacro
%macro RING_OTHER 0
    mov esi, 1
    mov edi, VECTOR_RING
    call send_ipi
    mov eax, 1
    WAIT_TAKEN
%endmacro
%macro RING_EACH 0
    mov esi, -1
    mov edi, VECTOR_RING
    call send_ipi
    WAIT_TAKEN
%endmacro
%macro RING_BARE 0
    mov dword [LAPIC_ICR_HIGH], BARE_CORE << 24
    mov dword [LAPIC_ICR_LOW], ICR_ASSERT | VECTOR_BARE_RING
    mov eax, 1
    WAIT_TAKEN
%endmacro

round_trip:      KERNEL_SERIES round_trip, NO_ARGUMENTS, RING_OTHER
broadcast:       KERNEL_SERIES broadcast, NO_ARGUMENTS, RING_EACH
bare_round_trip: KERNEL_SERIES bare_round_trip, NO_ARGUMENTS, RING_BARE

; measure(rcx = which, rbx = 0: the pair alone)
call_measure:
    jmp [measurements + rcx * 8]

; fact(rbx = which): 0 how many cores, 1 the time of bring-up in ns
call_fact:
    mov eax, [core_count]
    test ebx, ebx
    cmovnz rax, [bring_up_ns]
    ret

section .rodata
align 8
measurements:   dq round_trip, broadcast, bare_round_trip
ROUND_TRIP      equ 0
BROADCAST       equ 1
BARE_ROUND_TRIP equ 2

section .bss
kernel_samples: resd SAMPLES

; ---- the program ---------------------------------------------------------------------------------

section .user_text

%macro GETPID_80 0
    mov eax, NR_GETPID
%endmacro
%macro UNKNOWN 0
    mov eax, 0x7fff0000
%endmacro
%macro SEND_OTHER 0
    mov ebx, 1
    mov ecx, VECTOR_RING
    mov eax, NR_SEND_IPI
%endmacro
%macro SEND_SELF 0
    mov ebx, 0
    mov ecx, VECTOR_RING
    mov eax, NR_SEND_IPI
%endmacro
%macro SEND_ALL 0
    mov ebx, -1
    mov ecx, VECTOR_RING
    mov eax, NR_SEND_IPI
%endmacro

; IN_KERNEL which, name
%macro IN_KERNEL 2
[section .user_data]
%%pair_name: db %2, " pair", 0
%%name:      db %2, 0
__?SECT?__
    xor ebx, ebx
    lea rbp, [rel %%pair_name]
    mov ecx, %1
    call run_in_kernel
    mov ebx, 1
    lea rbp, [rel %%name]
    mov ecx, %1
    call run_in_kernel
%endmacro

user_start:
    mov ebx, 1
    mov eax, NR_FACT
    int VECTOR_GATE
    mov rbp, rax
    lea rbx, [rel bring_up_text]
    call print_number
    SERIES int80_null, GETPID_80, int VECTOR_GATE, 1
    SERIES int80_unknown, UNKNOWN, int VECTOR_GATE, -ENOSYS
    SERIES bare_int, GETPID_80, int VECTOR_BARE_GATE, 1
    SERIES syscall_null, GETPID_80, syscall, 1
    SERIES syscall_unknown, UNKNOWN, syscall, -ENOSYS
    mov ebx, 1
    mov eax, NR_CHOOSE_SYSCALL
    int VECTOR_GATE
    SERIES bare_syscall, GETPID_80, syscall, 1
    SERIES send_self, SEND_SELF, int VECTOR_GATE, 0
    xor ebx, ebx
    mov eax, NR_FACT
    int VECTOR_GATE
    mov [rel cores], eax
    IN_KERNEL BROADCAST, "broadcast"
    cmp dword [rel cores], 1
    je done
    SERIES send_other, SEND_OTHER, int VECTOR_GATE, 0
    SERIES send_all, SEND_ALL, int VECTOR_GATE, [rel cores]
    IN_KERNEL ROUND_TRIP, "round_trip"
    cmp dword [rel cores], BARE_CORE
    jbe done
    IN_KERNEL BARE_ROUND_TRIP, "bare_round_trip"
done:
    lea rsi, [rel done_text]
    mov edx, done_text_end - done_text
    call emit
    xor eax, eax
    out DEBUG_EXIT, al

; ecx = which, ebx = 0: the pair alone, rbp = its name.
run_in_kernel:
    mov eax, NR_MEASURE
    int VECTOR_GATE
    mov rbx, rbp
    jmp print_series

; An operation gave what it must not give.
wrong:
    mov rbp, r13
    call print_number
    mov al, 2
    out DEBUG_EXIT, al

; Writes rdx bytes at rsi to the serial port.
emit:
    mov rcx, rdx
.next:
    mov dx, COM1_STATUS
.wait:
    in al, dx
    test al, COM1_EMPTY
    jz .wait
    mov dx, COM1
    lodsb
    out dx, al
    loop .next
    ret

section .user_data
bring_up_text:  db "bring_up_ns", 0
done_text:      db "bench: done", 10
done_text_end:
align 8
cores:          dq 0
                times 1024 db 0
user_stack_top:
