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
; all the way. The code is position-independent within its page; the three words at the end are
; filled in by ap.c.

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
    lea eax, [ebx + OFFSET(gdt)]
    mov [OFFSET(gdt_pointer) + 2], eax
    lea eax, [ebx + OFFSET(protected)]
    mov [OFFSET(far_pointer)], eax
    o32 lgdt [OFFSET(gdt_pointer)]
    mov eax, cr0
    or eax, CR0_PE
    mov cr0, eax
    jmp dword far [OFFSET(far_pointer)]

bits 32
; Every core writes the same bytes to gdt_pointer and far_pointer, so that they may start at once.
protected:
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

    lea eax, [ebx + OFFSET(long_mode)]  ; now: with paging on this page is read-only
    mov [ebx + OFFSET(far_pointer64)], eax
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
    jmp far [ebx + OFFSET(far_pointer64)]

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
gdt_pointer:
    dw gdt_end - gdt - 1
    dd 0
align 4
far_pointer:
    dd 0
    dw CODE32
align 4
far_pointer64:
    dd 0
    dw CODE64
align 4
ap_trampoline_args:
.cr3:        dd 0
.efer:       dd 0
.slot_count: dd 0
ap_trampoline_end:
