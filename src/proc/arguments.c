// SPDX-License-Identifier: MIT
/*
 * The strings come from a program, so each byte is copied once and looked at only after that.
 */
#include "proc/arguments.h"

#include "arch/arch.h"
#include "lib/errno.h"
#include "lib/text.h"
#include "mm/heap.h"
#include "vm/user_copy.h"

enum { ROOM_FIRST = 2 << 10, POINTER_BYTES = sizeof(uint64_t) };

static size_t taken(const struct arguments *arguments)
{
    return arguments->bytes + (arguments->argc + arguments->envc) * POINTER_BYTES;
}

/* Have room for `more` bytes. Returns: 0, -E2BIG, -ENOMEM. */
static int make_room(struct arguments *arguments, size_t more)
{
    if (more > ARGUMENTS_BYTES_MAX || taken(arguments) + more > ARGUMENTS_BYTES_MAX)
        return -E2BIG;
    if (arguments->bytes + more <= arguments->room)
        return 0;
    size_t room = arguments->room == 0 ? ROOM_FIRST : arguments->room * 2;
    while (room < arguments->bytes + more)
        room *= 2;
    char *text = heap_alloc(room, ALLOC_USER);
    if (text == NULL)
        return -ENOMEM;
    if (arguments->bytes > 0)
        memcpy(text, arguments->text, arguments->bytes);
    heap_free(arguments->text);
    arguments->text = text;
    arguments->room = room;
    return 0;
}

int arguments_add(struct arguments *arguments, const char *word)
{
    size_t bytes = strlen(word) + 1;
    int error = make_room(arguments, bytes);
    if (error != 0)
        return error;
    memcpy(arguments->text + arguments->bytes, word, bytes);
    arguments->bytes += bytes;
    arguments->argc++;
    return 0;
}

static int add_user_string(struct arguments *arguments, uintptr_t from)
{
    for (size_t more = 1;; more = arguments->room - arguments->bytes + 1) {
        int error = make_room(arguments, more);
        if (error != 0)
            return error;
        long length = copy_string_from_user(arguments->text + arguments->bytes, from,
                                            arguments->room - arguments->bytes);
        if (length == -ENAMETOOLONG)
            continue; /* with more room */
        if (length >= 0)
            arguments->bytes += (size_t)length + 1;
        return length < 0 ? (int)length : 0;
    }
}

static int add_user_array(struct arguments *arguments, uintptr_t array, size_t *count)
{
    for (; array != 0; array += POINTER_BYTES) {
        uint64_t string;
        if (copy_from_user(&string, array, sizeof(string)) != 0)
            return -EFAULT;
        if (string == 0)
            break;
        int error = add_user_string(arguments, string);
        if (error != 0)
            return error;
        (*count)++;
    }
    return 0;
}

int arguments_add_user(struct arguments *arguments, uintptr_t array)
{
    return add_user_array(arguments, array, &arguments->argc);
}

int arguments_add_user_environment(struct arguments *arguments, uintptr_t array)
{
    return add_user_array(arguments, array, &arguments->envc);
}

int arguments_add_environment_block(struct arguments *arguments, uintptr_t start, size_t bytes)
{
    int error = bytes > 0 ? make_room(arguments, bytes) : 0;
    if (error != 0)
        return error;
    char *block = arguments->text + arguments->bytes;
    if (copy_from_user(block, start, bytes) != 0)
        return -EFAULT;
    for (size_t at = 0; at < bytes;) {
        size_t length = strnlen(block + at, bytes - at);
        if (length == bytes - at)
            break; /* no end */
        at += length + 1;
        arguments->bytes += length + 1;
        arguments->envc++;
    }
    return taken(arguments) <= ARGUMENTS_BYTES_MAX ? 0 : -E2BIG;
}

void arguments_free(struct arguments *arguments)
{
    heap_free(arguments->text);
    *arguments = (struct arguments){0};
}
