// SPDX-License-Identifier: MIT
/*
 * A driver for Intel's 82540EM, 82545EM and 82574L: legacy descriptors, one ring each way, buffers
 * of its own of which frames are copied, so that the card can reach no other memory than these.
 *
 * The rings. The card owns the descriptors from its head up to the tail, which is ours. Of the
 * receive ring all but one are the card's: head == tail means that it has none. Of the transmit
 * ring we may fill all but one. What the card writes into a descriptor is judged (e1000_judge) and
 * not trusted.
 *
 * Interrupts. The 8254x have a line, which they may share; reading ICR tells whether it was this
 * card, and clears the causes. The 82574L has MSI-X vectors for receiving, sending and the rest;
 * where there are fewer than three, or no MSI-X, one handler serves all. Its ICR is cleared by
 * writing. The causes of one vector are in `causes`, whichever bits the card uses for them. With
 * MSI-X, a frame for which there was no room comes by the vector of the rest: a flood would have
 * that one interrupt as often as it likes. So it is masked while the card is polled, too, and a
 * link that changes meanwhile is looked at when the ring is empty.
 * Throttling (ITR) is off: under load the poll masks the receive interrupt anyway, and a lone frame
 * should not wait.
 *
 * Every wait is bounded; a card that does not come up is left alone, in words.
 * Source: see drivers/e1000_regs.h
 */
#include "drivers/e1000.h"

#include "arch/arch.h"
#include "drivers/e1000_regs.h"
#include "drivers/pci.h"
#include "irq/irq.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/text.h"
#include "mm/heap.h"
#include "mm/page.h"

enum {
    RECEIVE_COUNT = 128, /* descriptors; a ring's bytes are a multiple of 128 */
    TRANSMIT_COUNT = 64,
    RECEIVE_ORDER = 6, /* of their buffers: 2^6 frames of 4096 bytes */
    TRANSMIT_ORDER = 5,
    REGISTERS_BYTES = 0x20000,   /* SDM, "Base Address Registers": 128 KiB */
    TRANSMIT_AT = PAGE_SIZE / 2, /* both rings are in one frame of memory */
    VECTORS = 3,
    RESET_US = 100000,
    RESET_STEP_US = 1000,
    EEPROM_US = 10000,
    EEPROM_STEP_US = 10,
    IRQ_NAME_MAX = 16,
};
#define ALL_CAUSES UINT32_MAX

_Static_assert(RECEIVE_COUNT *E1000_BUFFER_BYTES == PAGE_SIZE << RECEIVE_ORDER, "buffers");
_Static_assert(TRANSMIT_COUNT *E1000_BUFFER_BYTES == PAGE_SIZE << TRANSMIT_ORDER, "buffers");
_Static_assert(RECEIVE_COUNT * sizeof(struct e1000_receive_descriptor) <= TRANSMIT_AT, "one frame");

/* Where they differ. */
struct e1000_model {
    const char *name;
    uint16_t device_id;
    unsigned vectors;         /* that it can use */
    unsigned eeprom_shift;    /* of the word's address in EERD */
    uint32_t eeprom_done;     /* the bit that says so */
    bool clears_icr_by_write; /* reading does not clear it (82574 datasheet, "Interrupt Cause Read
                                 Register") */
    bool notices_tcp;         /* a TCP acknowledgment interrupts, unless it is told not to */
};

static const struct e1000_model models[] = {
    {.name = "82540EM",
     .device_id = 0x100e,
     .vectors = 1,
     .eeprom_shift = 8,
     .eeprom_done = 1 << 4},
    {.name = "82545EM",
     .device_id = 0x100f,
     .vectors = 1,
     .eeprom_shift = 8,
     .eeprom_done = 1 << 4},
    {.name = "82574L",
     .device_id = 0x10d3,
     .vectors = VECTORS,
     .eeprom_shift = 2,
     .eeprom_done = 1 << 1,
     .clears_icr_by_write = true,
     .notices_tcp = true},
};

/* Which bits of ICR, IMS and IMC stand for what. */
struct causes {
    uint32_t receive;
    uint32_t transmit;
    uint32_t link;
    uint32_t polled; /* masked while the card is polled: those that frames bring */
};

struct e1000 {
    struct net_device net;
    struct pci_device *pci;
    const struct e1000_model *model;
    volatile uint32_t *regs;
    unsigned vectors;                      /* I: how many it got */
    struct causes causes;                  /* I */
    char irq_names[VECTORS][IRQ_NAME_MAX]; /* I */

    struct e1000_receive_descriptor *received; /* the ring; from the next one on P: the poll */
    uint8_t *receive_buffers;
    unsigned receive_next; /* P: the poll: the one to look at */
    bool receive_inside;   /* P: the poll: in a frame of several descriptors */

    struct spinlock send_lock;
    struct e1000_transmit_descriptor *transmitted; /* L: send_lock; the ring */
    uint8_t *transmit_buffers;
    unsigned transmit_next;   /* L: send_lock: the one to fill */
    unsigned transmit_oldest; /* L: send_lock: the first that the card may still have */
    bool transmit_waits;      /* L: send_lock: somebody found the ring full */
};

static struct e1000 *card_of(struct net_device *net)
{
    return list_entry(net, struct e1000, net);
}

static uint32_t e1000_read(const struct e1000 *card, unsigned reg)
{
    return card->regs[reg / sizeof(uint32_t)];
}

static void e1000_write(struct e1000 *card, unsigned reg, uint32_t value)
{
    card->regs[reg / sizeof(uint32_t)] = value;
}

/* PCI may hold writes back; a read pushes them to the card. */
static void e1000_flush(struct e1000 *card)
{
    (void)e1000_read(card, E1000_STATUS);
}

/* ---- receiving ------------------------------------------------------------------------------- */

static uint8_t *receive_buffer(struct e1000 *card, unsigned index)
{
    return card->receive_buffers + (size_t)index * E1000_BUFFER_BYTES;
}

/* Do with one descriptor's frame what it deserves. */
static void receive(struct e1000 *card, unsigned index, uint8_t status)
{
    const struct e1000_receive_descriptor *desc = &card->received[index];
    uint16_t length = desc->length; /* once: what is judged is what is used */
    switch (e1000_judge(status, desc->errors, length, card->receive_inside)) {
    case E1000_WHOLE:
        net_receive(&card->net, receive_buffer(card, index), length);
        break;
    case E1000_DAMAGED:
        net_drop(&card->net, NET_DROP_BAD, 1);
        break;
    case E1000_BEGINS:
        card->receive_inside = true;
        break;
    case E1000_CONTINUES:
        break;
    case E1000_ENDS:
        card->receive_inside = false;
        net_drop(&card->net, NET_DROP_GIANT, 1);
        break;
    }
}

/* Returns: false if the card has not written the next one. */
static bool receive_one(struct e1000 *card)
{
    unsigned index = card->receive_next;
    struct e1000_receive_descriptor *desc = &card->received[index];
    /* acquire: the card writes DD last, so what it wrote before is there */
    uint8_t status = __atomic_load_n(&desc->status, __ATOMIC_ACQUIRE);
    if ((status & E1000_RX_DD) == 0)
        return false;
    receive(card, index, status);
    desc->status = 0;
    card->receive_next = (index + 1) % RECEIVE_COUNT;
    return true;
}

static unsigned e1000_poll(struct net_device *net, unsigned budget)
{
    struct e1000 *card = card_of(net);
    unsigned taken = 0;
    e1000_write(card, E1000_ICR, card->causes.receive);
    e1000_flush(card); /* it is cleared before the look, not after */
    while (taken < budget && receive_one(card))
        taken++;
    if (taken == 0)
        return 0;
    /* release: the descriptors are the card's again once it sees the tail; x86 keeps the order of
     * stores, uncached ones too (Intel SDM vol 3A, "Memory Ordering") */
    atomic_thread_fence(memory_order_release);
    e1000_write(card, E1000_RDT, (card->receive_next + RECEIVE_COUNT - 1) % RECEIVE_COUNT);
    return taken;
}

static void e1000_mask(struct net_device *net, bool masked)
{
    struct e1000 *card = card_of(net);
    e1000_write(card, masked ? E1000_IMC : E1000_IMS, card->causes.polled);
}

/* These registers are cleared by reading (SDM, "Statistics Registers"). */
static void e1000_collect(struct net_device *net)
{
    static const struct {
        unsigned reg;
        enum net_drop why;
    } counts[] = {
        {E1000_CRCERRS, NET_DROP_BAD}, {E1000_RXERRC, NET_DROP_BAD}, {E1000_MPC, NET_DROP_NO_ROOM},
        {E1000_RFC, NET_DROP_RUNT},    {E1000_ROC, NET_DROP_GIANT},  {E1000_RJC, NET_DROP_GIANT},
    };
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        net_drop(net, counts[i].why, e1000_read(card_of(net), counts[i].reg));
    net_undersized(net, e1000_read(card_of(net), E1000_RUC));
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Is there a descriptor to fill? Locks: caller holds send_lock. */
static bool has_room(struct e1000 *card)
{
    while (card->transmit_oldest != card->transmit_next) {
        uint8_t *status = &card->transmitted[card->transmit_oldest].status;
        if ((__atomic_load_n(status, __ATOMIC_ACQUIRE) & E1000_TX_DD) == 0)
            break;
        card->transmit_oldest = (card->transmit_oldest + 1) % TRANSMIT_COUNT;
    }
    return (card->transmit_next + 1) % TRANSMIT_COUNT != card->transmit_oldest;
}

/* Ask for an interrupt when a frame has gone, then look once more: it may have gone meanwhile.
 * Locks: caller holds send_lock. */
static bool has_room_after_all(struct e1000 *card)
{
    card->transmit_waits = true;
    e1000_write(card, E1000_IMS, card->causes.transmit);
    e1000_flush(card);
    return has_room(card);
}

/* Locks: caller holds send_lock. */
static void fill(struct e1000 *card, const void *frame, size_t length)
{
    unsigned index = card->transmit_next;
    struct e1000_transmit_descriptor *desc = &card->transmitted[index];
    memcpy(card->transmit_buffers + (size_t)index * E1000_BUFFER_BYTES, frame, length);
    desc->length = (uint16_t)length;
    desc->command = E1000_TX_EOP | E1000_TX_IFCS | E1000_TX_RS;
    desc->status = 0;
    card->transmit_next = (index + 1) % TRANSMIT_COUNT;
    atomic_thread_fence(memory_order_release); /* as in e1000_poll() */
    e1000_write(card, E1000_TDT, card->transmit_next);
}

static int e1000_send(struct net_device *net, const void *frame, size_t length)
{
    struct e1000 *card = card_of(net);
    uint64_t flags = spin_lock_irqsave(&card->send_lock);
    bool room = has_room(card) || has_room_after_all(card);
    if (room)
        fill(card, frame, length);
    spin_unlock_irqrestore(&card->send_lock, flags);
    return room ? 0 : -ENOSPC;
}

static bool e1000_link(struct net_device *net, unsigned *megabits)
{
    static const unsigned speeds[E1000_STATUS_SPEED_MASK + 1] = {10, 100, 1000, 1000};
    uint32_t status = e1000_read(card_of(net), E1000_STATUS);
    *megabits = speeds[status >> E1000_STATUS_SPEED_SHIFT & E1000_STATUS_SPEED_MASK];
    return (status & E1000_STATUS_LU) != 0;
}

static const struct net_device_ops ops = {
    .send = e1000_send,
    .poll = e1000_poll,
    .mask = e1000_mask,
    .link = e1000_link,
    .collect = e1000_collect,
};

/* ---- interrupts ------------------------------------------------------------------------------ */

static void transmit_interrupt(struct e1000 *card)
{
    spin_lock(&card->send_lock);
    bool wanted = card->transmit_waits;
    card->transmit_waits = false;
    if (wanted)
        e1000_write(card, E1000_IMC, card->causes.transmit);
    spin_unlock(&card->send_lock);
    if (wanted)
        net_transmit_room(&card->net);
}

/* The one handler of a line, or of a single message. */
static enum irq_result on_any(uint32_t irq, void *cookie)
{
    struct e1000 *card = cookie;
    const struct causes *causes = &card->causes;
    uint32_t came = e1000_read(card, E1000_ICR);
    (void)irq;
    if (came == ALL_CAUSES) /* nothing answers there any more */
        return IRQ_NONE;
    if (card->model->clears_icr_by_write)
        e1000_write(card, E1000_ICR, came);
    if ((came & (causes->receive | causes->transmit | causes->link)) == 0)
        return IRQ_NONE;
    if ((came & causes->receive) != 0)
        net_poll_schedule(&card->net);
    if ((came & causes->transmit) != 0)
        transmit_interrupt(card);
    if ((came & causes->link) != 0)
        net_link_changed(&card->net);
    return IRQ_HANDLED;
}

static enum irq_result on_receive(uint32_t irq, void *cookie)
{
    struct e1000 *card = cookie;
    (void)irq;
    e1000_write(card, E1000_ICR, card->causes.receive);
    net_poll_schedule(&card->net);
    return IRQ_HANDLED;
}

static enum irq_result on_transmit(uint32_t irq, void *cookie)
{
    struct e1000 *card = cookie;
    (void)irq;
    e1000_write(card, E1000_ICR, card->causes.transmit);
    transmit_interrupt(card);
    return IRQ_HANDLED;
}

static enum irq_result on_link(uint32_t irq, void *cookie)
{
    struct e1000 *card = cookie;
    (void)irq;
    e1000_write(card, E1000_ICR, card->causes.link);
    net_link_changed(&card->net);
    return IRQ_HANDLED;
}

static const struct {
    irq_handler *handler;
    const char *suffix;
} vectors[VECTORS] = {{on_receive, "-rx"}, {on_transmit, "-tx"}, {on_link, ""}};

/* Tell the card which causes to use, and in MSI-X mode which vectors they have. */
static void choose_causes(struct e1000 *card)
{
    if (pci_irq_kind(card->pci) != PCI_IRQ_MSIX) {
        const uint32_t receive = E1000_CAUSE_RXT0 | E1000_CAUSE_RXDMT0 | E1000_CAUSE_RXO;
        card->causes = (struct causes){
            .receive = receive,
            .transmit = E1000_CAUSE_TXDW,
            .link = E1000_CAUSE_LSC,
            .polled = receive,
        };
        return;
    }
    bool each = card->vectors == VECTORS;
    card->causes = (struct causes){
        .receive = E1000_CAUSE_RXQ0,
        .transmit = E1000_CAUSE_TXQ0,
        .link = E1000_CAUSE_OTHER | E1000_CAUSE_LSC | E1000_CAUSE_RXO,
        .polled = E1000_CAUSE_RXQ0 | E1000_CAUSE_OTHER,
    };
    e1000_write(card, E1000_IVAR,
                E1000_IVAR_VALID << E1000_IVAR_RXQ0_SHIFT |
                    (E1000_IVAR_VALID | (each ? 1u : 0u)) << E1000_IVAR_TXQ0_SHIFT |
                    (E1000_IVAR_VALID | (each ? 2u : 0u)) << E1000_IVAR_OTHER_SHIFT);
}

static void free_handlers(struct e1000 *card, unsigned count)
{
    while (count-- > 0)
        free_irq(pci_irq(card->pci, count), card);
}

/* Have up to `max` irqs, and their handlers. Returns: 0, or an error with nothing taken. */
static int take_some(struct e1000 *card, unsigned max)
{
    int got = pci_alloc_irqs(card->pci, 1, max);
    if (got < 0)
        return got;
    card->vectors = (unsigned)got == VECTORS ? VECTORS : 1;
    choose_causes(card);
    for (unsigned i = 0; i < card->vectors; i++) {
        bool alone = card->vectors == 1;
        snprintf(card->irq_names[i], IRQ_NAME_MAX, "%s%s", card->net.name,
                 alone ? "" : vectors[i].suffix);
        int error = request_irq(pci_irq(card->pci, i), alone ? on_any : vectors[i].handler,
                                pci_irq_flags(card->pci), card->irq_names[i], card);
        if (error != 0) {
            free_handlers(card, i);
            pci_free_irqs(card->pci);
            return error;
        }
    }
    return 0;
}

/* A vector for each kind of cause; where the cores have not so many left, one for all. */
static int take_interrupts(struct e1000 *card)
{
    int error = take_some(card, card->model->vectors);
    return error == -ENOSPC && card->vectors > 1 ? take_some(card, 1) : error;
}

/* ---- bringing it up -------------------------------------------------------------------------- */

/* Returns: 0, -EIO (it does not come out of the reset). */
static int reset(struct e1000 *card)
{
    e1000_write(card, E1000_IMC, ALL_CAUSES);
    e1000_write(card, E1000_RCTL, 0);
    e1000_write(card, E1000_TCTL, 0);
    e1000_flush(card);
    e1000_write(card, E1000_CTRL, e1000_read(card, E1000_CTRL) | E1000_CTRL_RST);
    unsigned waited_us = 0;
    do {
        arch_udelay(RESET_STEP_US); /* the registers may not be touched at once */
        waited_us += RESET_STEP_US;
    } while ((e1000_read(card, E1000_CTRL) & E1000_CTRL_RST) != 0 && waited_us < RESET_US);
    if ((e1000_read(card, E1000_CTRL) & E1000_CTRL_RST) != 0)
        return -EIO;
    e1000_write(card, E1000_IMC, ALL_CAUSES);
    e1000_write(card, E1000_ICR, e1000_read(card, E1000_ICR));
    return 0;
}

/* Returns: the word, or -EIO (the EEPROM did not answer). */
static int eeprom_word(struct e1000 *card, unsigned word)
{
    e1000_write(card, E1000_EERD, E1000_EERD_START | word << card->model->eeprom_shift);
    for (unsigned waited_us = 0; waited_us < EEPROM_US; waited_us += EEPROM_STEP_US) {
        uint32_t value = e1000_read(card, E1000_EERD);
        if ((value & card->model->eeprom_done) != 0)
            return (int)(value >> E1000_EERD_DATA_SHIFT);
        arch_udelay(EEPROM_STEP_US);
    }
    return -EIO;
}

/* From the EEPROM's first three words, or else from the receive address that the reset left. */
static int read_address(struct e1000 *card)
{
    uint8_t *address = card->net.address;
    for (unsigned i = 0; i < NET_ADDRESS_BYTES / 2; i++) {
        int word = eeprom_word(card, i);
        address[2 * i] = word < 0 ? 0 : (uint8_t)word;
        address[2 * i + 1] = word < 0 ? 0 : (uint8_t)(word >> 8);
    }
    if (e1000_address_ok(address))
        return 0;
    uint64_t both = e1000_read(card, E1000_RAL) | (uint64_t)e1000_read(card, E1000_RAH) << 32;
    for (unsigned i = 0; i < NET_ADDRESS_BYTES; i++)
        address[i] = (uint8_t)(both >> 8 * i);
    return e1000_address_ok(address) ? 0 : -EIO;
}

static void free_rings(struct e1000 *card)
{
    page_free_one(card->received);
    if (card->receive_buffers != NULL)
        page_free(arch_direct_to_phys(card->receive_buffers), RECEIVE_ORDER);
    if (card->transmit_buffers != NULL)
        page_free(arch_direct_to_phys(card->transmit_buffers), TRANSMIT_ORDER);
}

static void *alloc_buffers(unsigned order)
{
    paddr_t pa = page_alloc(order, ALLOC_KERNEL | ALLOC_ZERO);
    return pa == PADDR_NONE ? NULL : arch_direct(pa);
}

/* Returns: 0, -ENOMEM with nothing taken. */
static int alloc_rings(struct e1000 *card)
{
    card->received = page_alloc_one(ALLOC_KERNEL | ALLOC_ZERO);
    card->receive_buffers = alloc_buffers(RECEIVE_ORDER);
    card->transmit_buffers = alloc_buffers(TRANSMIT_ORDER);
    if (card->received == NULL || card->receive_buffers == NULL || card->transmit_buffers == NULL) {
        free_rings(card);
        return -ENOMEM;
    }
    card->transmitted = (void *)((uint8_t *)card->received + TRANSMIT_AT);
    for (unsigned i = 0; i < RECEIVE_COUNT; i++)
        card->received[i].address = arch_direct_to_phys(receive_buffer(card, i));
    for (unsigned i = 0; i < TRANSMIT_COUNT; i++)
        card->transmitted[i].address =
            arch_direct_to_phys(card->transmit_buffers + (size_t)i * E1000_BUFFER_BYTES);
    return 0;
}

/* Source: SDM, "Receive Initialization" */
static void start_receiving(struct e1000 *card)
{
    paddr_t ring = arch_direct_to_phys(card->received);
    for (unsigned i = 0; i < E1000_MTA_ENTRIES; i++)
        e1000_write(card, E1000_MTA + i * (unsigned)sizeof(uint32_t), 0);
    e1000_write(card, E1000_RDBAL, (uint32_t)ring);
    e1000_write(card, E1000_RDBAH, (uint32_t)(ring >> 32));
    e1000_write(card, E1000_RDLEN, RECEIVE_COUNT * sizeof(struct e1000_receive_descriptor));
    e1000_write(card, E1000_RDH, 0);
    e1000_write(card, E1000_RDT, 0);
    /* Everything on the wire: no call tells the card what programs want to hear, and whether an IP
     * packet is whole is theirs to say (the 82574 begins with both checks on). */
    e1000_write(card, E1000_RXCSUM, 0);
    if (card->model->notices_tcp)
        e1000_write(card, E1000_RFCTL, E1000_RFCTL_ACKDIS);
    e1000_write(card, E1000_RCTL,
                E1000_RCTL_EN | E1000_RCTL_UPE | E1000_RCTL_MPE | E1000_RCTL_BAM |
                    E1000_RCTL_SECRC);
    e1000_write(card, E1000_RDT, RECEIVE_COUNT - 1);
}

/* Source: SDM, "Transmit Initialization" */
static void start_sending(struct e1000 *card)
{
    paddr_t ring = arch_direct_to_phys(card->transmitted);
    e1000_write(card, E1000_TDBAL, (uint32_t)ring);
    e1000_write(card, E1000_TDBAH, (uint32_t)(ring >> 32));
    e1000_write(card, E1000_TDLEN, TRANSMIT_COUNT * sizeof(struct e1000_transmit_descriptor));
    e1000_write(card, E1000_TDH, 0);
    e1000_write(card, E1000_TDT, 0);
    e1000_write(card, E1000_TIPG, E1000_TIPG_COPPER);
    e1000_write(card, E1000_TCTL,
                E1000_TCTL_EN | E1000_TCTL_PSP | E1000_COLLISION_THRESHOLD << E1000_TCTL_CT_SHIFT |
                    E1000_COLLISION_DISTANCE << E1000_TCTL_COLD_SHIFT);
}

static void start(struct e1000 *card)
{
    const uint32_t off = E1000_CTRL_LRST | E1000_CTRL_ILOS | E1000_CTRL_FRCSPD | E1000_CTRL_FRCDPX;
    e1000_write(card, E1000_ITR, 0);
    /* before there can be a frame: with a shared line it may be found, and its poll begin, at any
     * time, and what the poll has masked is not to be opened here */
    e1000_write(card, E1000_IMS, card->causes.receive | card->causes.link);
    start_receiving(card);
    start_sending(card);
    e1000_write(card, E1000_CTRL,
                (e1000_read(card, E1000_CTRL) & ~off) | E1000_CTRL_SLU | E1000_CTRL_ASDE);
    net_link_look(&card->net);
}

static const struct e1000_model *model_of(const struct pci_device *pci)
{
    size_t i = 0;
    while (models[i].device_id != pci->device_id) /* one is: see `ids` */
        i++;
    return &models[i];
}

/* Returns: NULL, or what is wrong; nothing is taken then. */
static const char *bring_up(struct e1000 *card)
{
    if (card->pci->bars[0].bytes < REGISTERS_BYTES)
        return "too few registers";
    card->regs = pci_map_bar(card->pci, 0);
    if (card->regs == NULL)
        return "no registers";
    if (reset(card) != 0)
        return "it does not come out of its reset";
    if (read_address(card) != 0)
        return "it has no address";
    if (alloc_rings(card) != 0)
        return "no memory for its rings";
    if (net_device_register(&card->net) != 0) {
        free_rings(card);
        return "there are too many network cards";
    }
    if (take_interrupts(card) != 0) {
        net_device_unregister(&card->net);
        free_rings(card);
        return "it cannot interrupt";
    }
    return NULL;
}

static int e1000_probe(struct pci_device *pci)
{
    char place[PCI_NAME_BYTES];
    struct e1000 *card = heap_alloc(sizeof(*card), ALLOC_KERNEL | ALLOC_ZERO);
    if (card == NULL)
        return -ENOMEM;
    card->pci = pci;
    card->model = model_of(pci);
    card->net.ops = &ops;
    card->net.driver = "e1000";
    card->send_lock = (struct spinlock)SPINLOCK(RANK_NET_SEND, "e1000 send");
    const char *trouble = bring_up(card);
    if (trouble != NULL) {
        log_err("%s: e1000: %s: the card is left alone", pci_name(pci, place), trouble);
        heap_free(card);
        return -EIO;
    }
    const uint8_t *a = card->net.address;
    log_info("%s: e1000: %s is an %s, address %02x:%02x:%02x:%02x:%02x:%02x", pci_name(pci, place),
             card->net.name, card->model->name, a[0], a[1], a[2], a[3], a[4], a[5]);
    pci_enable_bus_master(pci);
    start(card);
    return 0;
}

void e1000_register(void)
{
    static const struct pci_id ids[] = {PCI_ID(0x8086, 0x100e), PCI_ID(0x8086, 0x100f),
                                        PCI_ID(0x8086, 0x10d3)};
    static struct pci_driver driver = {
        .name = "e1000",
        .ids = ids,
        .id_count = sizeof(ids) / sizeof(ids[0]),
        .probe = e1000_probe,
    };
    pci_register_driver(&driver);
}
