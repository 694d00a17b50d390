/* priority: how a process that keeps a processor busy for long gives way to all others, and how one that answers in a moment gets there. */
#pragma once

/* Once, before there are threads: whoever answers others runs for a moment and waits again, so each turn is given it sooner, and is
 * shorter. Its share of a busy processor stays the same. Does nothing where the kernel knows no such thing (before Linux 6.12). */
void priority_prompt(void);

/* Once, before the process makes itself undumpable, for then its files in /proc are root's. */
void priority_prepare(void);

/* Weighs this process less than others, by nice(2)'s scale, and lets whoever wakes up run before the calling thread at once. It still
 * gets on when all processors are busy. What the kernel does not let it do is a line in the log, and it goes on with its usual
 * priority. Once, when its start is over, for somebody waits for that. */
void priority_lower(int nice);
