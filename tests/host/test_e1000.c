// SPDX-License-Identifier: MIT
/* links: tests/host/fake/panic.c src/lib/format.c */
/*
 * The e1000 driver against a card whose registers are memory: how it comes up or is refused, and
 * that no descriptor, whatever the card writes into it, makes the driver read or write beyond its
 * buffers (ASan watches).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/arch.h"
static void model_udelay(uint32_t us);
#define arch_udelay model_udelay
#include "drivers/e1000.c" // NOLINT: its functions and rings are static
#undef arch_udelay

#include "hostile.h"

enum { ROUNDS = 20000 };

/* ---- the card -------------------------------------------------------------------------------- */

static uint32_t registers[0x20000 / 4];
static uint16_t eeprom[4];
static bool is_stuck, has_no_eeprom;
static struct pci_device pci;
static struct pci_driver *driver;

/* What a card does while the driver waits. */
static void model_udelay(uint32_t us)
{
    const struct e1000_model *model = model_of(&pci);
    uint32_t *eerd = &registers[E1000_EERD / 4];
    (void)us;
    if (!is_stuck)
        registers[E1000_CTRL / 4] &= ~(uint32_t)E1000_CTRL_RST;
    if (!has_no_eeprom && (*eerd & E1000_EERD_START) != 0)
        *eerd = (uint32_t)eeprom[*eerd >> model->eeprom_shift & 3] << E1000_EERD_DATA_SHIFT |
                model->eeprom_done;
}

static void put_address(const uint8_t address[6])
{
    memcpy(eeprom, address, 6);
    registers[E1000_RAL / 4] = eeprom[0] | (uint32_t)eeprom[1] << 16;
    registers[E1000_RAH / 4] = eeprom[2];
}

/* ---- what the driver asks of the kernel ------------------------------------------------------ */

static long live; /* what was taken and not given back */
static int irqs, irq_error, register_error;
static enum pci_irq_kind irq_kind;
static irq_handler *first_handler;
static bool frame_at_start; /* it is found by an interrupt of the line's other device */
static unsigned handlers, vectors_left;
static struct net_device *net;
static uint64_t frames, bytes, sum, dropped[NET_DROP_REASONS];
static bool fail_memory;

void *heap_alloc(size_t size, enum page_alloc how)
{
    (void)how;
    live++;
    return calloc(1, size);
}

void heap_free(void *object)
{
    live -= object != NULL;
    free(object);
}

paddr_t page_alloc(unsigned order, enum page_alloc how)
{
    (void)how;
    if (fail_memory)
        return PADDR_NONE;
    live++;
    return (paddr_t)(uintptr_t)calloc(1, (size_t)PAGE_SIZE << order);
}

void page_free(paddr_t pa, unsigned order)
{
    (void)order;
    live--;
    free((void *)(uintptr_t)pa);
}

void *page_alloc_one(enum page_alloc how)
{
    return heap_alloc(PAGE_SIZE, how);
}

void page_free_one(void *page)
{
    heap_free(page);
}

void *arch_direct(paddr_t pa)
{
    return (void *)(uintptr_t)pa;
}

paddr_t arch_direct_to_phys(const void *va)
{
    return (paddr_t)(uintptr_t)va;
}

void spin_lock(struct spinlock *lock)
{
    atomic_store(&lock->taken, 1);
}

void log_line(enum log_level level, const char *fmt, ...)
{
    (void)level, (void)fmt;
}

int net_device_register(struct net_device *dev)
{
    net = register_error == 0 ? dev : NULL;
    return register_error;
}

void net_device_unregister(struct net_device *dev)
{
    assert_ptr_equal(dev, net);
    net = NULL;
}

void net_link_look(struct net_device *dev)
{
    unsigned megabits;
    if (frame_at_start) {
        registers[E1000_IMS / 4] = 0;
        registers[E1000_ICR / 4] = E1000_CAUSE_RXT0;
        assert_int_equal(first_handler(24, card_of(dev)), IRQ_HANDLED);
    }
    atomic_store(&dev->has_link, dev->ops->link(dev, &megabits));
}

void net_link_changed(struct net_device *dev)
{
    net_link_look(dev);
}

void net_poll_schedule(struct net_device *dev)
{
    assert_ptr_equal(dev, net);
    dev->ops->mask(dev, true);
}

/* Reads all of the frame, so that ASan sees it. */
void net_receive(struct net_device *dev, const void *frame, size_t length)
{
    assert_ptr_equal(dev, net);
    for (size_t i = 0; i < length; i++)
        sum += ((const volatile uint8_t *)frame)[i];
    frames++;
    bytes += length;
}

void net_drop(struct net_device *dev, enum net_drop why, uint64_t count)
{
    assert_ptr_equal(dev, net);
    dropped[why] += count;
}

void net_undersized(struct net_device *dev, uint64_t count)
{
    assert_ptr_equal(dev, net);
    dropped[NET_DROP_RUNT] += count;
}

void net_transmit_room(struct net_device *dev)
{
    assert_ptr_equal(dev, net);
}

void pci_register_driver(struct pci_driver *registered)
{
    driver = registered;
}

const char *pci_name(const struct pci_device *dev, char text[PCI_NAME_BYTES])
{
    (void)dev;
    return strcpy(text, "00:03.0");
}

volatile void *pci_map_bar(struct pci_device *dev, unsigned n)
{
    (void)dev;
    assert_int_equal(n, 0);
    return registers;
}

void pci_enable_bus_master(struct pci_device *dev)
{
    (void)dev;
}

int pci_alloc_irqs(struct pci_device *dev, unsigned min, unsigned max)
{
    (void)dev;
    assert_int_equal(min, 1);
    return irqs < 0 || irqs <= (int)max ? irqs : (int)max;
}

enum pci_irq_kind pci_irq_kind(const struct pci_device *dev)
{
    (void)dev;
    return irq_kind;
}

uint32_t pci_irq(const struct pci_device *dev, unsigned i)
{
    (void)dev;
    return 24 + i;
}

unsigned pci_irq_flags(const struct pci_device *dev)
{
    (void)dev;
    return 0;
}

void pci_free_irqs(struct pci_device *dev)
{
    (void)dev;
}

int request_irq(uint32_t irq, irq_handler *handler, unsigned flags, const char *name, void *dev)
{
    (void)irq, (void)flags, (void)name, (void)dev;
    if (handlers == vectors_left)
        return irq_error;
    if (handlers++ == 0)
        first_handler = handler;
    return 0;
}

int free_irq(uint32_t irq, void *dev)
{
    (void)irq, (void)dev;
    handlers--;
    return 0;
}

/* ---- coming up ------------------------------------------------------------------------------- */

static const uint8_t address[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

/* Give back what the driver keeps for good. */
static int end(void **state)
{
    (void)state;
    if (net != NULL) {
        free_rings(card_of(net));
        heap_free(card_of(net));
        net = NULL;
    }
    return live != 0;
}

static int begin(void **state)
{
    (void)state;
    (void)end(NULL);
    memset(registers, 0, sizeof(registers));
    memset(dropped, 0, sizeof(dropped));
    put_address(address);
    pci = (struct pci_device){.vendor_id = 0x8086, .device_id = 0x100e};
    pci.bars[0].bytes = REGISTERS_BYTES;
    is_stuck = has_no_eeprom = fail_memory = frame_at_start = false;
    irqs = 1, irq_error = register_error = 0, irq_kind = PCI_IRQ_INTX;
    handlers = 0, vectors_left = 3, frames = bytes = 0;
    e1000_register();
    return 0;
}

static struct e1000 *card(void)
{
    assert_int_equal(driver->probe(&pci), 0);
    return card_of(net);
}

static void comes_up(void **state)
{
    (void)state;
    const struct e1000 *it = card();
    assert_memory_equal(it->net.address, address, sizeof(address));
    assert_int_equal(handlers, 1);
    assert_int_equal(registers[E1000_RDT / 4], RECEIVE_COUNT - 1);
    assert_true((registers[E1000_RCTL / 4] & E1000_RCTL_SECRC) != 0);
    assert_true((registers[E1000_RCTL / 4] & E1000_RCTL_EN) != 0);
}

static void too_few_registers(void **state)
{
    (void)state;
    pci.bars[0].bytes = REGISTERS_BYTES / 2;
    assert_int_not_equal(driver->probe(&pci), 0);
    assert_int_equal(handlers, 0);
}

static void vectors_where_there_are(void **state)
{
    (void)state;
    pci.device_id = 0x10d3, irqs = 3, irq_kind = PCI_IRQ_MSIX;
    assert_int_equal(card()->vectors, 3);
    assert_int_equal(handlers, 3);
    assert_int_equal(registers[E1000_IVAR / 4], 0x8 | 0x9 << 8 | 0xa << 16);
    begin(NULL);
    pci.device_id = 0x10d3, irqs = 2, irq_kind = PCI_IRQ_MSIX; /* too few: one for all */
    assert_int_equal(card()->vectors, 1);
    assert_int_equal(registers[E1000_IVAR / 4], 0x8 | 0x8 << 8 | 0x8 << 16);
    begin(NULL);
    pci.device_id = 0x10d3, irqs = 3, irq_kind = PCI_IRQ_MSIX; /* three, but the cores have one */
    vectors_left = 1, irq_error = -ENOSPC;
    assert_int_equal(card()->vectors, 1);
    assert_int_equal(handlers, 1);
}

/* What may come as often as frames do is masked while the card is polled: with MSI-X the cause that
 * tells of a lost frame, too, which is the link's. */
static void masks_what_frames_bring(void **state)
{
    (void)state;
    const struct net_device_ops *its = card()->net.ops;
    its->mask(net, true);
    assert_int_equal(registers[E1000_IMC / 4],
                     E1000_CAUSE_RXT0 | E1000_CAUSE_RXDMT0 | E1000_CAUSE_RXO);
    assert_int_equal(registers[E1000_RFCTL / 4], 0); /* it has no such register */
    begin(NULL);
    pci.device_id = 0x10d3, irqs = 3, irq_kind = PCI_IRQ_MSIX;
    its = card()->net.ops;
    assert_true((registers[E1000_IMS / 4] & E1000_CAUSE_OTHER) != 0);
    its->mask(net, true);
    assert_int_equal(registers[E1000_IMC / 4], E1000_CAUSE_RXQ0 | E1000_CAUSE_OTHER);
    its->mask(net, false);
    assert_int_equal(registers[E1000_IMS / 4], E1000_CAUSE_RXQ0 | E1000_CAUSE_OTHER);
}

/* Its receive interrupt stays masked while it is polled, also if that begins while it starts. */
static void polled_while_it_starts(void **state)
{
    (void)state;
    frame_at_start = true;
    (void)card();
    assert_true((registers[E1000_IMC / 4] & E1000_CAUSE_RXT0) != 0);
    assert_int_equal(registers[E1000_IMS / 4], 0);
}

/* The EEPROM is silent, or says nonsense: the receive address that the card loaded counts. */
static void address_from_the_register(void **state)
{
    (void)state;
    has_no_eeprom = true;
    assert_memory_equal(card()->net.address, address, sizeof(address));
    begin(NULL);
    memset(eeprom, 0xff, sizeof(eeprom)); /* a group's address */
    assert_memory_equal(card()->net.address, address, sizeof(address));
}

/* Whatever is wrong, it is refused and all is given back. */
static void refused(void **state)
{
    static const uint8_t none[6] = {0};
    (void)state;
    for (int trouble = 0; trouble < 7; trouble++) {
        begin(NULL);
        pci.device_id = 0x10d3, irqs = 3, irq_kind = PCI_IRQ_MSIX;
        is_stuck = trouble == 0;
        if (trouble == 1)
            put_address(none);
        fail_memory = trouble == 2;
        register_error = trouble == 3 ? -ENOSPC : 0;
        irqs = trouble == 4 ? -ENODEV : irqs;
        irq_error = trouble == 5 ? -ENOMEM : -ENOSPC;
        vectors_left = trouble == 5 ? 1 : trouble == 6 ? 0 : 3;
        assert_true(driver->probe(&pci) < 0);
        assert_int_equal(live, 0);
        assert_int_equal(handlers, 0);
        assert_null(net);
    }
}

/* ---- received descriptors -------------------------------------------------------------------- */

static void write_back(struct e1000 *it, unsigned index, uint8_t status, uint8_t errors,
                       uint16_t length)
{
    struct e1000_receive_descriptor *desc = &it->received[index % RECEIVE_COUNT];
    desc->length = length;
    desc->errors = errors;
    desc->status = status;
}

static void each_verdict(void **state)
{
    enum { WHOLE = E1000_RX_DD | E1000_RX_EOP };
    struct e1000 *it = card();
    (void)state;
    write_back(it, 0, WHOLE, 0, 60);
    write_back(it, 1, WHOLE, 0, 0);                      /* no length */
    write_back(it, 2, WHOLE, 0, E1000_BUFFER_BYTES + 1); /* beyond its buffer */
    write_back(it, 3, WHOLE, 1, 60);                     /* a wrong checksum */
    write_back(it, 4, E1000_RX_DD, 0, 2048);             /* a giant over three */
    write_back(it, 5, E1000_RX_DD, 0, 2048);
    write_back(it, 6, WHOLE, 0, 100);
    write_back(it, 7, WHOLE, 0, 1514);
    assert_int_equal(e1000_poll(net, 64), 8);
    assert_int_equal(frames, 2);
    assert_int_equal(bytes, 60 + 1514);
    assert_int_equal(dropped[NET_DROP_BAD], 3);
    assert_int_equal(dropped[NET_DROP_GIANT], 1);
    assert_int_equal(registers[E1000_RDT / 4], 7); /* all eight are the card's again */
    assert_int_equal(e1000_poll(net, 64), 0);
}

static void budget_is_kept(void **state)
{
    struct e1000 *it = card();
    (void)state;
    for (unsigned i = 0; i < RECEIVE_COUNT; i++)
        write_back(it, i, E1000_RX_DD | E1000_RX_EOP, 0, 64);
    assert_int_equal(e1000_poll(net, 100), 100);
    assert_int_equal(e1000_poll(net, 100), RECEIVE_COUNT - 100);
    assert_int_equal(e1000_poll(net, 100), 0);
}

static void whatever_the_card_writes(void **state)
{
    struct e1000 *it = card();
    uint64_t seed = 0x243f6a8885a308d3, wrote = 0, took = 0;
    unsigned next = 0;
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned count = random_below(&seed, RECEIVE_COUNT);
        for (unsigned i = 0; i < count; i++)
            write_back(it, next++, (uint8_t)(random_next(&seed) | E1000_RX_DD),
                       (uint8_t)(random_next(&seed) & random_next(&seed)),
                       (uint16_t)random_next(&seed));
        wrote += count;
        unsigned taken;
        while ((taken = e1000_poll(net, NET_POLL_BUDGET)) > 0)
            took += taken;
    }
    assert_int_equal(took, wrote);
    assert_true(frames > 0 && dropped[NET_DROP_BAD] > 0 && dropped[NET_DROP_GIANT] > 0);
}

/* ---- sending --------------------------------------------------------------------------------- */

static void the_ring_fills_and_empties(void **state)
{
    struct e1000 *it = card();
    uint8_t frame[NET_FRAME_MAX] = {0};
    (void)state;
    for (unsigned i = 0; i < TRANSMIT_COUNT - 1; i++)
        assert_int_equal(e1000_send(net, frame, sizeof(frame)), 0);
    assert_int_equal(registers[E1000_TDT / 4], TRANSMIT_COUNT - 1);
    assert_int_equal(e1000_send(net, frame, sizeof(frame)), -ENOSPC);
    assert_true(it->transmit_waits);
    it->transmitted[0].status = E1000_TX_DD;
    assert_int_equal(e1000_send(net, frame, sizeof(frame)), 0);
    assert_int_equal(e1000_send(net, frame, sizeof(frame)), -ENOSPC);
    for (unsigned i = 0; i < TRANSMIT_COUNT; i++)
        it->transmitted[i].status = E1000_TX_DD;
    for (unsigned i = 0; i < TRANSMIT_COUNT - 1; i++)
        assert_int_equal(e1000_send(net, frame, NET_FRAME_PADDED), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(comes_up, begin, end),
        cmocka_unit_test_setup_teardown(too_few_registers, begin, end),
        cmocka_unit_test_setup_teardown(vectors_where_there_are, begin, end),
        cmocka_unit_test_setup_teardown(masks_what_frames_bring, begin, end),
        cmocka_unit_test_setup_teardown(polled_while_it_starts, begin, end),
        cmocka_unit_test_setup_teardown(address_from_the_register, begin, end),
        cmocka_unit_test_setup_teardown(refused, begin, end),
        cmocka_unit_test_setup_teardown(each_verdict, begin, end),
        cmocka_unit_test_setup_teardown(budget_is_kept, begin, end),
        cmocka_unit_test_setup_teardown(whatever_the_card_writes, begin, end),
        cmocka_unit_test_setup_teardown(the_ring_fills_and_empties, begin, end),
    };
    return cmocka_run_group_tests_name("e1000", tests, NULL, NULL);
}
