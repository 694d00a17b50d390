/* message: one field list gives a struct, its validation, msgpack both ways, JSON, the reading of database rows and OpenAPI.
 *
 *     #define CHILD_CREATE(FIELD)                                                    \
 *         FIELD(text, name, .required = true, .min = 1, .max = 50)                   \
 *         FIELD(date, birth_date, .required = true)                                  \
 *         FIELD(choice, gender, .required = true, .names = gender_names)             \
 *         FIELD(decimal, birth_weight, .scale = 3, .min = 300, .max = 8000)
 *     MESSAGE(child_create, CHILD_CREATE)
 *
 * gives child_create_t with members name, birth_date …, and the descriptor child_create_message. Each member takes a slot of
 * 16 bytes after the head, so member i stands at 16·(i+1) and no offset is ever written down. */
#pragma once
#include "../base/memory.h"
#include "../base/uuid.h"

enum field_type {
    FIELD_text,    /* text_t, UTF-8; min and max count characters */
    FIELD_integer, /* int64_t; min and max are values */
    FIELD_boolean, /* bool */
    FIELD_decimal, /* int64_t in units of 10^-scale; min and max in these units; a JSON number */
    FIELD_date,    /* int32_t, days since 1970-01-01; "2025-03-20" */
    FIELD_time,    /* int64_t, microseconds since 1970; RFC 3339 */
    FIELD_uuid,    /* uuid_t */
    FIELD_choice,  /* int, index in names */
    FIELD_json,    /* text_t, JSON text that is passed on as it is (jsonb), max bytes of it; with .message: a list of these;
                      with .scalar: a boolean, a whole number or a text, which clients may send too */
    FIELD_bytes,   /* text_t, msgpack bin; never in JSON */
    FIELD_object,  /* const void *, a struct of .message */
    FIELD_list,    /* list_t of structs of .message */
    FIELD_TYPES
};

/* Checks beyond length, with their OpenAPI format or pattern. */
enum text_format {
    FORMAT_NONE,
    FORMAT_EMAIL,
    FORMAT_PHONE,    /* digits, spaces and hyphens, may begin with +; 8 to 15 digits */
    FORMAT_PASSWORD, /* 8 to 72 bytes (product.md, section 3): bcrypt reads no more */
    FORMAT_SLUG,     /* a-z, 0-9, - */
    FORMAT_LINE,     /* no control characters: a name, a title */
    FORMAT_TOKEN,    /* printable ASCII without white space */
};

struct message;
typedef struct {
    const char *name;
    const char *key;           /* as it stands in JSON: "name": */
    size_t name_length;
    enum field_type type;
    bool required;             /* input: must be there and not null */
    bool nullable;             /* input: null clears (PATCH); output: may be null */
    int64_t min, max;          /* both 0: no bound; max below min: no upper one */
    int scale;                 /* decimal: digits after the point */
    enum text_format format;   /* text */
    const char *const *names;  /* choice: NULL-terminated */
    const struct message *message; /* object, list, json */
    bool scalar;               /* json: one value, no list and no object; max counts a text's characters */
    const char *sealed;        /* text kept encrypted in this table ("children.children"): opened when a row is read. Needs a
                                  member `id`, the row's. Such a message cannot be cached. */
    bool secret;               /* never logged, writeOnly in OpenAPI */
    const char *meaning;       /* OpenAPI description, English */
} field_t;

typedef struct message {
    const char *name;
    const field_t *fields;
    int count;
    size_t size;     /* of the struct */
    bool positional; /* msgpack array by position (envelopes) instead of map by name */
    bool bare;       /* its only field stands alone, without a name: ["a", "b"] is a list of these */
} message_t;

/* The head of every message's struct. */
typedef struct {
    uint64_t given; /* bit i: field i was there with a value */
    uint64_t null;  /* bit i: field i was there as null */
} message_head_t;

typedef struct {
    const void *items; /* structs of the field's message, one after the other */
    size_t count;
} list_t;

enum { MESSAGE_SLOT = 16, MESSAGE_FIELDS_MAX = 64 };

#define MESSAGE_C_text text_t
#define MESSAGE_C_integer int64_t
#define MESSAGE_C_boolean bool
#define MESSAGE_C_decimal int64_t
#define MESSAGE_C_date int32_t
#define MESSAGE_C_time int64_t
#define MESSAGE_C_uuid uuid_t
#define MESSAGE_C_choice int
#define MESSAGE_C_json text_t
#define MESSAGE_C_bytes text_t
#define MESSAGE_C_object const void *
#define MESSAGE_C_list list_t

#define MESSAGE_MEMBER(ftype, fname, ...) _Alignas(MESSAGE_SLOT) MESSAGE_C_##ftype fname;
#define MESSAGE_ROW(ftype, fname, ...)                                                                             \
    {.name = #fname, .key = "\"" #fname "\":", .name_length = sizeof(#fname) - 1, .type = FIELD_##ftype, ##__VA_ARGS__},

#define MESSAGE_KIND(mname, FIELDS, ...)                                                                           \
    typedef struct {                                                                                               \
        message_head_t head;                                                                                       \
        FIELDS(MESSAGE_MEMBER)                                                                                     \
    } mname##_t;                                                                                                   \
    static const field_t mname##_fields[] = {FIELDS(MESSAGE_ROW)};                                                 \
    static const message_t mname##_message __attribute__((unused)) = {.name = #mname,                              \
        .fields = mname##_fields,                                                                                  \
        .count = ARRAY_SIZE(mname##_fields),                                                                       \
        .size = sizeof(mname##_t),                                                                                 \
        __VA_ARGS__};                                                                                              \
    _Static_assert(sizeof(mname##_t) == MESSAGE_SLOT * (ARRAY_SIZE(mname##_fields) + 1), "a slot per field");      \
    _Static_assert(ARRAY_SIZE(mname##_fields) <= MESSAGE_FIELDS_MAX, "too many fields")
#define MESSAGE(mname, FIELDS) MESSAGE_KIND(mname, FIELDS, .positional = false)
#define MESSAGE_POSITIONAL(mname, FIELDS) MESSAGE_KIND(mname, FIELDS, .positional = true)
#define MESSAGE_BARE(mname, FIELDS)                                                                                \
    MESSAGE_KIND(mname, FIELDS, .bare = true);                                                                     \
    _Static_assert(ARRAY_SIZE(mname##_fields) == 1, "one field")

static inline void *message_member(const void *value, int index)
{
    return (char *)(uintptr_t)value + MESSAGE_SLOT * (index + 1);
}
/* Index of a field by its name, or -1. */
int message_find(const message_t *, text_t name);
/* Was the field given (with a value, or as null)? `member` is a member of *value: message_has(in, name). */
#define MESSAGE_INDEX(value, member) ((int)(offsetof(typeof(*(value)), member) / MESSAGE_SLOT) - 1)
#define message_has(value, member) (((value)->head.given >> MESSAGE_INDEX(value, member)) & 1)
#define message_is_null(value, member) (((value)->head.null >> MESSAGE_INDEX(value, member)) & 1)
/* Sets a member and marks it as given. */
#define message_set(value, member, ...)                                                                            \
    ((value)->member = (__VA_ARGS__), (value)->head.given |= UINT64_C(1) << MESSAGE_INDEX(value, member),          \
        (value)->head.null &= ~(UINT64_C(1) << MESSAGE_INDEX(value, member)))
/* Takes a text's or another member's emptiness into account: data NULL is null. */
#define message_set_null(value, member)                                                                            \
    ((value)->head.null |= UINT64_C(1) << MESSAGE_INDEX(value, member),                                            \
        (value)->head.given &= ~(UINT64_C(1) << MESSAGE_INDEX(value, member)))
/* PATCH: copies each field of `patch` that was given (or is null) to the field of the same name in `target`, whose type must
 * be the same. Fields of the patch that the target lacks are our own inconsistency. */
void message_merge(const message_t *patch_message, const void *patch, const message_t *target_message, void *target);

/* What was wrong with one field of a request. */
enum problem_kind {
    PROBLEM_REQUIRED, PROBLEM_UNKNOWN, PROBLEM_TYPE, PROBLEM_NULL, PROBLEM_TOO_SHORT, PROBLEM_TOO_LONG, PROBLEM_TOO_SMALL,
    PROBLEM_TOO_LARGE, PROBLEM_CHOICE, PROBLEM_FORMAT, PROBLEM_DUPLICATE, PROBLEM_SYNTAX, PROBLEM_TOO_DEEP,
    PROBLEM_ENCODING, PROBLEM_NUL, PROBLEM_FUTURE, PROBLEM_PAGE_WINDOW, PROBLEM_CONSENT, PROBLEM_OWN_ROLE, PROBLEM_EMPTY,
    PROBLEM_TOO_EARLY, PROBLEM_SPENT, PROBLEM_OPEN_ATTEMPT, PROBLEM_UNANSWERED,
    PROBLEM_KINDS
};
typedef struct {
    text_t field; /* path: "email", "items.2.name"; "body" for the whole */
    enum problem_kind kind;
    int64_t bound;      /* the bound that was broken, where there is one */
    const field_t *of;  /* for its type, names and scale; NULL: none */
} problem_t;
enum { PROBLEMS_MAX = 64 };
typedef struct {
    arena_t *arena;
    int count; /* those over PROBLEMS_MAX are dropped */
    problem_t items[PROBLEMS_MAX];
} problems_t;
void problem_add(problems_t *, text_t field, enum problem_kind kind, const field_t *of, int64_t bound);

enum message_source {
    SOURCE_PEER,   /* another process of ours: JSON-less types are native msgpack (uuid bin 16, times as integers) */
    SOURCE_CLIENT, /* from a JSON body: dates, times, uuids and choices are strings */
    SOURCE_QUERY,  /* from path and query: every value is a string */
};
/* Reads and validates one msgpack value that must use up all of `packed`. `out` is zeroed first; texts are copied to the
 * arena only where they must be (otherwise they point into `packed`). True when no problem was found; otherwise every wrong
 * field is in `problems`. */
bool message_read(const message_t *, text_t packed, enum message_source source, void *out, problems_t *problems);
/* FORMAT_EMAIL's own check. */
bool message_is_email(text_t);
/* Appends the value as msgpack, in the form that SOURCE_PEER reads. Fields neither given nor null are left out (map) or nil
 * (positional). */
void message_pack(const message_t *, const void *value, buffer_t *out);
/* Appends the value as JSON. Fields that are neither given nor nullable are left out; nullable ones are null. */
void message_json(const message_t *, const void *value, buffer_t *out);
/* Appends a JSON string with quotes and escapes. (Not json_string: that is jansson's, and ours would take its place.) */
void message_json_string(buffer_t *out, text_t text);
