; SPDX-License-Identifier: MIT
;
; How the CPU enters the kernel through the IDT, and how it leaves again.
;
; 256 stubs bring every vector into one shape, struct trap_frame (trap.h draws it), and call
;
;     void trap_dispatch(struct trap_frame *frame)      for exceptions
;     bool irq_dispatch(uint32_t vector)                for the users' vectors
;     void device_interrupt(uint32_t vector)            for the devices', from 239 up; it ends them
;     void kernel_interrupt(uint32_t vector)            for the kernel's own, from 249 up
;     void softirq_interrupt(void)                      when one of these is over and softirqs wait
;
; Entries of their own have the two gates, int 0x80 and the syscall instruction, which enable
; interrupts and call what their table (syscall/table.asm) holds for the number in rax; and NMI, #DF,
; #MC and #DB, which may strike between a ring change and its swapgs: they look at the GS
; base itself instead of at CS (a kernel's is negative). Interrupts are off on entry to all of them
; (Intel SDM vol 3A, "Flag Usage By Exception- or Interrupt-Handler Procedure"), DF and AC are as
; the interrupted code had them and are cleared here.

%include "asm_offsets.inc"

extern trap_dispatch, trap_return_work, gate_check
extern irq_dispatch, interrupt_without_work, device_interrupt, kernel_interrupt, lapic_eoi
extern softirq_interrupt, softirq_pending
extern int80_calls, linux_calls
extern cpu_tss, syscall_user_rsp, percpu_work_due, percpu_irq_depth, percpu_irq_stack_top

MSR_GS_BASE equ 0xc0000101

; A three-byte no-op that smap_patch() turns into clac where the CPU has SMAP.
%macro CLAC_IF_SMAP 0
%%site:
    db 0x0f, 0x1f, 0x00
[section .smap_sites progbits alloc noexec nowrite align=8]
    dq %%site, SMAP_CLAC
__?SECT?__
%endmacro

; Order fixed by struct trap_frame; rax is pushed first and lies highest.
%macro PUSH_REGISTERS 0
    push rax
    push rbx
    push rcx
    push rdx
    push rsi
    push rdi
    push rbp
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
%endmacro

%macro POP_REGISTERS 0
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rbp
    pop rdi
    pop rsi
    pop rdx
    pop rcx
    pop rbx
    pop rax
    add rsp, 16                         ; vector and error code
%endmacro

; The registers that C does not keep (System V ABI, AMD64, "Registers") come back from the frame on
; top of the stack; two macros, for `syscall` returns other things in rcx and r11, and a call its
; result in rax.
%macro RESTORE_ARGUMENTS 0
    mov rdi, [rsp + FRAME_RDI]
    mov rsi, [rsp + FRAME_RSI]
    mov rdx, [rsp + FRAME_RDX]
    mov r8, [rsp + FRAME_R8]
    mov r9, [rsp + FRAME_R9]
    mov r10, [rsp + FRAME_R10]
%endmacro

%macro RESTORE_CLOBBERED 0
    RESTORE_ARGUMENTS
    mov rcx, [rsp + FRAME_RCX]
    mov r11, [rsp + FRAME_R11]
%endmacro

section .text

; ---- the 256 stubs -------------------------------------------------------------------------------

; The vectors for which the CPU pushes an error code (Intel SDM vol 3A, "Exception and Interrupt
; Reference"): 8, 10-14, 17, 21, 29, 30. The stack is 16-byte aligned before the CPU's first push,
; so that the finished frame (22 quadwords) leaves it aligned for C.
%macro STUB 1
align TRAP_STUB_SIZE
%if %1 == 8 || (%1 >= 10 && %1 <= 14) || %1 == 17 || %1 == 21 || %1 == 29 || %1 == 30
%else
    push qword 0
%endif
    push qword %1
%if %1 < VECTOR_EXCEPTION_COUNT
    jmp exception_common
%elif %1 < VECTOR_DEVICE_FIRST
    jmp irq_common
%elif %1 < VECTOR_KERNEL_FIRST
    jmp device_common
%else
    jmp kernel_common
%endif
%endmacro

align 4096
global trap_stubs
trap_stubs:
%assign vector 0
%rep 256
    STUB vector
%assign vector vector + 1
%endrep

align 16
exception_common:
    test byte [rsp + 24], 3             ; CS of what was interrupted
    jz .in_kernel
    swapgs
.in_kernel:
    lfence                              ; nobody guesses past this with the other GS base
    PUSH_REGISTERS
    cld
    CLAC_IF_SMAP
.dispatch:
    mov rdi, rsp
    call trap_dispatch                  ; may change the frame; returns with interrupts off

    POP_REGISTERS
    test byte [rsp + 8], 3
    jz .to_kernel
    swapgs
.to_kernel:
    iretq

; ---- interrupts ----------------------------------------------------------------------------------

; The frame stays where the CPU began it, on the stack that was interrupted, and rbp points to it
; while C runs: so the first interrupt of a core can go over to the core's own stack, and C gives rbp
; back as it found it. One that comes on top (in a softirq, interrupts being on there) finds
; percpu_irq_depth at 0 or more and stays where it is. backtrace.c and stubs_frames.inc know of rbp.
;
; As with the gates the whole frame is there for whoever asks, and what C keeps is not restored. The
; ways for ring 0 and ring 3 are apart from the first test on, so that none is made twice.
%macro INTERRUPT_BEGIN 0
    lfence                              ; nobody guesses past this with the other GS base
    PUSH_REGISTERS
    CLAC_IF_SMAP
    mov edi, [rsp + FRAME_VECTOR]
    mov rbp, rsp
    inc dword [gs:rel percpu_irq_depth]
    cmovz rsp, [gs:rel percpu_irq_stack_top]
%endmacro

; From the frame at rbp, back on its stack. What lies below rsp is safe for an instruction: only an
; NMI, #DF or #MC can come, and they have stacks of their own.
%macro INTERRUPT_RESTORE 0
    mov rdi, [rbp + FRAME_RDI]
    mov rsi, [rbp + FRAME_RSI]
    mov rdx, [rbp + FRAME_RDX]
    mov r8, [rbp + FRAME_R8]
    mov r9, [rbp + FRAME_R9]
    mov r10, [rbp + FRAME_R10]
    mov rcx, [rbp + FRAME_RCX]
    mov r11, [rbp + FRAME_R11]
    mov rax, [rbp + FRAME_RAX]
    lea rsp, [rbp + FRAME_RIP]
    mov rbp, [rsp - FRAME_RIP + FRAME_RBP]
%endmacro

%macro INTERRUPT_TO_KERNEL 0
    dec dword [gs:rel percpu_irq_depth]
    INTERRUPT_RESTORE
    iretq
%endmacro

; Work that is due is done on the thread's own stack, for the thread may lose its core there.
%macro INTERRUPT_TO_USER 0
    dec dword [gs:rel percpu_irq_depth]
    cmp dword [gs:rel percpu_work_due], 0
    jne leave_interrupt
    INTERRUPT_RESTORE
    swapgs
    iretq
%endmacro

; The handler has returned and the EOI is sent. Softirqs run before the look at percpu_work_due: they
; may owe such work.
%macro LOOK_FOR_SOFTIRQS 0
    cmp dword [gs:rel softirq_pending], 0
    jne .softirqs
%endmacro

; %1 is the macro of what there is to do: edi = the vector, rbp = the frame.
%macro INTERRUPT 1
    test byte [rsp + 24], 3             ; CS of what was interrupted
    jnz .from_user
    INTERRUPT_BEGIN                     ; the kernel never sets DF
    %1
.to_kernel:
    LOOK_FOR_SOFTIRQS
.leave_to_kernel:
    INTERRUPT_TO_KERNEL
.from_user:
    swapgs
    cld
    INTERRUPT_BEGIN
    %1
.to_user:
    LOOK_FOR_SOFTIRQS
.leave_to_user:
    INTERRUPT_TO_USER
.softirqs:
    call softirq_interrupt              ; interrupts are on meanwhile, and off again
    test byte [rbp + FRAME_CS], 3
    jz .leave_to_kernel
    jmp .leave_to_user
%endmacro

%macro TAKE_IRQ 0
    call irq_dispatch
    test al, al
    jz .nothing_found
    call lapic_eoi
%endmacro

%macro TAKE_DEVICE_INTERRUPT 0
    call device_interrupt
%endmacro

%macro TAKE_KERNEL_INTERRUPT 0
    call kernel_interrupt
%endmacro

; A return address from here to interrupt_entries_end has its trap frame at rbp.
align 16
global interrupt_entries, interrupt_entries_end
interrupt_entries:
irq_common:
    INTERRUPT TAKE_IRQ
.nothing_found:
    mov edi, [rbp + FRAME_VECTOR]
    call interrupt_without_work
    test byte [rbp + FRAME_CS], 3
    jz .to_kernel
    jmp .to_user

align 16
device_common:
    INTERRUPT TAKE_DEVICE_INTERRUPT

align 16
kernel_common:
    INTERRUPT TAKE_KERNEL_INTERRUPT
interrupt_entries_end:

; ---- the two gates -------------------------------------------------------------------------------

; Both build the whole frame and leave it on the stack while the call runs: backtraces read it, and
; whoever delivers a signal finds and may change it there. The short
; way back takes from it only what C does not keep (System V ABI, AMD64, "Registers": rbx, rbp and
; r12 to r15 are the program's again when the function has returned). So whoever changes the frame
; calls arch_work_note(); with work due, leave_gate goes the long way, which restores everything.

; Call the function that table %1 has for the number in rax. Its arguments are where C wants them;
; its result goes to rax, and then interrupts are off. All 64 bits of the number are compared; a CPU
; that guesses this jump wrong meets the `and`, which keeps the index within the table.
%macro CALL_BY_NUMBER 1
    cmp rax, ARCH_GATE_CALLS
    jae .no_such_call
    and eax, ARCH_GATE_CALLS - 1
    call [%1 + rax * 8]
.done:
%if DEBUG_KERNEL
    mov [rsp + FRAME_RAX], rax
    call gate_check
    mov rax, [rsp + FRAME_RAX]
%endif
    cli                                 ; from this look on nothing comes that could owe work
    cmp dword [gs:rel percpu_work_due], 0
    jne leave_gate
%endmacro

; Behind the way back, so that no call jumps over it.
%macro NO_SUCH_CALL 0
.no_such_call:
    mov rax, -ENOSYS
    jmp .done
%endmacro

align 16
global int80_entry
int80_entry:
    push qword 0
    push qword 0x80
    swapgs                              ; only ring 3 executes int 0x80
.own_gs:
    PUSH_REGISTERS
    cld
    CLAC_IF_SMAP
    sti
    mov r9, rbp                         ; rbx rcx rdx rsi rdi rbp become rdi rsi rdx rcx r8 r9
    mov r8, rdi
    mov rdi, rbx
    xchg rcx, rsi
    CALL_BY_NUMBER int80_calls

    RESTORE_CLOBBERED
    add rsp, FRAME_RIP
    swapgs
.user_gs:
    iretq
.end:
    NO_SUCH_CALL

; The CPU has put rip into rcx and the flags into r11, cleared what MSR_FMASK names (IF, DF and AC
; among it), and changed nothing else: the stack is still the program's. Between here and the stack
; switch an NMI, #DF or #MC finds its own stack and looks at the GS base; nothing else can come.
align 16
global syscall_entry
syscall_entry:
    swapgs
    mov [gs:rel syscall_user_rsp], rsp
    mov rsp, [gs:rel cpu_tss + TSS_RSP0]
.own_stack:
    push qword SEL_USER_DATA
    push qword [gs:rel syscall_user_rsp]
    push r11
    push qword SEL_USER_CODE
    push rcx
    push qword 0
    push qword TRAP_SYSCALL
    PUSH_REGISTERS
    sti
    mov rcx, r10                        ; rdi rsi rdx r10 r8 r9 become rdi rsi rdx rcx r8 r9
    CALL_BY_NUMBER linux_calls

; sysretq takes rip from rcx and the flags from r11. In ring 0, and with the program's stack, it
; faults when rcx is not canonical (Intel SDM vol 2B, "SYSRET"). Here rcx is what `syscall` put
; there, the address after an instruction that ring 3 ran: at most ARCH_USER_END, since the page
; below 2^47 is never mapped. From the stack switch on it is as at the entry: what can come is an
; NMI, #DF or #MC.
    RESTORE_ARGUMENTS
    mov rcx, [rsp + FRAME_RIP]
    mov r11, [rsp + FRAME_RFLAGS]
    mov rsp, [rsp + FRAME_RSP]
.user_stack:
    swapgs
    o64 sysret
.end:
    NO_SUCH_CALL

; The long way back: rax = the result, the frame on top of the stack, interrupts off. From an
; interrupt there is no result.
align 16
leave_interrupt:
    mov rsp, rbp
    jmp leave_by_frame
leave_gate:
    mov [rsp + FRAME_RAX], rax
leave_by_frame:
    mov rdi, rsp
    call trap_return_work               ; does the work that is due; interrupts are off after it
    POP_REGISTERS
    swapgs
    iretq

; void user_enter(const struct trap_frame *frame, uint64_t *kernel_rsp, void *tss_rsp0)
; Keep the callee-saved registers on this stack and its pointer in *kernel_rsp and *tss_rsp0 (where
; entries from ring 3 then begin: below all that the callers keep, *frame included), and go to
; ring 3 with the registers of *frame. Comes back when user_leave() is called. Interrupts are off.
align 16
global user_enter
user_enter:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    sub rsp, 8                          ; 16-byte alignment for what syscall_entry pushes
    mov [rsi], rsp
    mov [rdx], rsp
    mov rsp, rdi                        ; the frame is popped where it lies
    POP_REGISTERS
    swapgs
    iretq

; void user_leave(uint64_t kernel_rsp), noreturn
; Drop everything above the user_enter() that stored kernel_rsp and return from it.
align 16
global user_leave
user_leave:
    mov rsp, rdi
    add rsp, 8
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

; ---- NMI, double fault, machine check, debug exception -------------------------------------------

; They have stacks of their own (the TSS's interrupt stack table), which the CPU begins at the top
; each time: one that came while another is under way on its stack would write over that one's
; frame. #DF, #MC and, in the kernel, #DB share one, for they never return. NMIs are held off until the next iretq (Intel SDM vol 3A,
; "Handling Multiple NMIs"), whoever executes it: an exception within the NMI handler would open them
; too early by its own. So nothing that an NMI calls may fault: it touches the kernel's image, the
; core's own data, the log's ring, the Local APIC, and of stacks only what is mapped (backtrace.c); no
; program's memory, no breakpoints. A fault there is a panic and does not return either.
;
; ebx (callee-saved, its old value is in the frame) remembers whether swapgs is owed.
%macro PARANOID_ENTRY 2                 ; name, vector; the error code is pushed already
    push qword %2
    PUSH_REGISTERS
    cld
    CLAC_IF_SMAP
    mov ecx, MSR_GS_BASE
    rdmsr
    xor ebx, ebx
    test edx, edx
    js %%kernel_gs
    swapgs
    inc ebx
%%kernel_gs:
    lfence                              ; as in exception_common
    mov rdi, rsp
    call trap_dispatch
    test ebx, ebx
    jz %%leave
    swapgs
%%leave:
    POP_REGISTERS
    iretq
%endmacro

align 16
global nmi_entry
nmi_entry:
    push qword 0
    PARANOID_ENTRY nmi, 2

align 16
global double_fault_entry
double_fault_entry:
    PARANOID_ENTRY double_fault, 8

align 16
global machine_check_entry
machine_check_entry:
    push qword 0
    PARANOID_ENTRY machine_check, 18

; A data breakpoint that `mov ss` or `pop ss` meets is reported one instruction later (Intel SDM vol
; 3A, "Masking Exceptions and Interrupts When Switching Stacks"); if that one is `syscall`, at the
; first instruction of syscall_entry, in ring 0 with the program's stack and GS base. The kernel sets
; no breakpoints, ring 3 cannot, and cpu_control_init() takes away what was set before; should one
; be met in the kernel all the same, it is to be a panic in words. From ring 3, as a program's own
; single step is, it goes on as any other exception does, on the thread's stack: such a handler may
; be kept waiting there.
align 16
global debug_entry
debug_entry:
    push qword 0
    test byte [rsp + 16], 3             ; CS of what was interrupted
    jnz .from_user
    PARANOID_ENTRY debug, 1
.from_user:
    swapgs
    lfence                              ; as in exception_common
    push qword 1
    PUSH_REGISTERS
    cld
    CLAC_IF_SMAP
    mov rsi, rsp
    mov rsp, [gs:rel cpu_tss + TSS_RSP0]
    sub rsp, FRAME_SIZE
    mov rdi, rsp
    mov ecx, FRAME_SIZE / 8
    rep movsq
    jmp exception_common.dispatch

; A return address between trap_stubs and here, but for the interrupts' entries, has its trap frame on
; top of the stack (backtrace.c).
global trap_stubs_end
trap_stubs_end:

%include "arch/x86_64/stubs_frames.inc"
