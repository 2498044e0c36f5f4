// SPDX-License-Identifier: MIT
/* echoframes [COUNT]: send each Ethernet frame that arrives back as it is; COUNT of them, or for
 * ever. */
#include "ethernet.h"
#include "number.h"
#include "output.h"

int main(int argc, char **argv)
{
    static uint8_t frame[FRAME_MAX];
    int limit = 0, echoed = 0, refused = 0;
    if (argc > 2 || (argc == 2 && (!read_number(argv[1], &limit) || limit < 1))) {
        fprintf(stderr, "usage: echoframes [COUNT]\n");
        return 2;
    }
    if (!listen_to_frames("echoframes"))
        return 1;
    printf("echoframes: ready\n");
    fflush(stdout);
    while (limit == 0 || echoed + refused < limit) {
        long length = rcv_frame(frame, sizeof(frame), -1);
        if (length < 0) {
            perror("echoframes: rcv_frame");
            return 1;
        }
        if (snd_frame(frame, (int)length) == 0)
            echoed++;
        else
            refused++;
    }
    printf("echoframes: %d frames echoed, %d not sent\n", echoed, refused);
    return bring_output_out("echoframes") && refused == 0 ? 0 : 1;
}
