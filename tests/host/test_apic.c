// SPDX-License-Identifier: MIT
/* links: src/arch/x86_64/exceptions.c */
/*
 * What is decided before a register is written: ICR and redirection words against values worked out
 * from the manuals' figures, the vector ranges, and the exceptions against the manual's table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/arch.h"
#include "arch/x86_64/apic_encode.h"
#include "arch/x86_64/exceptions.h"
#include "arch/x86_64/vectors.h"

static void test_icr(void **state)
{
    (void)state;
    /* bit 14 assert, edge; bits 8-10 mode; bits 18-19 shorthand */
    assert_int_equal(icr_encode(APIC_FIXED, 100, APIC_TO_DESTINATION), 0x00004064);
    assert_int_equal(icr_encode(APIC_FIXED, 100, APIC_TO_SELF), 0x00044064);
    assert_int_equal(icr_encode(APIC_FIXED, 100, APIC_TO_ALL), 0x00084064);
    assert_int_equal(icr_encode(APIC_FIXED, 100, APIC_TO_OTHERS), 0x000c4064);
    assert_int_equal(icr_encode(APIC_NMI, 0, APIC_TO_DESTINATION), 0x00004400);
    assert_int_equal(icr_encode(APIC_INIT, 0, APIC_TO_DESTINATION), 0x00004500);
    assert_int_equal(icr_encode(APIC_STARTUP, 0x9e, APIC_TO_DESTINATION), 0x0000469e);
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++) {
        uint32_t word = icr_encode(APIC_FIXED, (uint8_t)vector, APIC_TO_DESTINATION);
        assert_int_equal(word & 0xff, vector);
        assert_int_equal(word & ICR_BUSY, 0);   /* delivery status is read-only */
        assert_int_equal(word & 0xfff32000, 0); /* reserved bits */
    }
}

static void test_rte(void **state)
{
    (void)state;
    assert_int_equal(rte_encode(0xef, false, false, false), 0x000000ef); /* ISA: edge, high */
    assert_int_equal(rte_encode(0xef, true, true, false), 0x0000a0ef);   /* PCI: level, low */
    assert_int_equal(rte_encode(0xef, true, false, false), 0x000080ef);
    assert_int_equal(rte_encode(0, false, false, true), 0x00010000);
}

/* Intel SDM vol 3A, "Message Signalled Interrupts": no redirection, physical destination. */
static void test_msi(void **state)
{
    (void)state;
    assert_int_equal(msi_address_encode(0), 0xfee00000);
    assert_int_equal(msi_address_encode(3), 0xfee03000);
    assert_int_equal(msi_address_encode(254), 0xfeefe000);
}

static void test_vectors(void **state)
{
    (void)state;
    assert_int_equal(VECTOR_USER_FIRST, 32);
    assert_int_equal(VECTOR_USER_LAST, 238);
    assert_int_equal(VECTOR_DEVICE_FIRST, 239);
    assert_int_equal(VECTOR_DEVICE_FIRST + VECTOR_DEVICE_COUNT - 1, 248);
    assert_int_equal(VECTOR_KERNEL_FIRST, 249);
    assert_int_equal(VECTOR_SPURIOUS, 255);
}

/* Intel SDM vol 3A, table "Protected-Mode Exceptions and Interrupts". */
static void test_exceptions(void **state)
{
    static const struct {
        int vector;
        const char *mnemonic;
        enum exception_class class;
    } manual[] = {
        {0, "#DE", CLASS_FAULT},  {1, "#DB", CLASS_TRAP},   {2, "NMI", CLASS_INTERRUPT},
        {3, "#BP", CLASS_TRAP},   {4, "#OF", CLASS_TRAP},   {5, "#BR", CLASS_FAULT},
        {6, "#UD", CLASS_FAULT},  {7, "#NM", CLASS_FAULT},  {8, "#DF", CLASS_ABORT},
        {10, "#TS", CLASS_FAULT}, {11, "#NP", CLASS_FAULT}, {12, "#SS", CLASS_FAULT},
        {13, "#GP", CLASS_FAULT}, {14, "#PF", CLASS_FAULT}, {16, "#MF", CLASS_FAULT},
        {17, "#AC", CLASS_FAULT}, {18, "#MC", CLASS_ABORT}, {19, "#XM", CLASS_FAULT},
        {20, "#VE", CLASS_FAULT}, {21, "#CP", CLASS_FAULT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(manual) / sizeof(manual[0]); i++) {
        const struct exception *exception = &exceptions[manual[i].vector];
        assert_string_equal(exception->mnemonic, manual[i].mnemonic);
        assert_int_equal(exception->class, manual[i].class);
    }
    for (int vector = 0; vector < EXCEPTION_COUNT; vector++) {
        assert_non_null(exceptions[vector].mnemonic);
        assert_non_null(exceptions[vector].name);
        assert_true(strlen(exception_class_name(exceptions[vector].class)) > 0);
    }
    /* as Linux maps them */
    assert_int_equal(exceptions[0].signal, 8);   /* #DE: SIGFPE */
    assert_int_equal(exceptions[3].signal, 5);   /* #BP: SIGTRAP */
    assert_int_equal(exceptions[6].signal, 4);   /* #UD: SIGILL */
    assert_int_equal(exceptions[13].signal, 11); /* #GP: SIGSEGV */
    assert_int_equal(exceptions[14].signal, 11); /* #PF: SIGSEGV */
    assert_int_equal(exceptions[17].signal, 7);  /* #AC: SIGBUS */
    assert_int_equal(exceptions[19].signal, 8);  /* #XM: SIGFPE */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_icr),        cmocka_unit_test(test_rte),
        cmocka_unit_test(test_msi),        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_exceptions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
