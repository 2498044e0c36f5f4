; SPDX-License-Identifier: MIT
;
; The program that is measured on Carillon and on Linux, as init: one binary for both. What the two
; kernels have in common comes first. With an argument, which only Carillon's init gets, the rings
; follow; without one, how much memory Linux has left.
;
; Both gates know getpid by the same numbers on both kernels: 20 at int 0x80 (Linux takes its i386
; table there, also from 64-bit code) and 39 at `syscall`.

bits 64
%include "syscall_numbers.inc"

%define SERIES_TEXTS .rodata
%define SERIES_DATA  .data

LINUX_WRITE     equ 1
LINUX_IOCTL     equ 16
LINUX_YIELD     equ 24
LINUX_GETPID    equ 39
LINUX_EXIT      equ 60
LINUX_SYSINFO   equ 99
TCSBRK          equ 0x5409              ; with an argument other than 0: wait until all is sent
NOBODY          equ 0x7fff0000          ; no call has that number

STDOUT          equ 1
SYSLOG_NEWEST   equ 3
SYSLOG_CONSOLE_LEVEL equ 8
LOG_BYTES       equ 1024                ; the newest lines: those about memory and init
LEVEL_INFO      equ 6
ENOSYS          equ 38
INIT            equ 1                   ; what getpid gives here

VECTOR          equ 100
ITSELF          equ 0                   ; init runs on the boot core
OTHER           equ 1
ALL             equ -1

SYSINFO_FREE    equ 40                  ; struct sysinfo: freeram, mem_unit
SYSINFO_UNIT    equ 104

%macro GETPID_80 0
    mov eax, NR_GETPID
%endmacro
%macro GETPID_LINUX 0
    mov eax, LINUX_GETPID
%endmacro
%macro YIELD_LINUX 0
    mov eax, LINUX_YIELD
%endmacro
%macro UNKNOWN 0
    mov eax, NOBODY
%endmacro
%macro SEND_OTHER 0
    mov ebx, OTHER
    mov ecx, VECTOR
    mov eax, NR_SEND_IPI
%endmacro
%macro SEND_SELF 0
    mov ebx, ITSELF
    mov ecx, VECTOR
    mov eax, NR_SEND_IPI
%endmacro
%macro SEND_ALL 0
    mov ebx, ALL
    mov ecx, VECTOR
    mov eax, NR_SEND_IPI
%endmacro

section .text

%include "series.inc"

global _start
_start:
    cmp qword [rsp], 1                  ; argc
    jbe .both
    mov eax, NR_KLOG                    ; the log's stamp says when: the first thing that is done
    lea rbx, [rel first_text]
    mov ecx, first_text_end - first_text
    int 0x80
    mov eax, NR_SYSLOG                  ; show it here: the console may be behind the log
    mov ebx, SYSLOG_NEWEST
    lea rcx, [rel log_lines]
    mov edx, LOG_BYTES
    int 0x80
    mov rsi, rcx
    mov rdx, rax
    call emit
    mov eax, NR_SYSLOG                  ; from here on the rings' messages stay off the console
    mov ebx, SYSLOG_CONSOLE_LEVEL
    mov edx, LEVEL_INFO
    int 0x80
.both:
    SERIES int80_null, GETPID_80, int 0x80, INIT
    SERIES int80_unknown, UNKNOWN, int 0x80, -ENOSYS
    SERIES syscall_null, GETPID_LINUX, syscall, INIT
    SERIES syscall_unknown, UNKNOWN, syscall, -ENOSYS
    SERIES yield, YIELD_LINUX, syscall, 0
    cmp qword [rsp], 1
    jbe linux_memory

    mov eax, NR_REGISTER_IPI
    mov ebx, VECTOR
    int 0x80
    mov r13, rax
    lea rbx, [rel register_text]
    test eax, eax
    js wrong
    SERIES send_self, SEND_SELF, int 0x80, 0
    mov eax, NR_NCORES_ONLINE
    int 0x80
    mov ebp, eax
    cmp eax, 1
    je done
    SERIES send_other, SEND_OTHER, int 0x80, 0
    mov eax, NR_NCORES_ONLINE
    int 0x80
    mov ebp, eax
    SERIES send_all, SEND_ALL, int 0x80, rbp
    jmp done

linux_memory:
    mov eax, LINUX_SYSINFO
    lea rdi, [rel sysinfo]
    syscall
    mov eax, [rel sysinfo + SYSINFO_UNIT]
    mul qword [rel sysinfo + SYSINFO_FREE]
    shr rax, 10
    mov rbp, rax
    lea rbx, [rel free_text]
    call print_number
    call say_done
    mov eax, LINUX_IOCTL                ; Linux panics when init ends, with its buffers unsent
    mov edi, STDOUT
    mov esi, TCSBRK
    mov edx, 1
    syscall
    xor edi, edi
    jmp exit
done:
    call say_done
    xor edi, edi
    jmp exit

; An operation at rbx gave what it must not give.
wrong:
    mov rbp, r13
    call print_number
    lea rsi, [rel wrong_text]
    mov edx, wrong_text_end - wrong_text
    call emit
    mov edi, 1
exit:
    mov eax, LINUX_EXIT
    syscall

say_done:
    lea rsi, [rel done_text]
    mov edx, done_text_end - done_text
; Writes rdx bytes at rsi; goes on if the console takes fewer.
emit:
    mov r8, rdx
.more:
    mov edi, STDOUT
    mov rdx, r8
    mov eax, LINUX_WRITE
    syscall
    test rax, rax
    jle .end
    add rsi, rax
    sub r8, rax
    jnz .more
.end:
    ret

section .rodata
first_text:     db "bench: init's first instruction"
first_text_end:
register_text:  db "register_ipi", 0
free_text:      db "memory_free_kib", 0
wrong_text:     db "bench: that result was not due", 10
wrong_text_end:
done_text:      db "bench: done", 10
done_text_end:

section .bss align=8
sysinfo:        resb 256
log_lines:      resb LOG_BYTES
