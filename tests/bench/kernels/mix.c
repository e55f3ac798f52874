// A mix like CoreMark's: linked list, small matrices, a state machine over text, and a CRC.

#include "harness.h"

enum { NODES = 64, SIDE = 12, TEXT = 256 };

typedef struct node {
    struct node *next;
    int value;
} node;

static node nodes[NODES];
static int left[SIDE][SIDE], right[SIDE][SIDE], product[SIDE][SIDE];
static u8 text[TEXT];

static u32 crc16(u32 crc, u32 value) {
    for (int bit = 0; bit < 16; bit++, value >>= 1) {
        u32 low = (crc ^ value) & 1;
        crc >>= 1;
        if (low) crc ^= 0xa001;
    }
    return crc;
}

static node *build_list(u32 seed) {
    for (int i = 0; i < NODES; i++) {
        seed = seed * 1103515245 + 12345;
        nodes[i].value = (int)(seed >> 16 & 0x7fff);
        nodes[i].next = i + 1 < NODES ? &nodes[i + 1] : 0;
    }
    return nodes;
}

static node *reverse(node *list) {
    node *result = 0;
    while (list) {
        node *next = list->next;
        list->next = result;
        result = list;
        list = next;
    }
    return result;
}

static node *merge(node *a, node *b) {
    node head, *tail = &head;
    while (a && b) {
        node **least = a->value <= b->value ? &a : &b;
        tail->next = *least;
        tail = *least;
        *least = (*least)->next;
    }
    tail->next = a ? a : b;
    return head.next;
}

static node *sort(node *list) {
    if (!list || !list->next) return list;
    node *slow = list, *fast = list->next;
    while (fast && fast->next) slow = slow->next, fast = fast->next->next;
    node *half = slow->next;
    slow->next = 0;
    return merge(sort(list), sort(half));
}

static u32 list_work(u32 seed, u32 crc) {
    node *list = sort(reverse(build_list(seed)));
    for (; list; list = list->next) crc = crc16(crc, (u32)list->value);
    return crc;
}

static u32 matrix_work(u32 seed, u32 crc) {
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            left[i][j] = (int)(seed + (u32)(i * j)) & 0xff;
            right[i][j] = (int)(seed ^ (u32)(i + j)) & 0xff;
        }
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            int sum = 0;
            for (int k = 0; k < SIDE; k++) sum += left[i][k] * right[k][j];
            product[i][j] = sum;
        }
    for (int i = 0; i < SIDE; i++) crc = crc16(crc, (u32)product[i][i]);
    return crc;
}

// Counts the numbers, words and other tokens of the text.
static u32 state_work(u32 seed, u32 crc) {
    static const u8 alphabet[16] = "0123,abc x.-+e9";
    u32 counts[4] = {0}, state = 0;
    for (int i = 0; i < TEXT; i++) {
        seed = seed * 69069 + 1;
        text[i] = alphabet[seed >> 24 & 15];
    }
    for (int i = 0; i < TEXT; i++) {
        u8 c = text[i];
        switch (state) {
        case 0: state = c >= '0' && c <= '9' ? 1 : c >= 'a' && c <= 'z' ? 2 : 3; break;
        case 1: state = c >= '0' && c <= '9' ? 1 : c == '.' || c == 'e' ? 1 : 0; break;
        case 2: state = c >= 'a' && c <= 'z' ? 2 : 0; break;
        default: state = 0;
        }
        counts[state]++;
    }
    for (int i = 0; i < 4; i++) crc = crc16(crc, counts[i]);
    return crc;
}

u64 kernel(u64 repeat) {
    u32 crc = 0xffff;
    for (u64 i = 0; i < repeat * 8; i++) {
        crc = list_work((u32)i, crc);
        crc = matrix_work((u32)i, crc);
        crc = state_work((u32)i, crc);
    }
    return crc;
}
