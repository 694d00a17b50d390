/* rig: a segment of a test's own, and rows of instances in it. */
#pragma once
#include "../unit.h"
#include "shm/segment.h"
#include <unistd.h>

static segment_t *segment;

__attribute__((unused)) static int make(void **state)
{
    int fd;
    (void)state;
    segment = segment_create(&fd);
    return segment == NULL ? -1 : close(fd);
}

__attribute__((unused)) static int leave(void **state)
{
    (void)state;
    segment_detach(&segment);
    return 0;
}

/* An instance in that slot, with a generation of its own. */
__attribute__((unused)) static segment_instance_t *start(int slot, enum instance_state state)
{
    segment_instance_t *row = segment_instance(segment, slot);
    atomic_store(&row->used, 1);
    atomic_store(&row->generation, segment_next_generation(segment));
    atomic_store(&row->state, state);
    return row;
}
