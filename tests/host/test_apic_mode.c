// SPDX-License-Identifier: MIT
/* links: src/arch/x86_64/apic_mode.c */
/*
 * The choice of the Local APIC's mode: the named situations, and rules that hold in all of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arch/x86_64/apic_mode.h"

static enum apic_mode mode_of(bool cpu, bool firmware, uint32_t highest, enum param_apic wanted)
{
    struct apic_situation situation = {.cpu_has_x2apic = cpu,
                                       .firmware_x2apic = firmware,
                                       .highest_id = highest,
                                       .wanted = wanted};
    struct apic_decision decision = apic_mode_decide(&situation);
    assert_non_null(decision.why);
    return decision.mode;
}

static void test_named(void **state)
{
    (void)state;
    assert_int_equal(mode_of(false, false, 3, PARAM_APIC_AUTO), APIC_MODE_XAPIC);
    assert_int_equal(mode_of(false, false, 3, PARAM_APIC_X2APIC), APIC_MODE_XAPIC);
    assert_int_equal(mode_of(true, false, 3, PARAM_APIC_AUTO), APIC_MODE_X2APIC);
    assert_int_equal(mode_of(true, false, 3, PARAM_APIC_XAPIC), APIC_MODE_XAPIC);
    assert_int_equal(mode_of(true, true, 3, PARAM_APIC_AUTO), APIC_MODE_X2APIC);
    /* x2APIC is not left, locked or not, whatever was asked for */
    assert_int_equal(mode_of(true, true, 3, PARAM_APIC_XAPIC), APIC_MODE_X2APIC);
    /* ids up to 254 are no hindrance, higher ones are without interrupt remapping ... */
    assert_int_equal(mode_of(true, false, 254, PARAM_APIC_AUTO), APIC_MODE_X2APIC);
    assert_int_equal(mode_of(true, false, 255, PARAM_APIC_AUTO), APIC_MODE_XAPIC);
    assert_int_equal(mode_of(true, false, 255, PARAM_APIC_X2APIC), APIC_MODE_XAPIC);
    /* ... but where the firmware chose x2APIC for them it stays */
    assert_int_equal(mode_of(true, true, 255, PARAM_APIC_XAPIC), APIC_MODE_X2APIC);
}

static void test_rules(void **state)
{
    static const uint32_t ids[] = {0, 254, 255, 256, UINT32_MAX - 1};
    (void)state;
    for (int bits = 0; bits < 4; bits++) {
        bool cpu = (bits & 1) != 0, firmware = (bits & 2) != 0;
        if (firmware && !cpu)
            continue; /* there is no such machine */
        for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
            for (int wanted = PARAM_APIC_AUTO; wanted <= PARAM_APIC_X2APIC; wanted++) {
                enum apic_mode mode = mode_of(cpu, firmware, ids[i], wanted);
                if (!cpu)
                    assert_int_equal(mode, APIC_MODE_XAPIC);
                if (firmware)
                    assert_int_equal(mode, APIC_MODE_X2APIC);
                if (!firmware && ids[i] > XAPIC_ID_MAX)
                    assert_int_equal(mode, APIC_MODE_XAPIC);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_named),
        cmocka_unit_test(test_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
