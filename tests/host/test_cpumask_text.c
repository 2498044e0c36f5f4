// SPDX-License-Identifier: MIT
/* links: src/lib/cpumask_text.c src/lib/text.c */
/*
 * Masks of cores as text: what is written is read back, and what Linux refuses is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cpumask_text.h"
#include "lib/errno.h"

static struct cpumask mask_of(const char *cores)
{
    struct cpumask mask = {0};
    char *end;
    for (const char *at = cores; *at != '\0'; at = *end == ' ' ? end + 1 : end)
        cpumask_set(&mask, (cpu_t)strtoul(at, &end, 10));
    return mask;
}

static void writing(void **state)
{
    (void)state;
    static const struct {
        const char *members;
        cpu_t cores;
        const char *hex, *list;
    } rows[] = {
        {"", 1, "0", ""},
        {"0", 1, "1", "0"},
        {"0 1 2 3", 4, "f", "0-3"},
        {"2", 4, "4", "2"},
        {"0 4", 5, "11", "0,4"},
        {"0 2 3 5", 8, "2d", "0,2-3,5"},
        {"31", 32, "80000000", "31"},
        {"31 32", 33, "1,80000000", "31-32"},
        {"0 39", 40, "80,00000001", "0,39"},
        {"0 5", 4, "1", "0"}, /* a core that there is not */
    };
    char hex[CPUMASK_HEX_MAX], list[CPUMASK_LIST_MAX];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cpumask mask = mask_of(rows[i].members);
        cpumask_format_hex(&mask, rows[i].cores, hex);
        cpumask_format_list(&mask, rows[i].cores, list);
        assert_string_equal(hex, rows[i].hex);
        assert_string_equal(list, rows[i].list);
    }
}

static void the_longest_texts(void **state)
{
    (void)state;
    char *hex = malloc(CPUMASK_HEX_MAX), *list = malloc(CPUMASK_LIST_MAX);
    struct cpumask every_other = {0}, all = {0}, back;
    for (cpu_t cpu = 0; cpu < MAX_CPUS; cpu++) {
        cpumask_set(&all, cpu);
        if (cpu % 2 == 1)
            cpumask_set(&every_other, cpu);
    }
    cpumask_format_hex(&all, MAX_CPUS, hex);
    assert_int_equal(strlen(hex), CPUMASK_HEX_MAX - 1);
    cpumask_format_list(&every_other, MAX_CPUS, list);
    assert_int_equal(cpumask_parse_list(list, strlen(list), MAX_CPUS, &back), 0);
    assert_true(cpumask_equal(&back, &every_other));
    free(hex);
    free(list);
}

static void there_and_back(void **state)
{
    (void)state;
    uint64_t random = 1;
    char hex[CPUMASK_HEX_MAX], list[CPUMASK_LIST_MAX];
    for (int round = 0; round < 20000; round++) {
        struct cpumask mask = {0}, back;
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        cpu_t cores = 1 + (cpu_t)(random >> 33) % MAX_CPUS;
        for (cpu_t cpu = 0; cpu < cores; cpu++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            if ((random >> 40) % 3 != 0)
                cpumask_set(&mask, cpu);
        }
        cpumask_format_hex(&mask, cores, hex);
        assert_int_equal(cpumask_parse_hex(hex, strlen(hex), cores, &back), 0);
        assert_true(cpumask_equal(&mask, &back));
        cpumask_format_list(&mask, cores, list);
        int error = cpumask_parse_list(list, strlen(list), cores, &back);
        assert_int_equal(error, cpumask_count(&mask) == 0 ? -EINVAL : 0);
        assert_true(error != 0 || cpumask_equal(&mask, &back));
    }
}

static void reading(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int hex, list; /* on 4 cores */
    } rows[] = {
        {"", -EINVAL, -EINVAL},
        {" \n", -EINVAL, -EINVAL},
        {"0", 0, 0},
        {" 2\n", 0, 0},
        {"4", 0, -ERANGE},
        {"f", 0, -EINVAL},
        {"F\n", 0, -EINVAL},
        {"g", -EINVAL, -EINVAL},
        {"00000000,0000000f", 0, -EINVAL},
        {"8", 0, -ERANGE},
        {"10", -EOVERFLOW, -ERANGE},
        {"1,00000000", -EOVERFLOW, 0},
        {"000000001", -EOVERFLOW, 0},
        {"99999999999999999999", -EOVERFLOW, -ERANGE},
        {"0x1", -EINVAL, -EINVAL},
        {"1,,2", -EINVAL, -EINVAL},
        {",1", -EINVAL, -EINVAL},
        {"1,", -EINVAL, -EINVAL},
        {"1 2", -EINVAL, -EINVAL},
        {"0-3", -EINVAL, 0},
        {"0-1,3", -EOVERFLOW, 0},
        {"3-0", -EINVAL, -EINVAL},
        {"2-4", -EINVAL, -ERANGE},
        {"0-1-2", -EINVAL, -EINVAL},
        {"-1", -EINVAL, -EINVAL},
    };
    struct cpumask mask;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = strlen(rows[i].text);
        char *text = malloc(len + 1); /* so that ASan sees a look behind its end */
        memcpy(text, rows[i].text, len);
        text = realloc(text, len == 0 ? 1 : len);
        int hex = cpumask_parse_hex(text, len, 4, &mask);
        int list = cpumask_parse_list(text, len, 4, &mask);
        if (hex != rows[i].hex || list != rows[i].list)
            fail_msg("\"%s\": %d, %d", rows[i].text, hex, list);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing),
        cmocka_unit_test(the_longest_texts),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
