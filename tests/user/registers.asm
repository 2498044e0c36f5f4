; SPDX-License-Identifier: MIT
;
; Holds both gates to "every other register, the flags and the vector state unchanged". Around each
; int 0x80 of a table, all registers hold patterns, rsp too: no gate has a use for the program's
; stack, so it may point anywhere. Then the same around each `syscall` of another table, which alone
; may change rcx, to the address behind it, and r11, to the flags; and across the interrupts that
; come while the program spins. All 64 bits of the
; registers, the segment selectors, rflags, and x87 and SSE state as fxsave64 tells it are compared.
;
; Prints the first difference, `CALL: REGISTER changed`, and exits with 1, or how many probes found
; none, and exits with 0. A call that gives success where an error was due, or the other way round,
; is a failure too: it would not be the path that was to be probed.

bits 64
%include "syscall_numbers.inc"

global _start

STDOUT          equ 1
LINUX_WRITE     equ 1
LINUX_GETPID    equ 39
FLAGS_DEFAULT   equ 0x202               ; IF and the bit that is always 1
FX_BYTES        equ 512
SPIN_TURNS      equ 1 << 20
SPIN_TICKS      equ 8000000000          ; some seconds, whatever the TSC's rate

; Where each register lies in a state.
struc STATE
.rax:   resq 1
.rbx:   resq 1
.rcx:   resq 1
.rdx:   resq 1
.rsi:   resq 1
.rdi:   resq 1
.rbp:   resq 1
.r8:    resq 1
.r9:    resq 1
.r10:   resq 1
.r11:   resq 1
.r12:   resq 1
.r13:   resq 1
.r14:   resq 1
.r15:   resq 1
.rsp:   resq 1
.flags: resq 1
.ds:    resq 1
.es:    resq 1
.fs:    resq 1
.gs:    resq 1
endstruc
struc PATTERN
.seed:  resq 1
.flags: resq 1
.rsp:   resq 1
endstruc

STATE_WORDS     equ STATE_size / 8
PATTERN_WORDS   equ STATE.rsp / 8       ; rax to r15

; The fields of the fxsave64 image that are compared: its start, length and name (Intel SDM vol 1,
; "FXSAVE Area"). The instruction and data pointers are left out: QEMU does not keep them.
%macro FX_FIELD 3
    dq %1, %2
    db %3
    align 8, db 0
%endmacro

section .text

; ---- the probes ----------------------------------------------------------------------------------

; PROBE name, instruction: load `before`, execute the instruction, store `after`.
; No arguments, no result; clobbers all but rsp.
%macro PROBE 2
%1:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov [rel own_rsp], rsp
    fxrstor64 [rel fx_image]
    fxsave64 [rel fx_before]
    mov ds, [rel before + STATE.ds]
    mov es, [rel before + STATE.es]
    mov fs, [rel before + STATE.fs]
    mov gs, [rel before + STATE.gs]
    mov rax, [rel before + STATE.rax]
    mov rbx, [rel before + STATE.rbx]
    mov rcx, [rel before + STATE.rcx]
    mov rdx, [rel before + STATE.rdx]
    mov rsi, [rel before + STATE.rsi]
    mov rdi, [rel before + STATE.rdi]
    mov rbp, [rel before + STATE.rbp]
    mov r8, [rel before + STATE.r8]
    mov r9, [rel before + STATE.r9]
    mov r10, [rel before + STATE.r10]
    mov r11, [rel before + STATE.r11]
    mov r12, [rel before + STATE.r12]
    mov r13, [rel before + STATE.r13]
    mov r14, [rel before + STATE.r14]
    mov r15, [rel before + STATE.r15]
    push qword [rel before + STATE.flags]
    popfq
    mov rsp, [rel before + STATE.rsp]
    %2
.behind:
    mov [rel after + STATE.rsp], rsp    ; no mov touches the flags
    mov rsp, [rel own_rsp]
    pushfq
    pop qword [rel after + STATE.flags]
    mov [rel after + STATE.rax], rax
    mov [rel after + STATE.rbx], rbx
    mov [rel after + STATE.rcx], rcx
    mov [rel after + STATE.rdx], rdx
    mov [rel after + STATE.rsi], rsi
    mov [rel after + STATE.rdi], rdi
    mov [rel after + STATE.rbp], rbp
    mov [rel after + STATE.r8], r8
    mov [rel after + STATE.r9], r9
    mov [rel after + STATE.r10], r10
    mov [rel after + STATE.r11], r11
    mov [rel after + STATE.r12], r12
    mov [rel after + STATE.r13], r13
    mov [rel after + STATE.r14], r14
    mov [rel after + STATE.r15], r15
    mov [rel after + STATE.ds], ds
    mov [rel after + STATE.es], es
    mov [rel after + STATE.fs], fs
    mov [rel after + STATE.gs], gs
    fxsave64 [rel fx_after]
    push qword FLAGS_DEFAULT
    popfq
    fninit
    inc qword [rel probes]
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret
%endmacro

PROBE probe_gate, {int 0x80}
PROBE probe_syscall, {syscall}
PROBE probe_spin, {loop $}              ; rcx counts down; `loop` leaves the flags alone

; ---- comparing -----------------------------------------------------------------------------------

; Ends the program if `after` is not `before`. rbx = the name of what ran.
compare:
    xor ecx, ecx
    lea rsi, [rel before]
    lea rdi, [rel after]
    lea rdx, [rel state_names]
.register:
    mov rax, [rsi + rcx * 8]
    cmp rax, [rdi + rcx * 8]
    jne changed
    add rdx, 8
    inc ecx
    cmp ecx, STATE_WORDS
    jb .register

    lea r8, [rel fx_fields]
    lea r9, [rel fx_fields_end]
.field:
    mov rax, [r8]
    lea rsi, [rel fx_before]
    add rsi, rax
    lea rdi, [rel fx_after]
    add rdi, rax
    mov rcx, [r8 + 8]
    lea rdx, [r8 + 16]
    repe cmpsb
    jne changed
    add r8, 24
    cmp r8, r9
    jb .field
    ret

; rbx = what ran, rdx = what changed
changed:
    mov r12, rdx
    mov rsi, rbx
    call print
    lea rsi, [rel text_colon]
    call print
    mov rsi, r12
    call print
    lea rsi, [rel text_changed]
    call print
    jmp exit_1

; rbx = what ran
wrong_result:
    mov rsi, rbx
    call print
    lea rsi, [rel text_wrong]
    call print
exit_1:
    mov ebx, 1
    mov eax, NR_EXIT
    int 0x80

; Writes the terminated text at rsi. Keeps rbx and r12.
print:
    push rbx
    xor edx, edx
.count:
    cmp byte [rsi + rdx], 0
    je .write
    inc edx
    jmp .count
.write:
    mov ebx, STDOUT
    mov rcx, rsi
    mov eax, NR_WRITE
    int 0x80
    pop rbx
    ret

; ---- patterns ------------------------------------------------------------------------------------

; Fill `before` from the pattern at r14: rax to r15 from the seed, a different value each.
fill:
    lea rdi, [rel before]
    mov rax, [r14 + PATTERN.flags]
    mov [rdi + STATE.flags], rax
    mov rax, [r14 + PATTERN.rsp]
    mov [rdi + STATE.rsp], rax
    mov rax, [r14 + PATTERN.seed]
    mov ecx, PATTERN_WORDS
.next:
    mov [rdi], rax
    add rdi, 8
    rol rax, 7
    xor rax, rcx
    dec ecx
    jnz .next
    ret

; The segment selectors: the one data segment that a program has.
fill_selectors:
    mov eax, ss
    mov [rel before + STATE.ds], rax
    mov [rel before + STATE.es], rax
    mov [rel before + STATE.fs], rax
    mov [rel before + STATE.gs], rax
    ret

; Eight valid x87 values, sixteen patterns for xmm, and control words that are not the default.
fill_fx_image:
    fninit
    fldcw [rel x87_control]
    ldmxcsr [rel sse_control]
    fldpi
    fldl2e
    fldln2
    fldlg2
    fldl2t
    fld1
    fxsave64 [rel fx_image]
    fninit
    lea rdi, [rel fx_image + 160]
    mov rax, 0x0123456789abcdef
    mov ecx, 32
.next:
    mov [rdi], rax
    add rdi, 8
    rol rax, 9
    xor rax, rcx
    dec ecx
    jnz .next
    ret

; ---- the runs ------------------------------------------------------------------------------------

; One call of the table at r13 under the pattern at r14.
run_call:
    call fill
    lea rsi, [r13 + 8]                  ; number, count of arguments, arguments
    lea rdi, [rel before]
    mov rax, [rsi]
    mov [rdi], rax
    mov rcx, [rsi + 8]
    add rsi, 16
    add rdi, 8
    rep movsq
    call probe_gate
    jmp judge

; The same for a row of linux_calls.
run_syscall:
    call fill
    mov rax, [r13 + 8]
    mov [rel before + STATE.rax], rax
    mov rax, [r13 + 24]
    mov [rel before + STATE.rdi], rax
    mov rax, [r13 + 32]
    mov [rel before + STATE.rsi], rax
    mov rax, [r13 + 40]
    mov [rel before + STATE.rdx], rax
    call probe_syscall
    lea rax, [rel probe_syscall.behind]
    mov [rel before + STATE.rcx], rax
    mov rax, [rel before + STATE.flags]
    mov [rel before + STATE.r11], rax

; Does the result have the sign that was due, and is all else as it was?
judge:
    mov rbx, [r13]                      ; the name
    mov rax, [rel after + STATE.rax]
    xor rax, [r13 + 16 + 8 + 3 * 8]     ; below 0: an error was due
    js wrong_result
    mov rax, [rel after + STATE.rax]
    mov [rel before + STATE.rax], rax   ; the one register that may change
    jmp compare

_start:
    call fill_selectors
    call fill_fx_image

    lea r14, [rel patterns]
.pattern:
    lea r13, [rel calls]
.call:
    call run_call
    add r13, CALL_BYTES
    lea rax, [rel calls_end]
    cmp r13, rax
    jb .call
    lea r13, [rel linux_calls]
.syscall:
    call run_syscall
    add r13, CALL_BYTES
    lea rax, [rel linux_calls_end]
    cmp r13, rax
    jb .syscall
    add r14, PATTERN_size
    lea rax, [rel patterns_end]
    cmp r14, rax
    jb .pattern

    lea rsi, [rel text_spinning]
    call print
    rdtsc
    shl rdx, 32
    lea r12, [rdx + rax]
.spin:
    lea r14, [rel patterns]
.spin_pattern:
    call fill
    mov qword [rel before + STATE.rcx], SPIN_TURNS
    call probe_spin
    mov qword [rel before + STATE.rcx], 0
    lea rbx, [rel text_spin]
    call compare
    add r14, PATTERN_size
    lea rax, [rel patterns_end]
    cmp r14, rax
    jb .spin_pattern
    rdtsc
    shl rdx, 32
    add rax, rdx
    sub rax, r12
    mov rcx, SPIN_TICKS
    cmp rax, rcx
    jb .spin

    lea rsi, [rel text_done]
    call print
    xor ebx, ebx
    mov eax, NR_EXIT
    int 0x80

; ---- what is called and with what ----------------------------------------------------------------

section .data align=16

; CALL name, number, sign of the result (0 or -1), count of arguments, three arguments. The upper
; halves of ints are garbage.
CALL_BYTES      equ 56
GARBAGE         equ 0x5eed5eed << 32

%macro CALL_ROW 4-7 0, 0, 0
[section .rodata]
%%name: db %1, 0
__?SECT?__
    dq %%name, %2, %4, %5, %6, %7, %3
%endmacro

calls:
    CALL_ROW "write",               NR_WRITE, 0, 3, GARBAGE | STDOUT, text_dot, 2
    CALL_ROW "write, bad fd",       NR_WRITE, -1, 3, GARBAGE | 17, text_dot, 2
    CALL_ROW "write, bad buffer",   NR_WRITE, -1, 3, GARBAGE | STDOUT, 16, 2
    CALL_ROW "getpid",              NR_GETPID, 0, 0
    CALL_ROW "syslog",              NR_SYSLOG, 0, 3, GARBAGE | 3, log_buffer, 500
    CALL_ROW "syslog, bad type",    NR_SYSLOG, -1, 3, GARBAGE | 11, log_buffer, 500
    CALL_ROW "syslog, bad buffer",  NR_SYSLOG, -1, 3, GARBAGE | 3, text_dot - text_dot + 16, 500
    CALL_ROW "sched_yield",         NR_SCHED_YIELD, 0, 0
    CALL_ROW "klog",                NR_KLOG, 0, 2, text_dot, GARBAGE | 1
    CALL_ROW "klog, too long",      NR_KLOG, -1, 2, text_dot, GARBAGE | 4097
    CALL_ROW "klog, bad buffer",    NR_KLOG, -1, 2, 16, GARBAGE | 1
    CALL_ROW "register_ipi",        NR_REGISTER_IPI, 0, 1, GARBAGE | 100
    CALL_ROW "register_ipi again",  NR_REGISTER_IPI, -1, 1, GARBAGE | 100
    CALL_ROW "send_ipi to itself",  NR_SEND_IPI, 0, 2, GARBAGE | 0, GARBAGE | 100
    CALL_ROW "send_ipi to all",     NR_SEND_IPI, 0, 2, GARBAGE | 0xffffffff, GARBAGE | 100
    CALL_ROW "send_ipi to others",  NR_SEND_IPI, 0, 2, GARBAGE | 0xfffffffe, GARBAGE | 100
    CALL_ROW "send_ipi, no core",   NR_SEND_IPI, -1, 2, GARBAGE | 4000, GARBAGE | 100
    CALL_ROW "unregister_ipi",      NR_UNREGISTER_IPI, 0, 1, GARBAGE | 100
    CALL_ROW "unregister_ipi again", NR_UNREGISTER_IPI, -1, 1, GARBAGE | 100
    CALL_ROW "putc",                NR_PUTC, 0, 1, GARBAGE | 10
    CALL_ROW "getcore",             NR_GETCORE, 0, 0
    CALL_ROW "ncores",              NR_NCORES, 0, 0
    CALL_ROW "ncores_online",       NR_NCORES_ONLINE, 0, 0
    CALL_ROW "an unknown call",     0x7fff0000, -1, 0
calls_end:

; The same for `syscall`, with Linux's numbers; the arguments go to rdi, rsi and rdx.
linux_calls:
    CALL_ROW "syscall write",             LINUX_WRITE, 0, 3, GARBAGE | STDOUT, text_dot, 2
    CALL_ROW "syscall write, bad fd",     LINUX_WRITE, -1, 3, GARBAGE | 17, text_dot, 2
    CALL_ROW "syscall write, bad buffer", LINUX_WRITE, -1, 3, GARBAGE | STDOUT, 16, 2
    CALL_ROW "syscall getpid",            LINUX_GETPID, 0, 0
    CALL_ROW "an unknown syscall",        511, -1, 0
    CALL_ROW "a syscall beyond the table", 512, -1, 0
    CALL_ROW "a syscall of 64 bits",      1 << 32 | LINUX_GETPID, -1, 0
linux_calls_end:

; The flags: CF 1, PF 4, AF 10, ZF 40, SF 80, OF 800, DF 400, NT 4000, AC 40000, ID 200000, all
; hexadecimal. rsp: misaligned, not canonical, the kernel's, null, the last word, the ends of the
; two halves.
patterns:
    dq 0x0123456789abcdef, FLAGS_DEFAULT,            0x0000123456789abd
    dq 0xfedcba9876543210, FLAGS_DEFAULT | 0x8d5,    0x8000000000000001
    dq 0x5555555555555555, FLAGS_DEFAULT | 0x400,    0xffffffff80200010
    dq 0xaaaaaaaaaaaaaaaa, FLAGS_DEFAULT | 0xcd5,    0
    dq 0x8000000000000001, FLAGS_DEFAULT | 0x091,    0xffffffffffffffff
    dq 0x7ffffffffffffffe, FLAGS_DEFAULT | 0x844,    0x00007ffffffffff8
    dq 0x00000000ffffffff, FLAGS_DEFAULT | 0x40000,  0x0000800000000000
    dq 0xffffffff00000000, FLAGS_DEFAULT | 0x204000, 0xffff800000000000
patterns_end:

before: times STATE_WORDS dq 0
after:  times STATE_WORDS dq 0
own_rsp: dq 0
probes:  dq 0

section .bss align=16
fx_image:   resb FX_BYTES
fx_before:  resb FX_BYTES
fx_after:   resb FX_BYTES
log_buffer: resb 512

section .rodata
x87_control: dw 0x0c7f                  ; round towards 0, 24 bits of precision
align 4
sse_control: dd 0xff80                  ; flush to 0, round towards 0

state_names:
    dq "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13"
    dq "r14", "r15", "rsp", "rflags", "ds", "es", "fs", "gs"

align 8
fx_fields:
    FX_FIELD 0, 2, {"x87 cw", 0}
    FX_FIELD 2, 2, {"x87 sw", 0}
    FX_FIELD 4, 1, {"x87 tw", 0}
    FX_FIELD 24, 4, {"mxcsr", 0}
%assign n 0
%rep 8
%defstr digit n
    FX_FIELD 32 + 16 * n, 10, {"st", digit, 0}
%assign n n + 1
%endrep
%assign n 0
%rep 16
%defstr digit n
    FX_FIELD 160 + 16 * n, 16, {"xmm", digit, 0}
%assign n n + 1
%endrep
fx_fields_end:

text_dot:       db ".", 10, 0
text_colon:     db ": ", 0
text_changed:   db " changed", 10, 0
text_wrong:     db ": not the result that was due", 10, 0
text_spin:      db "an interrupt", 0
text_spinning:  db "registers: now across interrupts", 10, 0
text_done:      db "registers: all kept", 10, 0
