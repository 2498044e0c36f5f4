// SPDX-License-Identifier: MIT
/*
 * Devices that interrupt when they are told to: QEMU's `edu` card, by its line or one message of
 * MSI, and QEMU's `virtio-rng-pci`, by MSI-X. The tests are passed over where these are missing, or
 * have a driver.
 *
 * Most tests let a card interrupt in a chain: the handler, once it has seen what it was called for,
 * tells the card to interrupt again. A chain has one interrupt under way at any time, so that a
 * lost one ends it, and one that comes twice finds nothing to do; and it keeps the card at it on
 * whatever core, while the test moves the irq about.
 *
 * Source: QEMU, "EDU device"; Virtual I/O Device (VIRTIO) specification 1.1, the sections "Legacy
 * Interface", and "Entropy Device"
 */
#include <stdatomic.h>

#include "arch/arch.h"
#include "arch/x86_64/io.h"
#include "drivers/pci.h"
#include "irq/irq.h"
#include "lib/cpumask.h"
#include "lib/debug.h"
#include "lib/errno.h"
#include "lib/selftest.h"
#include "mm/page.h"

enum {
    CARDS = 2,
    TEST_CORE = 0,  /* the tests run on the boot core */
    CHAIN_END = 20, /* how often it goes on once the moves are done */
    MOVES = 100,
    WAIT_MS = 2000,
};
#define NS_PER_MS UINT64_C(1000000)

/* A device, and what its handler has seen. */
struct card {
    struct pci_device *dev;
    bool (*ask)(struct card *card);   /* was it this one? then it is done with */
    void (*raise)(struct card *card); /* interrupt once */
    volatile uint32_t *edu;           /* its registers, or NULL */
    unsigned message;                 /* the one that it sends */
    _Atomic unsigned taken, empty;    /* calls of the handler, with and without something to do */
    _Atomic unsigned left;            /* how often the handler is to raise again */
    _Atomic bool owed;                /* the test is to raise in its place */
    bool short_chain;                 /* it need not */
    _Atomic bool deaf;                /* it does not look at the card */
};

static struct card cards[CARDS], rng_card;

/* ---- edu ------------------------------------------------------------------------------------- */

enum edu_register { /* in words of 32 bits */
                    EDU_STATUS = 0x24 / 4,
                    EDU_RAISE = 0x60 / 4,
                    EDU_ACKNOWLEDGE = 0x64 / 4,
                    EDU_VENDOR = 0x1234,
                    EDU_DEVICE = 0x11e8,
};

static void edu_raise(struct card *card)
{
    card->edu[EDU_RAISE] = 1;
}

static bool edu_ask(struct card *card)
{
    uint32_t status = card->edu[EDU_STATUS];
    if (status != 0)
        card->edu[EDU_ACKNOWLEDGE] = status;
    return status != 0;
}

static int find_edu(struct pci_device *dev, void *arg)
{
    unsigned *found = arg;
    if (dev->vendor_id != EDU_VENDOR || dev->device_id != EDU_DEVICE || dev->driver != NULL)
        return 0;
    cards[*found].dev = dev;
    return ++*found == CARDS;
}

/* The registers are mapped for good, so the first test that finds the cards does it for all.
 * Returns: are there `wanted`? If not, the test is passed over. */
static bool have_edu(unsigned wanted)
{
    static unsigned found;
    if (found == 0) {
        (void)pci_for_each(find_edu, &found);
        for (unsigned i = 0; i < found; i++) {
            cards[i].edu = pci_map_bar(cards[i].dev, 0);
            cards[i].ask = edu_ask;
            cards[i].raise = edu_raise;
        }
    }
    if (found < wanted)
        selftest_skip(wanted == 1 ? "needs a card (QEMU: -device edu)"
                                  : "needs two cards (QEMU: -device edu, twice)");
    return found >= wanted;
}

/* ---- what the tests share -------------------------------------------------------------------- */

static enum irq_result card_handler(uint32_t irq, void *dev)
{
    struct card *card = dev;
    (void)irq;
    if (atomic_load(&card->deaf) || !card->ask(card)) {
        atomic_fetch_add(&card->empty, 1);
        return IRQ_NONE;
    }
    atomic_fetch_add(&card->taken, 1);
    if (atomic_load(&card->left) > 0) {
        atomic_fetch_sub(&card->left, 1);
        if (arch_cpu() == TEST_CORE && !card->short_chain)
            atomic_store(&card->owed, true);
        else
            card->raise(card);
    }
    return IRQ_HANDLED;
}

/* Raise what the handler left to the test. */
static void pay(struct card *card)
{
    if (atomic_exchange(&card->owed, false))
        card->raise(card);
}

static uint32_t irq_of(const struct card *card)
{
    return pci_irq(card->dev, card->message);
}

static void reset_counts(struct card *card)
{
    atomic_store(&card->owed, false);
    atomic_store(&card->taken, 0);
    atomic_store(&card->empty, 0);
    atomic_store(&card->left, 0);
    atomic_store(&card->deaf, false);
}

/* Wait until the handler has taken `count`. Returns: has it? */
static bool wait_taken(struct card *card, unsigned count)
{
    uint64_t end = arch_clock_ns() + WAIT_MS * NS_PER_MS;
    while (atomic_load(&card->taken) < count && arch_clock_ns() < end) {
        pay(card);
        arch_relax();
    }
    return selftest_expect(atomic_load(&card->taken) == count, "%u interrupts, %u were taken",
                           count, atomic_load(&card->taken));
}

static void raise_and_wait(struct card *card)
{
    unsigned before = atomic_load(&card->taken);
    card->raise(card);
    (void)wait_taken(card, before + 1);
}

/* Give the card one irq by its line or by MSI, and its handler. Returns: false, which was said. */
static bool open_card(struct card *card, enum pci_irq_kind kind)
{
    reset_counts(card);
    pci_enable_bus_master(card->dev);
    int count = pci_alloc_irqs_by(card->dev, 1, 1, kind);
    if (count == -ENODEV && kind == PCI_IRQ_INTX)
        selftest_skip("this machine does not tell where the card's line arrives");
    else
        selftest_expect(count == 1, "one irq, it was %d", count);
    if (count != 1)
        return false;
    int error =
        request_irq(pci_irq(card->dev, 0), card_handler, pci_irq_flags(card->dev), "card", card);
    if (!selftest_expect(error == 0, "request_irq: %d", error))
        pci_free_irqs(card->dev);
    return error == 0;
}

static void close_card(struct card *card)
{
    int error = free_irq(pci_irq(card->dev, 0), card);
    selftest_expect(error == 0, "free_irq: %d", error);
    pci_free_irqs(card->dev);
}

/* ---- two cards on one line ------------------------------------------------------------------- */

static bool open_both(void)
{
    if (!have_edu(CARDS) || !open_card(&cards[0], PCI_IRQ_INTX))
        return false;
    if (!open_card(&cards[1], PCI_IRQ_INTX)) {
        close_card(&cards[0]);
        return false;
    }
    if (pci_irq(cards[0].dev, 0) == pci_irq(cards[1].dev, 0))
        return true;
    selftest_skip("the two cards do not share a line: other slots are needed");
    close_card(&cards[1]);
    close_card(&cards[0]);
    return false;
}

/* Both at once: the line may never be quiet in between, which only a level line forgives. */
static void check_both_at_once(void)
{
    enum { ROUNDS = 200 };
    for (unsigned i = 0; i < CARDS; i++) {
        reset_counts(&cards[i]);
        cards[i].short_chain = true;
        atomic_store(&cards[i].left, ROUNDS);
    }
    for (unsigned i = 0; i < CARDS; i++)
        cards[i].raise(&cards[i]);
    for (unsigned i = 0; i < CARDS; i++) {
        (void)wait_taken(&cards[i], ROUNDS + 1);
        cards[i].short_chain = false;
    }
}

/* Each handler is asked for each interrupt of the line, and says whose it was. */
static void test_shared_line(void)
{
    enum { ROUNDS = 50 };
    if (!open_both())
        return;
    for (unsigned i = 0; i < ROUNDS; i++)
        raise_and_wait(&cards[i % CARDS]);
    for (unsigned i = 0; i < CARDS; i++)
        selftest_expect(atomic_load(&cards[i].empty) > 0,
                        "card %u was asked for the other one's interrupts, too", i);

    struct irq_info info = {0};
    uint32_t irq = pci_irq(cards[0].dev, 0);
    int error = irq_get_info(irq, &info);
    selftest_expect(error == 0 && info.handlers >= CARDS && info.level,
                    "a level line with two handlers; it has %u, level %d (%d)", info.handlers,
                    info.level, error);
    selftest_expect(request_irq(irq, card_handler, 0, "alone", &info) == -EBUSY,
                    "-EBUSY for one who does not share");

    check_both_at_once();
    close_card(&cards[0]);
    unsigned before = atomic_load(&cards[0].taken) + atomic_load(&cards[0].empty);
    for (unsigned i = 0; i < ROUNDS; i++)
        raise_and_wait(&cards[1]);
    selftest_expect(atomic_load(&cards[0].taken) + atomic_load(&cards[0].empty) == before,
                    "a handler that was freed is not called");
    close_card(&cards[1]);
}

SELFTEST("pci-shared-line", test_shared_line);

/* A line that stays asserted is switched off, in words, and works again for who comes then. */
static void test_stuck_line(void)
{
    struct irq_info info = {0};
    if (DEBUG_KERNEL || arch_cpu_count() > 2) {
        selftest_skip(
            "its 100,000 interrupts take long: the plain kernel on one or two cores has to do");
        return;
    }
    if (!open_both())
        return;
    atomic_store(&cards[0].deaf, true);
    cards[0].raise(&cards[0]);
    uint64_t end = arch_clock_ns() + 10 * WAIT_MS * NS_PER_MS;
    do
        (void)irq_get_info(pci_irq(cards[0].dev, 0), &info);
    while (!info.stuck && arch_clock_ns() < end);
    unsigned asked = atomic_load(&cards[1].empty);
    selftest_expect(info.stuck, "the line is switched off; %u interrupts came", asked);
    arch_udelay(1000);
    selftest_expect(atomic_load(&cards[1].empty) == asked, "none comes once it is off");
    (void)edu_ask(&cards[0]);
    close_card(&cards[0]);
    close_card(&cards[1]);

    if (open_card(&cards[1], PCI_IRQ_INTX)) {
        raise_and_wait(&cards[1]);
        close_card(&cards[1]);
    }
}

SELFTEST("pci-stuck-line", test_stuck_line);

/* ---- moving ---------------------------------------------------------------------------------- */

static int set_cores(uint32_t irq, cpu_t first, cpu_t last)
{
    struct cpumask mask = {0};
    for (cpu_t cpu = first; cpu <= last; cpu++)
        cpumask_set(&mask, cpu);
    return irq_set_affinity(irq, &mask);
}

/* Go round all cores; one that is not online is refused, and that is right. */
static void move_about(struct card *card)
{
    uint32_t irq = irq_of(card);
    unsigned moved = 0;
    for (unsigned i = 0; i < MOVES; i++) {
        cpu_t cpu = i % arch_cpu_count();
        pay(card);
        int error = set_cores(irq, cpu, cpu);
        moved += error == 0;
        selftest_expect(error == 0 || (error == -EINVAL && cpu != 0),
                        "a move to core %u, it was %d", cpu, error);
    }
    selftest_note("%u moves", moved);
}

/* Where the irq may go it goes, and nowhere else. */
static void check_each_core(struct card *card)
{
    enum { ROUNDS = 3 };
    uint32_t irq = irq_of(card);
    for (cpu_t cpu = 0; cpu < arch_cpu_count(); cpu++) {
        if (set_cores(irq, cpu, cpu) != 0)
            continue;
        uint64_t before = irq_stat_of(irq, cpu).interrupts;
        for (unsigned i = 0; i < ROUNDS; i++)
            raise_and_wait(card);
        uint64_t after = irq_stat_of(irq, cpu).interrupts;
        selftest_expect(after - before == ROUNDS, "%d interrupts on core %u, it was %llu", ROUNDS,
                        cpu, (unsigned long long)(after - before));
    }
}

/* The card interrupts all the time, while its irq is moved: none is lost, none comes twice. */
static void check_moves(struct card *card)
{
    reset_counts(card);
    atomic_store(&card->left, UINT32_MAX);
    card->raise(card);
    move_about(card);
    unsigned raised = UINT32_MAX - atomic_exchange(&card->left, CHAIN_END) + 1;
    (void)wait_taken(card, raised + CHAIN_END);
    selftest_note("%u interrupts", atomic_load(&card->taken));
    check_each_core(card);
    selftest_expect(set_cores(irq_of(card), 0, arch_cpu_count() - 1) == 0, "a move to all cores");
}

static void test_message_moves(void)
{
    if (!have_edu(1) || !open_card(&cards[0], PCI_IRQ_MSI))
        return;
    check_moves(&cards[0]);
    selftest_expect(atomic_load(&cards[0].empty) == 0, "no interrupt came twice, %u did",
                    atomic_load(&cards[0].empty));
    close_card(&cards[0]);
}

SELFTEST("pci-msi-moves", test_message_moves);

/* The handler has quieted the line before the interrupt ends, so none comes twice here either. */
static void test_line_moves(void)
{
    if (!have_edu(1) || !open_card(&cards[0], PCI_IRQ_INTX))
        return;
    check_moves(&cards[0]);
    close_card(&cards[0]);
}

SELFTEST("pci-intx-moves", test_line_moves);

/* ---- MSI-X: a source of random numbers ------------------------------------------------------- */

/* The legacy registers, from the first port on. Those for vectors are there while MSI-X is on. */
enum rng_register {
    RNG_QUEUE_PAGE = 8,
    RNG_QUEUE_SIZE = 12,
    RNG_QUEUE_SELECT = 14,
    RNG_QUEUE_NOTIFY = 16,
    RNG_STATUS = 18,
    RNG_STATUS_DRIVER = 3,
    RNG_STATUS_READY = 7,
    RNG_CONFIG_VECTOR = 20,
    RNG_QUEUE_VECTOR = 22,
    RNG_NO_VECTOR = 0xffff,
    RNG_VENDOR = 0x1af4,
    RNG_DEVICE = 0x1005,
    RNG_WRITE = 2, /* of a descriptor: the device writes there */
    RNG_QUEUE_SIZE_MAX = 64,
    RNG_BUFFER = 3072, /* in the first page, behind the descriptors and the available ring */
    RNG_PAGES_ORDER = 1,
};

struct rng_descriptor {
    uint64_t address;
    uint32_t bytes;
    uint16_t flags, next;
};

struct rng_ring {
    uint16_t flags;
    _Atomic uint16_t index; /* release by who puts something in */
};

static struct rng {
    uint16_t port;
    paddr_t pages;
    struct rng_ring *available, *used; /* used is the device's, at the second page */
    uint16_t seen;                     /* of used->index */
} rng;

static void rng_raise(struct card *card)
{
    (void)card;
    /* every entry of the available ring is 0: the one descriptor that there is */
    atomic_fetch_add_explicit(&rng.available->index, 1, memory_order_release);
    io_out16(rng.port + RNG_QUEUE_NOTIFY, 0);
}

static bool rng_ask(struct card *card)
{
    (void)card;
    if (atomic_load_explicit(&rng.used->index, memory_order_acquire) == rng.seen)
        return false;
    rng.seen++;
    return true;
}

static int find_rng(struct pci_device *dev, void *arg)
{
    (void)arg;
    if (dev->vendor_id != RNG_VENDOR || dev->device_id != RNG_DEVICE || dev->driver != NULL)
        return 0;
    rng_card = (struct card){.dev = dev, .ask = rng_ask, .raise = rng_raise};
    return 1;
}

/* One queue of one buffer, which interrupts by entry `entry`. Returns: false, which was said. */
static bool start_rng(unsigned entry)
{
    rng.pages = page_alloc(RNG_PAGES_ORDER, ALLOC_ZERO);
    if (!selftest_expect(rng.pages != PADDR_NONE, "memory for the queue"))
        return false;
    uint8_t *memory = arch_direct(rng.pages);
    io_out8(rng.port + RNG_STATUS, 0);
    io_out8(rng.port + RNG_STATUS, RNG_STATUS_DRIVER);
    io_out16(rng.port + RNG_QUEUE_SELECT, 0);
    uint16_t size = io_in16(rng.port + RNG_QUEUE_SIZE);
    io_out16(rng.port + RNG_CONFIG_VECTOR, RNG_NO_VECTOR);
    io_out16(rng.port + RNG_QUEUE_VECTOR, (uint16_t)entry);
    bool ok =
        selftest_expect(size > 0 && size <= RNG_QUEUE_SIZE_MAX, "a small queue, not %u", size);
    ok =
        selftest_expect(io_in16(rng.port + RNG_QUEUE_VECTOR) == entry, "the vector is taken") && ok;
    *(struct rng_descriptor *)memory = (struct rng_descriptor){
        .address = rng.pages + RNG_BUFFER, .bytes = sizeof(uint64_t), .flags = RNG_WRITE};
    rng.available = (struct rng_ring *)(memory + size * sizeof(struct rng_descriptor));
    rng.used = (struct rng_ring *)(memory + PAGE_SIZE);
    rng.seen = 0;
    io_out32(rng.port + RNG_QUEUE_PAGE, (uint32_t)(rng.pages >> PAGE_SHIFT));
    io_out8(rng.port + RNG_STATUS, RNG_STATUS_READY);
    return ok;
}

static void stop_rng(void)
{
    io_out8(rng.port + RNG_STATUS, 0);
    if (rng.pages != PADDR_NONE)
        page_free(rng.pages, RNG_PAGES_ORDER);
}

/* What comes while an entry is masked stays pending in the device, and comes afterwards. */
static void check_masking(struct card *card, uint32_t irq)
{
    enum { ROUNDS = 20 };
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned before = atomic_load(&card->taken);
        disable_irq(irq);
        card->raise(card);
        arch_udelay(100);
        selftest_expect(atomic_load(&card->taken) == before, "none while the irq is disabled");
        enable_irq(irq);
        if (!wait_taken(card, before + 1))
            return;
    }
}

static void test_msix(void)
{
    if (pci_for_each(find_rng, NULL) == 0) {
        selftest_skip("needs a card (QEMU: -device virtio-rng-pci)");
        return;
    }
    struct card *card = &rng_card;
    rng.port = pci_io_bar(card->dev, 0);
    pci_enable_bus_master(card->dev);
    int count = pci_alloc_irqs_by(card->dev, 2, 4, PCI_IRQ_MSIX);
    if (!selftest_expect(count == 2, "the two messages that the card has, it was %d", count))
        return;
    card->message = 1;
    uint32_t irq = irq_of(card);
    int error = request_irq(irq, card_handler, pci_irq_flags(card->dev), "rng", card);
    if (selftest_expect(error == 0, "request_irq: %d", error) && start_rng(card->message)) {
        check_masking(card, irq);
        check_moves(card);
        selftest_expect(atomic_load(&card->empty) == 0, "no interrupt came twice, %u did",
                        atomic_load(&card->empty));
    }
    stop_rng();
    if (error == 0)
        (void)free_irq(irq, card);
    pci_free_irqs(card->dev);
}

SELFTEST("pci-msix-moves", test_msix);
