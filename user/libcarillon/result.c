// SPDX-License-Identifier: MIT
#include "libcarillon.h"

#include <errno.h>

enum { ERRNO_MAX = 4095 }; /* of all that a gate returns, -ERRNO_MAX..-1 are errors */

long carillon_result(long result)
{
    if (result >= 0 || result < -ERRNO_MAX)
        return result;
    errno = (int)-result;
    return -1;
}
