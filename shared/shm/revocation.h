/* revocation: not-before times of sessions and users, in shared memory. A token issued before its session's or its user's
 * time is refused from the next request on. Entries matter only while such tokens could live (auth.access_lifetime), so the
 * table is small; when a set is full of entries that still matter, the global time is raised instead: everybody refreshes,
 * nobody slips through. */
#pragma once
#include "segment.h"

/* Tokens of this session or user issued before `not_before` (microseconds) are refused; forgotten after `until`.
 * Called before the transaction commits: a token refused too early is refreshed, one refused too late is a hole. */
void revocation_set(segment_t *, uuid_t subject, int64_t not_before, int64_t until);
/* The session's, the user's or the global not-before time, whichever is latest; 0: none. */
int64_t revocation_not_before(segment_t *, uuid_t session, uuid_t user, int64_t now);
/* The session's alone: it is over for good, whatever token comes. */
bool revocation_ended(segment_t *, uuid_t session, int64_t now);
/* Grows with each change: a cache of verified tokens is good for the version it was filled under. */
uint64_t revocation_version(const segment_t *);
