; SPDX-License-Identifier: MIT
;
; Where a started core begins: copied to a page below 1 MiB, entered in real mode at CS = page << 8,
; ip 0 (Intel SDM vol 3A, "MP Initialization Protocol Algorithm for MP Systems").
;
; It goes to protected mode, finds its own slot (struct ap_slot, ap_boot.h) in the pages after this
; one by its APIC id, goes to long mode and calls
;
;     void ap_entry(struct ap_slot *slot)
;
; on the slot's stack. Each step is noted in the slot by compare-and-exchange; a core that finds
; something else there than the step before was given up, and halts for good. Interrupts are off
; all the way. The code is position-independent within its page; what depends on where that lies is
; in the words at the end, which ap.c fills in. No core writes to the page: they may all run it at
; once, and an emulator that has translated it would look for changed code at each write.

%include "asm_offsets.inc"

extern ap_entry

CR0_PE      equ 1 << 0
CR0_WP      equ 1 << 16
CR0_NW      equ 1 << 29
CR0_CD      equ 1 << 30
CR0_PG      equ 1 << 31
CR4_PAE     equ 1 << 5
MSR_EFER    equ 0xc0000080
EFER_LME    equ 1 << 8

CODE32      equ 0x08
CODE64      equ 0x10
DATA        equ 0x18

section .text
align 4096

global ap_trampoline_start, ap_trampoline_end
global ap_trampoline_args

%define OFFSET(symbol) ((symbol) - ap_trampoline_start)

bits 16
ap_trampoline_start:
    cli
    cld
    mov ax, cs
    mov ds, ax
    xor ebx, ebx
    mov bx, ax
    shl ebx, 4                          ; ebx = where this page lies
    o32 lgdt [OFFSET(ap_trampoline_args.gdt_limit)]
    mov eax, cr0
    or eax, CR0_PE
    mov cr0, eax
    jmp dword far [OFFSET(ap_trampoline_args.protected_mode)]

bits 32
protected_mode:
    mov ax, DATA
    mov ds, ax
    mov es, ax
    mov ss, ax

; esi = this core's APIC id: CPUID leaf 0Bh has all 32 bits where it is there, leaf 1 the low 8.
    mov esp, ebx                        ; cpuid takes ebx
    xor eax, eax
    cpuid
    cmp eax, 0x0b
    jb .short_id
    mov eax, 0x0b
    xor ecx, ecx
    cpuid
    mov esi, edx
    test bx, bx
    jnz .have_id
.short_id:
    mov eax, 1
    cpuid
    shr ebx, 24
    mov esi, ebx
.have_id:
    mov ebx, esp

; edi = the slot with this id.
    lea edi, [ebx + 4096]
    mov ecx, [ebx + OFFSET(ap_trampoline_args.slot_count)]
.search:
    jecxz .halt
    cmp [edi + AP_SLOT_APIC_ID], esi
    je .found
    add edi, AP_SLOT_SIZE
    dec ecx
    jmp .search
.halt:
    cli
    hlt
    jmp .halt

.found:
    mov eax, CPU_STEP_SENT
    mov ecx, CPU_STEP_TRAMPOLINE
    lock cmpxchg [edi + AP_SLOT_STEP], ecx
    jne .halt

    mov eax, cr4
    or eax, CR4_PAE
    mov cr4, eax
    mov eax, [ebx + OFFSET(ap_trampoline_args.cr3)]
    mov cr3, eax
    mov ecx, MSR_EFER
    rdmsr
    or eax, EFER_LME
    or eax, [ebx + OFFSET(ap_trampoline_args.efer)] ; NXE before tables that use it
    wrmsr
    mov eax, cr0
    and eax, ~(CR0_CD | CR0_NW)         ; INIT leaves the caches as they were, off after a reset
    or eax, CR0_PG | CR0_WP
    mov cr0, eax
    jmp far [ebx + OFFSET(ap_trampoline_args.long_mode)]

bits 64
long_mode:
    mov edi, edi
    mov eax, CPU_STEP_TRAMPOLINE
    mov ecx, CPU_STEP_LONG_MODE
    lock cmpxchg [rdi + AP_SLOT_STEP], ecx
    jne .halt
    mov rsp, [rdi + AP_SLOT_STACK]
    xor ebp, ebp
    mov rax, ap_entry
    call rax
.halt:
    cli
    hlt
    jmp .halt

align 8
; Marked as accessed: the CPU would write that mark, and with paging on this page is read-only.
gdt:
    dq 0
    dq 0x00cf9b000000ffff               ; 32-bit code
    dq 0x00af9b000000ffff               ; 64-bit code
    dq 0x00cf93000000ffff               ; data
gdt_end:
align 4
; struct ap_trampoline_args (ap_boot.h)
ap_trampoline_args:
.cr3:               dd 0
.efer:              dd 0
.slot_count:        dd 0
                    dw 0
.gdt_limit:         dw gdt_end - gdt - 1
.gdt_base:          dd OFFSET(gdt)
.protected_mode:    dd OFFSET(protected_mode)
                    dd CODE32
.long_mode:         dd OFFSET(long_mode)
                    dd CODE64
ap_trampoline_end:
