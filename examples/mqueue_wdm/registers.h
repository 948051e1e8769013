/* The driver's side of the card's data sheet: where the registers are, and what their bits mean. */
#ifndef REGISTERS_H
#define REGISTERS_H

#define CONTROL 0x004
#define CAPABILITY 0x008
#define ERROR_REGISTER 0x010
#define ADMIN_VECTOR 0x014
#define STATUS(word) (0x100 + 4 * (word)) /* a word for every 32 sources */
#define MASK_SET(word) (0x200 + 4 * (word))

#define VECTOR_ARM(v) (0x1000 + 16 * (v) + 0x4)

#define QUEUE_BASE_LOW(q) (0x9000 + 32 * (q) + 0x00)
#define QUEUE_BASE_HIGH(q) (0x9000 + 32 * (q) + 0x04)
#define QUEUE_RING_SIZE(q) (0x9000 + 32 * (q) + 0x08)
#define QUEUE_VECTOR(q) (0x9000 + 32 * (q) + 0x0C)
#define QUEUE_CONTROL(q) (0x9000 + 32 * (q) + 0x10)
#define QUEUE_DOORBELL(q) (0x9000 + 32 * (q) + 0x14)

#define RESET 1
#define ENABLE 1
#define ARM 1
#define ERROR_VALID 0x80000000
#define ALL_ONES 0xFFFFFFFF /* what a card that is gone reads */
#define CAPABILITY_QUEUES 0xFFF

typedef struct ENTRY {
    ULONG Sequence;
    ULONG Tag;
    USHORT Queue;
    USHORT Status;
    ULONG Phase; /* bit 0: 1 on the first pass over the ring, 0 on the next, and so on */
} ENTRY;

C_ASSERT(sizeof(ENTRY) == 16);

#endif
