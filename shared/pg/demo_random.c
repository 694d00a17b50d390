/* demo_random: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). */
#include "demo_random.h"
#include "../base/panic.h"

static const uint64_t golden_gamma = UINT64_C(0x9e3779b97f4a7c15);

uint64_t dice_bits(dice_t *dice)
{
    uint64_t mixed = dice->state += golden_gamma;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

dice_t dice_of(const char *kind, uint64_t index)
{
    dice_t dice = {.state = index};
    for (; *kind; kind++)
        dice.state = dice_bits(&dice) ^ (unsigned char)*kind;
    return dice;
}

int dice_range(dice_t *dice, int low, int high)
{
    insist(low <= high);
    return low + (int)((dice_bits(dice) >> 33) % (uint64_t)(high - low + 1));
}

bool dice_chance(dice_t *dice, int per_mille)
{
    return dice_range(dice, 0, 999) < per_mille;
}

int dice_normal(dice_t *dice)
{
    /* Twelve even throws of 0…1000 have the deviation 1000 (Irwin-Hall). */
    int sum = -6000;
    for (int i = 0; i < 12; i++)
        sum += dice_range(dice, 0, 1000);
    return sum > 2400 ? 2400 : sum < -2400 ? -2400 : sum;
}

uuid_t dice_uuid(dice_t *dice, int64_t microseconds)
{
    uuid_t id;
    uint64_t milliseconds = (uint64_t)(microseconds / 1000), high = dice_bits(dice), low = dice_bits(dice);
    for (int i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)(milliseconds >> (40 - 8 * i));
    id.bytes[6] = (uint8_t)(0x70 | (high & 0x0f));
    id.bytes[7] = (uint8_t)(high >> 8);
    for (int i = 0; i < 8; i++)
        id.bytes[8 + i] = (uint8_t)(low >> (8 * i));
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f));
    return id;
}
