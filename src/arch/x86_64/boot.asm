; SPDX-License-Identifier: MIT
;
; The kernel's two front doors and the way from 32-bit mode to C.
;
; GRUB enters at start_multiboot2 (Multiboot2 specification, "I386 machine state"), QEMU's -kernel
; at start_pvh (Xen, "x86/HVM direct boot ABI"). Both leave us in 32-bit protected mode without
; paging, flat segments, interrupts off, ebx = boot information. Neither promises a stack, and the
; image may have been put at any 2 MiB boundary below 4 GiB: this code finds out where it runs,
; reaches everything relative to that (ebp), maps
;
;     0 .. 4 GiB                 identity, and once more at the direct map's base
;     KERNEL_VMA + 2 MiB ..      the image
;
; with 2 MiB pages, turns long mode on (Intel SDM vol 3A, "Initializing IA-32e Mode") and calls
;
;     void arch_entry(uint32_t loader, paddr_t info, paddr_t image_base, uint64_t ticks)
;
; in the higher half, on the boot stack. paging_init() later replaces these tables with exact ones.

%include "asm_offsets.inc"

extern bss_start, bss_quadwords, boot_stack_top, arch_entry

MB2_MAGIC           equ 0xe85250d6
MB2_LOADER_MAGIC    equ 0x36d76289
MB2_ARCH_I386       equ 0
MB2_TAG_END         equ 0
MB2_TAG_CONSOLE     equ 4
MB2_TAG_FRAMEBUFFER equ 5
MB2_TAG_RELOCATABLE equ 10
MB2_OPTIONAL        equ 1
MB2_CONSOLE_TEXT    equ 2              ; a VGA's text mode will do; no console is no obstacle
MB2_PREFER_HIGHEST  equ 2

XEN_ELFNOTE_PHYS32_ENTRY equ 18

PTE_PRESENT_WRITE   equ 0x003
PTE_LARGE           equ 0x083           ; present, writable, 2 MiB page
LARGE_PAGE          equ 0x200000
KERNEL_LARGE_PAGES  equ 16              ; linker.ld asserts that the image fits

CR0_PG              equ 1 << 31
CR0_WP              equ 1 << 16
CR4_PAE             equ 1 << 5
MSR_EFER            equ 0xc0000080
EFER_LME            equ 1 << 8
CPUID_EXT_FEATURES  equ 0x80000001
CPUID_EXT_LM        equ 1 << 29         ; in edx

BOOT_CS64           equ 0x08
BOOT_DS             equ 0x10

UNKNOWN_LOADER_SCRATCH equ 0x7c00       ; a PC's boot sector lay there, nobody needs it any more

COM1                equ 0x3f8
COM1_LSR            equ COM1 + 5
LSR_THRE            equ 0x20

%define AT_RUN_TIME(symbol) ebp + (symbol) - IMAGE_LINK_BASE

; ---- what loaders look for -----------------------------------------------------------------------

section .multiboot2 progbits alloc noexec nowrite align=8
mb2_header:
    dd MB2_MAGIC, MB2_ARCH_I386, mb2_end - mb2_header
    dd -(MB2_MAGIC + MB2_ARCH_I386 + (mb2_end - mb2_header)) & 0xffffffff
align 8
    dw MB2_TAG_CONSOLE, MB2_OPTIONAL
    dd 12
    dd MB2_CONSOLE_TEXT
align 8
    dw MB2_TAG_FRAMEBUFFER, MB2_OPTIONAL
    dd 20
    dd 0, 0, 32                         ; any size, 32 bits a pixel if it can be had
align 8
    dw MB2_TAG_RELOCATABLE, 0
    dd 24
    dd LARGE_PAGE, 0xfffff000           ; lowest and highest address
    dd LARGE_PAGE, MB2_PREFER_HIGHEST
align 8
    dw MB2_TAG_END, 0
    dd 8
mb2_end:

section .note.Xen note alloc noexec nowrite align=4
    dd 4, 8, XEN_ELFNOTE_PHYS32_ENTRY
    db "Xen", 0
    dq start_pvh

; ---- the 32-bit way ------------------------------------------------------------------------------

section .boot.text progbits alloc exec nowrite align=16
bits 32

global start_multiboot2
start_multiboot2:
    mov edi, LOADER_MULTIBOOT2
    cmp eax, MB2_LOADER_MAGIC
    je start_common
    mov edi, LOADER_UNKNOWN             ; ebx may be anything: lend a piece of low memory
    mov ebx, UNKNOWN_LOADER_SCRATCH
    jmp start_common

start_pvh:
    mov edi, LOADER_PVH

; edi = loader, ebx = boot information. A call is the one way to learn eip, and needs a stack: the
; second dword of both kinds of boot information is lent for it and put back.
start_common:
    cli
    cld
    mov edx, [ebx + 4]
    lea esp, [ebx + 8]
    call .here
.here:
    pop ebp
    mov [ebx + 4], edx
    sub ebp, .here
    add ebp, IMAGE_LINK_BASE            ; ebp = where image_start really is
    lea esp, [AT_RUN_TIME(boot_stack32_top)]

    push ebx
    call require_long_mode
    pop ebx
    call build_tables

    mov eax, CR4_PAE                    ; and nothing that the firmware left, 5 levels least of all
    mov cr4, eax
    lea eax, [AT_RUN_TIME(boot_pml4)]
    mov cr3, eax
    mov ecx, MSR_EFER
    mov eax, EFER_LME
    xor edx, edx
    wrmsr
    mov eax, cr0
    or eax, CR0_PG | CR0_WP
    mov cr0, eax

    lea eax, [AT_RUN_TIME(boot_gdt)]
    mov [AT_RUN_TIME(boot_gdt_pointer) + 2], eax
    mov word [AT_RUN_TIME(boot_gdt_pointer)], boot_gdt_end - boot_gdt - 1
    lgdt [AT_RUN_TIME(boot_gdt_pointer)]
    lea eax, [AT_RUN_TIME(start64)]
    push BOOT_CS64
    push eax
    retf

; Returns only on a CPU with long mode. Clobbers eax, ebx, ecx, edx.
require_long_mode:
    mov eax, 0x80000000
    cpuid
    cmp eax, CPUID_EXT_FEATURES
    jb .missing
    mov eax, CPUID_EXT_FEATURES
    cpuid
    test edx, CPUID_EXT_LM
    jz .missing
    ret
.missing:
    lea esi, [AT_RUN_TIME(no_long_mode_text)]
.next:
    mov ecx, 100000                     ; a bounded wait: there may be no UART
.wait:
    mov dx, COM1_LSR
    in al, dx
    test al, LSR_THRE
    jnz .send
    pause
    dec ecx
    jnz .wait
.send:
    lodsb
    test al, al
    jz .halt
    mov dx, COM1
    out dx, al
    jmp .next
.halt:
    hlt
    jmp .halt

no_long_mode_text:
    db 13, 10, "Carillon needs a 64-bit CPU (x86_64); this one has no long mode.", 13, 10, 0

; The loader has cleared .boot.bss. Clobbers eax, ecx, edx.
build_tables:
    lea eax, [AT_RUN_TIME(boot_pdpt_low) + PTE_PRESENT_WRITE]
    mov [AT_RUN_TIME(boot_pml4)], eax
    mov [AT_RUN_TIME(boot_pml4) + 8 * DIRECT_MAP_PML4_INDEX], eax
    lea eax, [AT_RUN_TIME(boot_pdpt_high) + PTE_PRESENT_WRITE]
    mov [AT_RUN_TIME(boot_pml4) + 8 * 511], eax
    lea eax, [AT_RUN_TIME(boot_pd_kernel) + PTE_PRESENT_WRITE]
    mov [AT_RUN_TIME(boot_pdpt_high) + 8 * 510], eax

    lea eax, [AT_RUN_TIME(boot_pd_low) + PTE_PRESENT_WRITE]
    xor ecx, ecx
.pdpt:                                  ; four directories, 1 GiB each
    mov [AT_RUN_TIME(boot_pdpt_low) + ecx * 8], eax
    add eax, 4096
    inc ecx
    cmp ecx, 4
    jb .pdpt

    mov eax, PTE_LARGE
    xor ecx, ecx
.identity:
    mov [AT_RUN_TIME(boot_pd_low) + ecx * 8], eax
    add eax, LARGE_PAGE
    inc ecx
    cmp ecx, 4 * 512
    jb .identity

    lea eax, [ebp + PTE_LARGE]
    mov ecx, 1                          ; image_start is linked 2 MiB above KERNEL_VMA
.kernel:
    mov [AT_RUN_TIME(boot_pd_kernel) + ecx * 8], eax
    add eax, LARGE_PAGE
    inc ecx
    cmp ecx, KERNEL_LARGE_PAGES + 1
    jb .kernel
    ret

bits 64
; edi = loader, ebx = boot information, ebp = image base; upper halves are not defined here.
start64:
    mov ax, BOOT_DS
    mov ds, ax
    mov es, ax
    mov ss, ax
    xor eax, eax
    mov fs, ax
    mov gs, ax
    rdtsc
    shl rdx, 32
    lea r8, [rdx + rax]                 ; rdtsc cleared rax's upper half

    ; The loader has cleared it, but QEMU puts an initrd over it if memory is short; memory.c tells.
    mov r9d, edi
    mov rdi, bss_start
    mov ecx, bss_quadwords
    xor eax, eax
    rep stosq

    mov rcx, r8
    mov edi, r9d
    mov esi, ebx
    mov edx, ebp
    mov rsp, boot_stack_top
    xor ebp, ebp                        ; the end of every backtrace
    mov rax, arch_entry
    call rax
.never:
    hlt
    jmp .never

align 8
boot_gdt:
    dq 0
    dq 0x00af9a000000ffff               ; 64-bit code
    dq 0x00cf92000000ffff               ; data
boot_gdt_end:

section .boot.bss nobits alloc noexec write align=4096
boot_pml4:      resb 4096
boot_pdpt_low:  resb 4096
boot_pdpt_high: resb 4096
boot_pd_kernel: resb 4096
boot_pd_low:    resb 4 * 4096
                resb 256
boot_stack32_top:
boot_gdt_pointer: resb 8
