// SPDX-License-Identifier: MIT
/* Sorts a million doubles and prints what came of it, bit by bit. */
#include <stdint.h>

#include "report.h"

enum { COUNT = 1000000, STEP = 50000 };

static double numbers[COUNT];

/* Of all magnitudes and both signs, the same ones in every run (Knuth's MMIX generator). */
static void fill(void)
{
    uint64_t state = 2024;
    for (size_t i = 0; i < COUNT; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        double mantissa = (double)(int64_t)state / 3.0;
        numbers[i] = mantissa / (double)(1 + (state >> 40) % 1000003);
    }
}

static uint64_t hash(void)
{
    uint64_t sum = 14695981039346656037u; /* FNV-1a */
    const unsigned char *bytes = (const unsigned char *)numbers;
    for (size_t i = 0; i < sizeof(numbers); i++)
        sum = (sum ^ bytes[i]) * 1099511628211u;
    return sum;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(void)
{
    report_by_lines();
    fill();
    (void)printf("unsorted: hash %016llx\n", (unsigned long long)hash());
    qsort(numbers, COUNT, sizeof(numbers[0]), by_value);
    size_t wrong = 0;
    for (size_t i = 1; i < COUNT; i++)
        wrong += numbers[i - 1] > numbers[i];
    (void)printf("sorted: hash %016llx, %zu in the wrong order\n", (unsigned long long)hash(),
                 wrong);
    for (size_t i = 0; i < COUNT; i += STEP)
        (void)printf("%7zu: %a %.17g\n", i, numbers[i], numbers[i]);
    return 0;
}
