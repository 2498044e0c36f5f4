// SPDX-License-Identifier: MIT
/* Small words for the tests of the memory file system. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_memory.h"
#include "fake_threads.h"
#include "fake_user.h"
#include "fs/file.h"
#include "fs/memfs.h"
#include "lib/errno.h"

/* What is there, a link at the end not followed. */
static inline struct file_stat stat_of(const char *path)
{
    struct file_stat stat = {0};
    int error = memfs_stat(NULL, path, false, &stat);
    if (error != 0)
        fail_msg("%s: error %d", path, error);
    return stat;
}

/* The error of looking for it, links followed. */
static inline int look_for(const char *path)
{
    struct file_stat stat;
    return memfs_stat(NULL, path, true, &stat);
}

static inline uint64_t ino_of(const char *path)
{
    struct file_stat stat = {0};
    int error = memfs_stat(NULL, path, true, &stat);
    if (error != 0)
        fail_msg("%s: error %d", path, error);
    return stat.ino;
}

static inline struct file *open_file(const char *path, unsigned flags)
{
    struct file *file = NULL;
    int error = memfs_open(NULL, path, flags, 0644, &file);
    if (error != 0)
        fail_msg("%s: error %d", path, error);
    return file;
}

/* The error of opening. */
static inline int try_open(const char *path, unsigned flags)
{
    struct file *file;
    int error = memfs_open(NULL, path, flags, 0644, &file);
    if (error == 0)
        file_put(file);
    return error;
}

/* Make or overwrite a file. */
static inline void put_file(const char *path, const char *text)
{
    struct file *file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
    assert_int_equal(file_write(file, user(text), strlen(text)), strlen(text));
    file_put(file);
}

static inline void assert_holds(const char *path, const char *text)
{
    static char buf[8192];
    struct file *file = open_file(path, O_RDONLY);
    long length = file_read(file, user(buf), sizeof(buf));
    file_put(file);
    assert_int_equal(length, strlen(text));
    assert_memory_equal(buf, text, strlen(text));
}

static inline struct memfs_node *dir_node(const char *path)
{
    struct memfs_node *node = NULL;
    assert_int_equal(memfs_lookup_dir(NULL, path, &node), 0);
    return node;
}

/* count times `part`, in a static buffer */
static inline char *repeat(const char *part, size_t count)
{
    static char text[16384];
    text[0] = '\0';
    for (size_t i = 0, length = strlen(part); i < count; i++)
        memcpy(text + i * length, part, length + 1);
    return text;
}
