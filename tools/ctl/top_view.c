/* top_view: a frame of top, as lines or as JSON. */
#include "top.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/text.h"
#include "../../shared/shm/services.h"

#include <stdio.h>

enum {
    LINE_MOST = 512,
    LINES_AROUND = 9,    /* besides instances and operations */
    OPERATIONS_PLAIN = 8, /* without a terminal */
    NOW_SHOWN = 100000,  /* microseconds: what is shorter is no news */
};

static void line_add(buffer_t *out, int columns, const char *line)
{
    size_t length = strlen(line), most = columns > 0 ? (size_t)columns + (line[0] == TOP_BOLD) : LINE_MOST;
    buffer_add(out, line, length < most ? length : most);
    buffer_add_char(out, '\n');
}

/* --- cells -------------------------------------------------------------------------------------------------------- */

typedef struct {
    char text[16];
} cell_t;

static cell_t cell_number(double number)
{
    cell_t cell;
    snprintf(cell.text, sizeof(cell.text), number > 0 && number < 9.95 ? "%.1f" : "%.0f", number);
    return cell;
}

static cell_t cell_whole(int64_t number)
{
    cell_t cell;
    snprintf(cell.text, sizeof(cell.text), "%lld", (long long)number);
    return cell;
}

/* "85us", "1.3ms", "120ms", "2.4s" */
static cell_t cell_time(int64_t microseconds)
{
    cell_t cell = {"-"};
    double value = (double)microseconds;
    const char *unit = "us";
    if (microseconds < 0)
        return cell;
    if (microseconds >= CLOCK_SECOND) {
        value /= CLOCK_SECOND;
        unit = "s";
    } else if (microseconds >= CLOCK_MILLISECOND) {
        value /= CLOCK_MILLISECOND;
        unit = "ms";
    }
    snprintf(cell.text, sizeof(cell.text), value < 10 && unit[0] != 'u' ? "%.1f%s" : "%.0f%s", value, unit);
    return cell;
}

static cell_t cell_share(double share)
{
    cell_t cell = {"-"};
    if (share >= 0)
        snprintf(cell.text, sizeof(cell.text), "%.0f%%", share * 100);
    return cell;
}

static cell_t cell_memory(int64_t bytes)
{
    cell_t cell = {"-"};
    if (bytes >= 0)
        snprintf(cell.text, sizeof(cell.text), "%.1fM", (double)bytes / 1e6);
    return cell;
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

#define COLUMNS "%-17s %-9s %6s %8s %9s %7s %7s %7s %6s %6s %6s %8s %7s"

static void rates_line(buffer_t *out, int columns, const char *name, const char *state, const top_rates_t *rates, const char *note)
{
    char line[LINE_MOST];
    snprintf(line, sizeof(line), COLUMNS "  %s", name, state, cell_share(rates->cpu).text, cell_memory(rates->memory).text,
        cell_number(rates->rate).text, cell_time(rates->p50).text, cell_time(rates->p99).text, cell_number(rates->errors).text,
        cell_whole(rates->in_flight).text, cell_whole(rates->queued).text, cell_share(rates->hit_share).text,
        cell_number(rates->statements).text, cell_time(rates->statement_time).text, note);
    line_add(out, columns, line);
}

static int64_t busy_since(const top_instance_t *instance)
{
    int64_t since = instance->now.operation[0] != '\0' ? clock_now() - instance->now.since : 0;
    return since > 0 ? since : 0;
}

/* The one thing that is worth saying of an instance just now. */
static void note_make(const top_instance_t *instance, char *out, size_t out_size)
{
    int64_t since = busy_since(instance);
    bool stopped = instance->shown && (instance->proc.state == 'T' || instance->proc.state == 't');
    out[0] = '\0';
    if (since >= NOW_SHOWN)
        snprintf(out, out_size, "in %s for %.1f s%s", instance->now.operation, (double)since / CLOCK_SECOND,
            stopped ? ", stopped by a signal" : "");
    else if (stopped)
        snprintf(out, out_size, "stopped by a signal");
    else if (instance->now.operation[0] != '\0')
        snprintf(out, out_size, "%s", instance->now.operation);
}

/* Services, then numbers, then slots: while an instance is renewed it stands there twice. */
static bool is_before(const top_look_t *look, int slot, int other)
{
    const top_instance_t *a = &look->instances[slot], *b = &look->instances[other];
    if (a->service != b->service)
        return a->service < b->service;
    return a->number != b->number ? a->number < b->number : slot < other;
}

/* The slot behind `last` (-1: the first) in this order; -1: there is none. */
static int instance_next(const top_look_t *look, int last)
{
    int best = -1;
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++)
        if (look->instances[slot].used && (last < 0 || is_before(look, last, slot)) &&
            (best < 0 || is_before(look, slot, best)))
            best = slot;
    return best;
}

static int64_t memory_of_all(const top_frame_t *frame)
{
    int64_t sum = 0;
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++)
        if (frame->after->instances[slot].used && frame->memory[slot] > 0)
            sum += frame->memory[slot];
    return sum;
}

static int instances_text(const top_frame_t *frame, buffer_t *out)
{
    int lines = 0;
    for (int slot = -1; (slot = instance_next(frame->after, slot)) >= 0; lines++) {
        const top_instance_t *instance = &frame->after->instances[slot];
        char name[64], note[96];
        snprintf(name, sizeof(name), "%s.%d", services[instance->service].name, instance->number);
        note_make(instance, note, sizeof(note));
        top_rates_t rates = top_instance_rates(frame->before, frame->after, slot, frame->memory[slot]);
        rates_line(out, frame->columns, name, instance_state_name(instance->state), &rates, note);
    }
    return lines;
}

static void realtime_text(const top_frame_t *frame, buffer_t *out)
{
    static const char columns[] = "%s%-10s %8s %9s   %-7s %8s %9s %9s %9s %7s   %-8s %7s %7s %7s";
    char line[LINE_MOST];
    top_realtime_t now = top_realtime(frame->before, frame->after);
    line_add(out, frame->columns, "");
    snprintf(line, sizeof(line), columns, "\1", "REALTIME", "SESSIONS", "SHOWN/S", "BROKER", "FOLLOWED", "HEARD/S", "TOLD/S",
        "DROPPED/S", "LOST/S", "MACHINES", "OUT/S", "IN/S", "GAPS/S");
    line_add(out, frame->columns, line);
    snprintf(line, sizeof(line), columns, "", "", cell_whole(now.sockets).text, cell_number(now.shown).text, "",
        cell_whole(now.subscriptions).text, cell_number(now.heard).text, cell_number(now.told).text,
        cell_number(now.dropped).text, cell_number(now.lost).text, "", cell_number(now.sent).text,
        cell_number(now.far_heard).text, cell_number(now.gaps).text);
    line_add(out, frame->columns, line);
}

/* The busiest operation that was not named yet; -1: none had a request. */
static int operation_next(const top_frame_t *frame, bool named[METRICS_ROWS], top_rates_t *out)
{
    int best = -1;
    for (int i = 0; i < frame->after->operation_count; i++) {
        if (named[i])
            continue;
        top_rates_t rates = top_operation_rates(frame->before, frame->after, i);
        if (rates.answered == 0 || (best >= 0 && rates.answered <= out->answered))
            continue;
        best = i;
        *out = rates;
    }
    if (best >= 0)
        named[best] = true;
    return best;
}

static void operations_text(const top_frame_t *frame, buffer_t *out, int most)
{
    bool named[METRICS_ROWS] = {0};
    top_rates_t rates;
    for (int index, i = 0; i < most && (index = operation_next(frame, named, &rates)) >= 0; i++) {
        char line[LINE_MOST];
        if (i == 0) {
            snprintf(line, sizeof(line), "%c%-44s %9s %7s %7s %7s", TOP_BOLD, "OPERATION", "REQ/S", "P50", "P99", "ERR/S");
            line_add(out, frame->columns, "");
            line_add(out, frame->columns, line);
        }
        snprintf(line, sizeof(line), "%-44s %9s %7s %7s %7s", frame->after->operations[index].name,
            cell_number(rates.rate).text, cell_time(rates.p50).text, cell_time(rates.p99).text, cell_number(rates.errors).text);
        line_add(out, frame->columns, line);
    }
}

void top_text(const top_frame_t *frame, buffer_t *out)
{
    char line[LINE_MOST];
    snprintf(line, sizeof(line), "%c" COLUMNS "  %s", TOP_BOLD, "INSTANCE", "STATE", "CPU", "MEMORY", "REQ/S", "P50", "P99",
        "ERR/S", "INFLT", "QUEUE", "HIT", "DB/S", "DB", "NOW");
    line_add(out, frame->columns, line);
    top_rates_t total = top_total_rates(frame->before, frame->after, memory_of_all(frame));
    buffer_add_char(out, TOP_BOLD);
    rates_line(out, frame->columns, "total", "", &total, frame->after->alive ? "" : "no process runs");
    int lines = instances_text(frame, out);
    realtime_text(frame, out);
    operations_text(frame, out, frame->rows > 0 ? frame->rows - lines - LINES_AROUND : OPERATIONS_PLAIN);
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

static json_t *or_null(double value)
{
    return value < 0 ? json_null() : json_real(value);
}

static json_t *whole_or_null(int64_t value)
{
    return value < 0 ? json_null() : json_integer(value);
}

/* Times in microseconds, memory in bytes, CPU in processors, hits as a share. */
static json_t *rates_json(const top_rates_t *rates)
{
    return json_pack("{s:f s:I s:o s:o s:f}", "requests", rates->rate, "answered", (json_int_t)rates->answered, "p50",
        whole_or_null(rates->p50), "p99", whole_or_null(rates->p99), "errors", rates->errors);
}

static json_t *process_json(const top_rates_t *rates)
{
    json_t *object = rates_json(rates);
    json_t *more = json_pack("{s:f s:o s:I s:I s:o s:f s:o}", "cpu", rates->cpu, "memory", whole_or_null(rates->memory), "in_flight",
        (json_int_t)rates->in_flight, "queued", (json_int_t)rates->queued, "hits", or_null(rates->hit_share), "statements",
        rates->statements, "statement_time", whole_or_null(rates->statement_time));
    json_object_update(object, more);
    json_decref(more);
    return object;
}

static json_t *instance_json(const top_frame_t *frame, int slot)
{
    const top_instance_t *instance = &frame->after->instances[slot];
    top_rates_t rates = top_instance_rates(frame->before, frame->after, slot, frame->memory[slot]);
    json_t *object = process_json(&rates);
    json_object_set_new(object, "service", json_string(services[instance->service].name));
    json_object_set_new(object, "instance", json_integer(instance->number));
    json_object_set_new(object, "state", json_string(instance_state_name(instance->state)));
    json_object_set_new(object, "pid", instance->pid != 0 ? json_integer(instance->pid) : json_null());
    json_object_set_new(object, "stopped", json_boolean(instance->shown && instance->proc.state == 'T'));
    bool busy = instance->now.operation[0] != '\0';
    json_object_set_new(object, "now", !busy ? json_null()
                                             : json_pack("{s:s s:f}", "operation", instance->now.operation, "seconds",
                                                   (double)busy_since(instance) / CLOCK_SECOND));
    return object;
}

static json_t *realtime_json(const top_frame_t *frame)
{
    top_realtime_t now = top_realtime(frame->before, frame->after);
    return json_pack("{s:I s:f s:{s:I s:f s:f s:f s:f s:f s:f s:f}}", "sessions", (json_int_t)now.sockets, "shown", now.shown, "broker",
        "followed", (json_int_t)now.subscriptions, "heard", now.heard, "told", now.told, "dropped", now.dropped, "lost", now.lost,
        "machines_out", now.sent, "machines_in", now.far_heard, "gaps", now.gaps);
}

json_t *top_json(const top_frame_t *frame)
{
    json_t *instances = json_array(), *operations = json_array();
    bool named[METRICS_ROWS] = {0};
    top_rates_t rates;
    for (int slot = -1; (slot = instance_next(frame->after, slot)) >= 0;)
        json_array_append_new(instances, instance_json(frame, slot));
    for (int index; (index = operation_next(frame, named, &rates)) >= 0;) {
        json_t *object = rates_json(&rates);
        json_object_set_new(object, "operation", json_string(frame->after->operations[index].name));
        json_array_append_new(operations, object);
    }
    top_rates_t total = top_total_rates(frame->before, frame->after, memory_of_all(frame));
    return json_pack("{s:f s:o s:o s:o s:o}", "seconds", (double)(frame->after->at - frame->before->at) / CLOCK_SECOND, "instances",
        instances, "operations", operations, "total", process_json(&total), "realtime", realtime_json(frame));
}
