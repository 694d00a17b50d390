/* coroutine: handlers that read straight down (architecture.md, rule 2). Only coroutine.c switches stacks: boost-context's
 * C ABI, a guard page below each stack, annotated for AddressSanitizer and valgrind, pooled, counted and bounded. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

typedef struct coroutine coroutine_t;

/* At most `maximum` at a time, each with a stack of `stack_bytes` (rounded up to pages). Call once. */
void coroutine_configure(size_t maximum, size_t stack_bytes);
/* False when `maximum` of them are alive: leave the work in its queue. */
bool coroutine_available(void);
/* Runs entry(argument) on a stack of its own until it first suspends or returns. Not from inside a coroutine. */
void coroutine_start(void (*entry)(void *argument), void *argument);
/* The running coroutine; NULL outside of any. */
coroutine_t *coroutine_current(void);
/* Back to whoever started or resumed this one; returns when coroutine_resume is called. Inside a coroutine only. */
void coroutine_suspend(void);
/* Goes on with a suspended one. Not from inside a coroutine. */
void coroutine_resume(coroutine_t *);
/* How many are alive. */
size_t coroutine_count(void);
/* The most of a stack that any of them has ever touched, in bytes, by the page; deeper use of the same page does not show. */
size_t coroutine_stack_peak(void);
