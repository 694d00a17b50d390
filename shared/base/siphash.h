/* siphash: SipHash-2-4 (Aumasson and Bernstein, 2012), a keyed hash of 64 bits for tables: who does not know
 * the key cannot aim at a place in them. Not for signatures. */
#pragma once
#include "text.h"

enum { SIPHASH_KEY_SIZE = 16 };

uint64_t siphash(const uint8_t key[static SIPHASH_KEY_SIZE], const void *data, size_t length);
/* The same with 128 bits, for names that must not meet (SipHash-2-4-128 of the authors' reference code). */
void siphash_128(const uint8_t key[static SIPHASH_KEY_SIZE], const void *data, size_t length, uint64_t out[static 2]);
