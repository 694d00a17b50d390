/* matcher: a tree of segments whose edges live in one open-addressed hash table. Node 0 is the root. */
#include "matcher.h"
#include "base/memory.h"
#include "base/panic.h"
#include <stdlib.h>

enum { NODES_MAX = 4096, EDGES_SIZE = 8192 /* a power of two, above NODES_MAX */ };

typedef struct {
    text_t segment;
    uint32_t hash;
    uint16_t parent, child; /* child 0: a free place */
} edge_t;

typedef struct {
    uint64_t lengths; /* bit n: a static segment of n bytes follows; 63: of 63 and more */
    uint16_t param;   /* node behind a :parameter, 0: none */
    void *value;
} node_t;

struct matcher {
    edge_t *edges;
    node_t *nodes;
    int node_count, node_capacity;
};

matcher_t *matcher_create(void)
{
    matcher_t *matcher = memory_zeroed(1, sizeof(*matcher));
    matcher->edges = memory_zeroed(EDGES_SIZE, sizeof(edge_t));
    matcher->node_capacity = 64;
    matcher->nodes = memory_zeroed((size_t)matcher->node_capacity, sizeof(node_t));
    matcher->node_count = 1;
    return matcher;
}

void matcher_destroy(matcher_t **matcher)
{
    if (*matcher == NULL)
        return;
    free((*matcher)->edges);
    free((*matcher)->nodes);
    free(*matcher);
    *matcher = NULL;
}

static uint32_t segment_hash(uint16_t parent, text_t segment)
{
    uint32_t hash = 2166136261u ^ parent * 2654435761u;
    for (size_t i = 0; i < segment.length; i++)
        hash = (hash ^ (uint8_t)segment.data[i]) * 16777619u;
    return hash ^ hash >> 15;
}

static edge_t *edge_find(const matcher_t *matcher, uint16_t parent, text_t segment)
{
    uint32_t hash = segment_hash(parent, segment);
    for (uint32_t i = hash;; i++) {
        edge_t *edge = &matcher->edges[i & (EDGES_SIZE - 1)];
        if (edge->child == 0 ||
            (edge->hash == hash && edge->parent == parent && text_equal(edge->segment, segment)))
            return edge;
    }
}

static uint64_t length_bit(size_t length)
{
    return UINT64_C(1) << (length < 63 ? length : 63);
}

static uint16_t node_add(matcher_t *matcher)
{
    if (matcher->node_count == NODES_MAX)
        panic("more path segments than NODES_MAX");
    if (matcher->node_count == matcher->node_capacity) {
        matcher->node_capacity *= 2;
        matcher->nodes = memory_resize(matcher->nodes, (size_t)matcher->node_capacity * sizeof(node_t));
    }
    matcher->nodes[matcher->node_count] = (node_t){0};
    return (uint16_t)matcher->node_count++;
}

static uint16_t child_make(matcher_t *matcher, uint16_t parent, text_t segment)
{
    if (segment.data[0] == ':') {
        if (matcher->nodes[parent].param == 0) {
            uint16_t child = node_add(matcher); /* may move the nodes */
            matcher->nodes[parent].param = child;
        }
        return matcher->nodes[parent].param;
    }
    edge_t *edge = edge_find(matcher, parent, segment);
    if (edge->child == 0) {
        *edge = (edge_t){.segment = segment,
            .hash = segment_hash(parent, segment),
            .parent = parent,
            .child = node_add(matcher)};
        matcher->nodes[parent].lengths |= length_bit(segment.length);
    }
    return edge->child;
}

/* Cuts the next segment off *rest, which begins with "/"; false when it does not, or when the segment is
 * empty. */
static inline bool segment_take(text_t *rest, text_t *segment)
{
    if (rest->length < 2 || rest->data[0] != '/')
        return false;
    const char *begin = rest->data + 1;
    const char *end = memchr(begin, '/', rest->length - 1);
    segment->data = begin;
    segment->length = end ? (size_t)(end - begin) : rest->length - 1;
    rest->data += 1 + segment->length;
    rest->length -= 1 + segment->length;
    return segment->length > 0;
}

void **matcher_place(matcher_t *matcher, const char *path)
{
    text_t rest = text_of(path), segment;
    uint16_t node = 0;
    int segments = 0, params = 0;
    while (rest.length > 0) {
        if (!segment_take(&rest, &segment) || ++segments > MATCH_PATH_SEGMENTS)
            panic("route path %s: empty segment, or too many", path);
        if (segment.data[0] == ':' && (segment.length == 1 || ++params > MATCH_PARAMS_MAX))
            panic("route path %s: a parameter without a name, or too many", path);
        node = child_make(matcher, node, segment);
    }
    if (segments == 0)
        panic("an empty route path");
    return &matcher->nodes[node].value;
}

static bool is_dots(text_t segment)
{
    return segment.data[0] == '.' && (segment.length == 1 || (segment.length == 2 && segment.data[1] == '.'));
}

void matcher_find(const matcher_t *matcher, text_t path, match_t *out)
{
    out->value = NULL;
    out->param_count = 0;
    uint16_t at = 0;
    text_t segment;
    while (path.length > 0) {
        if (!segment_take(&path, &segment) || is_dots(segment))
            return;
        const node_t *node = &matcher->nodes[at];
        at = node->lengths & length_bit(segment.length) ? edge_find(matcher, at, segment)->child : 0;
        if (at == 0) {
            if (node->param == 0)
                return;
            out->params[out->param_count++] = segment;
            at = node->param;
        }
    }
    out->value = matcher->nodes[at].value;
}
