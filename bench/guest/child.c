// SPDX-License-Identifier: MIT
/*
 * The program of some 40 KB that bench/guest/programs.c runs: printf, strtod and malloc of musl,
 * and no work for them unless it is given arguments. What it costs is what any program costs.
 */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc == 1)
        return 0;
    double *numbers = malloc((size_t)argc * sizeof(*numbers));
    for (int i = 1; numbers != NULL && i < argc; i++)
        numbers[i] = strtod(argv[i], NULL);
    for (int i = argc - 1; numbers != NULL && i > 0; i--)
        printf("%f\n", numbers[i]);
    free(numbers);
    return 0;
}
