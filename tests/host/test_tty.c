// SPDX-License-Identifier: MIT
/* links: src/proc/tty_line.c tests/host/fake/panic.c tests/host/fake/memory.c */
/* links: tests/host/fake/user.c tests/host/fake/threads.c */
/*
 * A terminal at a slow device. The line discipline has a test of its own (test_tty_line.c), and
 * what comes and goes tests/test_tty.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_memory.h"
#include "fake_threads.h"
#include "proc/tty.c" // NOLINT: struct tty is its own

enum { LOOKS = 3 };

DEFINE_PERCPU(struct thread *, current_thread);
static char worker;
static struct console console;
static unsigned looks, sleeps;
static bool held;

/* ---- what the terminal asks of the kernel ---------------------------------------------------- */

struct thread *thread_create(const char *name, void (*fn)(void *arg), void *arg,
                             const struct cpumask *affinity)
{
    (void)name, (void)fn, (void)arg, (void)affinity;
    return (struct thread *)(void *)&worker;
}

void thread_put(struct thread *thread)
{
    (void)thread;
}

void thread_sleep(uint64_t ns)
{
    assert_in_range(ns, 1, 100 * NS_PER_MS);
    assert_true(held); /* or lines of the log would follow each other for ever */
    assert_int_equal(fake_locks, 1);
    sleeps++;
}

void wake_one(struct wait_queue *queue)
{
    (void)queue;
}

bool mutex_trylock(struct mutex *mutex)
{
    mutex_lock(mutex);
    return true;
}

void spin_lock(struct spinlock *lock)
{
    atomic_store(&lock->taken, 1);
}

bool console_try_hold(struct console *self)
{
    assert_ptr_equal(self, &console);
    assert_false(held);
    held = true;
    return true;
}

void console_hold(struct console *self)
{
    (void)console_try_hold(self);
}

void console_release(struct console *self)
{
    assert_ptr_equal(self, &console);
    assert_true(held);
    held = false;
}

size_t console_put(struct console *self, const char *text, size_t len)
{
    (void)self, (void)text;
    return len;
}

void console_write(struct console *self, const char *text, size_t len)
{
    (void)self, (void)text, (void)len;
}

struct console *console_preferred(void)
{
    return &console;
}

struct console *console_first(void)
{
    return &console;
}

struct console *console_next(struct console *self)
{
    (void)self;
    return NULL;
}

void console_set_hooks(const struct console_hooks *new_hooks)
{
    (void)new_hooks;
}

void log_drain(void)
{
}

struct file *file_create(const struct file_ops *ops, void *data, unsigned flags)
{
    (void)ops, (void)data, (void)flags;
    return NULL;
}

unsigned file_flags(const struct file *file)
{
    (void)file;
    return 0;
}

int fs_register_device(const char *name, uint32_t major, uint32_t minor, device_open_fn *open,
                       void *data)
{
    (void)name, (void)major, (void)minor, (void)open, (void)data;
    return 0;
}

/* ---- TCSBRK ---------------------------------------------------------------------------------- */

static bool is_sent(struct console *self)
{
    assert_ptr_equal(self, &console);
    return ++looks > LOOKS;
}

/* For the panic and the machine's end: it keeps the core until the device is through. */
static void flush_and_spin(struct console *self)
{
    (void)self;
    fail_msg("a program's wait spins");
}

static int fresh(void **state)
{
    (void)state;
    console = (struct console){.name = "slow", .is_sent = is_sent, .flush = flush_and_spin};
    looks = sleeps = 0;
    assert_int_equal(tty_init(), 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    heap_free(console.tty);
    return fake_live != 0 || fake_locks != 0 || held;
}

/* Who waits for the device does so in his sleep. */
static void test_drain_sleeps(void **state)
{
    struct file file = {.data = console.tty};
    (void)state;
    assert_int_equal(tty_ioctl(&file, TCSBRK, 1), 0);
    assert_int_equal(looks, LOOKS + 1);
    assert_int_equal(sleeps, LOOKS);
}

static void test_drain_of_what_never_waits(void **state)
{
    struct file file = {.data = console.tty};
    (void)state;
    console.is_sent = NULL;
    assert_int_equal(tty_ioctl(&file, TCSBRK, 1), 0);
    assert_int_equal(sleeps, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_drain_sleeps, fresh, end),
        cmocka_unit_test_setup_teardown(test_drain_of_what_never_waits, fresh, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
