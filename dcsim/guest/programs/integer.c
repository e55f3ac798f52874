// Sorts a list, multiplies matrices, scans text and sums it all up. iterations= seed=
//
// The mix is that of common embedded benchmarks: pointer-heavy, arithmetic-heavy, branch-heavy code
// in a few KiB, each part checked by a CRC that seeds the next.
#include "guest.h"

#define NODES 64
#define SIDE 16
#define TEXT_BYTES 256

// CRC-32 with the reflected polynomial 0xedb88320, bit by bit: no tables, many branches.
static uint32_t crc_word(uint32_t crc, uint32_t word) {
    crc ^= word;
    for (int bit = 0; bit < 32; bit++)
        crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    return crc;
}

// ---- a linked list ----

struct node {
    struct node *next;
    uint32_t key;
};

static struct node nodes[NODES];

static struct node *make_list(uint32_t seed) {
    for (int i = 0; i < NODES; i++) {
        seed = seed * 1664525 + 1013904223;
        nodes[i].key = seed >> 16;
        nodes[i].next = i + 1 < NODES ? &nodes[i + 1] : NULL;
    }
    return nodes;
}

static struct node *merge(struct node *left, struct node *right) {
    struct node head, *tail = &head;
    while (left && right) {
        struct node **smaller = right->key < left->key ? &right : &left;
        tail = tail->next = *smaller;
        *smaller = (*smaller)->next;
    }
    tail->next = left ? left : right;
    return head.next;
}

// Sorts the first `count` nodes; the list ends behind them.
static struct node *sort(struct node *list, int count) {
    if (count == 1) {
        list->next = NULL;
        return list;
    }
    struct node *middle = list;
    for (int i = 0; i < count / 2; i++)
        middle = middle->next;
    struct node *right = sort(middle, count - count / 2);
    return merge(sort(list, count / 2), right);
}

static uint32_t list_work(uint32_t crc) {
    for (struct node *node = sort(make_list(crc), NODES); node; node = node->next)
        crc = crc_word(crc, node->key);
    return crc;
}

// ---- matrices ----

static uint32_t left[SIDE][SIDE], right[SIDE][SIDE];

static void fill_matrices(uint32_t seed) {
    for (uint32_t i = 0; i < SIDE; i++) {
        for (uint32_t j = 0; j < SIDE; j++) {
            left[i][j] = (seed + i * SIDE + j) & 0xffff;
            right[i][j] = (seed ^ (i + j * SIDE)) & 0xffff;
        }
    }
}

static uint32_t matrix_work(uint32_t crc) {
    fill_matrices(crc);
    uint32_t trace = 0;
    for (int i = 0; i < SIDE; i++) {
        for (int j = 0; j < SIDE; j++) {
            uint32_t sum = 0;
            for (int k = 0; k < SIDE; k++)
                sum += left[i][k] * right[k][j];
            trace = (trace << 1 | trace >> 31) ^ sum;
        }
    }
    return crc_word(crc, trace);
}

// ---- text ----

enum state { BETWEEN, INTEGER, FRACTION, WORD, STATES };

static char text[TEXT_BYTES];

static void make_text(uint32_t seed) {
    for (int i = 0; i < TEXT_BYTES; i++) {
        seed = seed * 1664525 + 1013904223;
        text[i] = "0123456789.. ,ab"[seed >> 28];
    }
}

// The state after one more character: numbers may have one point, anything else makes a word.
static enum state next_state(enum state state, char character) {
    if (character == ' ' || character == ',')
        return BETWEEN;
    if (state == WORD || character >= 'a')
        return WORD;
    if (character == '.')
        return state == FRACTION ? WORD : FRACTION;
    return state == BETWEEN ? INTEGER : state;
}

static uint32_t text_work(uint32_t crc) {
    uint32_t visits[STATES] = {0};
    enum state state = BETWEEN;
    make_text(crc);
    for (int i = 0; i < TEXT_BYTES; i++) {
        state = next_state(state, text[i]);
        visits[state]++;
    }
    for (int i = 0; i < STATES; i++)
        crc = crc_word(crc, visits[i]);
    return crc;
}

int main(int argc, char **argv) {
    uint64_t iterations = argument(argc, argv, "iterations", 100);
    uint32_t crc = (uint32_t)argument(argc, argv, "seed", 1);
    for (uint64_t i = 0; i < iterations; i++)
        crc = text_work(matrix_work(list_work(crc)));
    print("result integer iterations=%lu crc=%08x\n", iterations, crc);
    return 0;
}
