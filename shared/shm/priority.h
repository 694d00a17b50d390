/* priority: how a process that keeps a processor busy for long gives way to all others. */
#pragma once

/* Once, before the process makes itself undumpable, for then its files in /proc are root's. */
void priority_prepare(void);

/* Weighs this process less than others, by nice(2)'s scale, and lets whoever wakes up run before the calling thread at once. It still
 * gets on when all processors are busy. What the kernel does not let it do is a line in the log, and it goes on with its usual
 * priority. Once, when its start is over, for somebody waits for that. */
void priority_lower(int nice);
