/* demo_random: the dice of the demo data. Each person and thing has dice of its own, thrown by what it is and its number, so
 * that it comes out the same whatever else is generated. Integers only: no machine rounds otherwise. */
#pragma once
#include "../base/uuid.h"

typedef struct {
    uint64_t state;
} dice_t;

/* The dice of thing number `index` of a kind: dice_of("child", 12). */
dice_t dice_of(const char *kind, uint64_t index);
uint64_t dice_bits(dice_t *);
/* Between low and high, both included. */
int dice_range(dice_t *, int low, int high);
/* True so many times in a thousand. */
bool dice_chance(dice_t *, int per_mille);
/* Normally distributed with deviation 1000, cut at ±2400. */
int dice_normal(dice_t *);
/* A UUIDv7 of that millisecond. */
uuid_t dice_uuid(dice_t *, int64_t microseconds);
