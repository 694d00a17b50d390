/* top: the live view. In a terminal it takes the whole screen and gives it back as it was; `q` or Ctrl-C ends it. Anywhere else it
 * writes plain lines. Each second a look; memory, which the kernel walks every mapping for, is read of one process a second. */
#include "top.h"
#include "../../shared/base/clock.h"
#include "../../shared/shm/services.h"
#include "../supervisor/footprint.h"
#include "client.h"
#include "command.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { ANSWER_MILLISECONDS = 2000, LINES_LEAST = 24, COLUMNS_LEAST = 20 };

static struct {
    segment_t *segment;
    top_look_t looks[2]; /* large: not on the stack */
    int latest;
    int64_t memory[SEGMENT_INSTANCES];
    pid_t measured[SEGMENT_INSTANCES]; /* whose memory it is */
    int next_memory;
    struct termios before;
    bool screen; /* the terminal is ours */
} top;

static volatile sig_atomic_t told_to_end;

static void on_end(int number)
{
    (void)number;
    told_to_end = 1;
}

static void on_resize(int number)
{
    (void)number; /* it ends the wait */
}

/* --- the segment -------------------------------------------------------------------------------------------------- */

/* From the supervisor; when it does not answer, from its processes. */
static segment_t *segment_find(enum exit_status *status)
{
    client_t client;
    char error[256];
    int fd = -1;
    bool running = client_connect(&client);
    if (running) {
        json_decref(client_ask(&client, json_pack("{s:s}", "request", "segment"), ANSWER_MILLISECONDS));
        fd = client.received_fd;
        client.received_fd = -1;
        client_close(&client);
    }
    if (fd < 0)
        fd = client_segment();
    if (fd < 0) {
        *status = running || client_orphans() ? complain(CTL_FAILED, "the supervisor does not answer; as root top works all the same")
                                              : complain(CTL_NOT_RUNNING, "not running; next: aipotenctl start");
        return NULL;
    }
    segment_t *segment = segment_attach(fd, error, sizeof(error));
    if (segment == NULL)
        *status = complain(CTL_FAILED, "%s; use the aipotenctl of the running build", error);
    close(fd);
    return segment;
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

/* Its share of all memory; what is its own alone where the kernel does not show us more. */
static void memory_read(const top_look_t *look, int slot)
{
    const top_instance_t *instance = &look->instances[slot];
    int64_t memory = instance->shown ? footprint_of(instance->pid) : -1;
    if (memory < 0 && instance->shown)
        memory = instance->proc.resident - instance->proc.resident_shared;
    top.memory[slot] = memory;
    top.measured[slot] = instance->pid;
}

/* Of processes that are new at once, of the others one at a time. */
static void memory_update(const top_look_t *look)
{
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++)
        if (look->instances[slot].used && (top.measured[slot] != look->instances[slot].pid || !look->instances[slot].shown))
            memory_read(look, slot);
    for (int tried = 0; tried < SEGMENT_INSTANCES; tried++) {
        top.next_memory = (top.next_memory + 1) % SEGMENT_INSTANCES;
        if (look->instances[top.next_memory].used) {
            memory_read(look, top.next_memory);
            return;
        }
    }
}

/* --- the terminal ------------------------------------------------------------------------------------------------- */

static void put(const char *text, size_t length)
{
    while (length > 0) {
        ssize_t written = write(STDOUT_FILENO, text, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            told_to_end = 1; /* nobody sees it any more */
            return;
        }
        text += written;
        length -= (size_t)written;
    }
}

static void screen_take(void)
{
    static const char begin[] = "\033[?1049h\033[?25l"; /* the other screen, no cursor */
    struct termios raw;
    const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        sigaction(ends[i], &(struct sigaction){.sa_handler = on_end}, NULL);
    sigaction(SIGWINCH, &(struct sigaction){.sa_handler = on_resize}, NULL);
    tcgetattr(STDIN_FILENO, &top.before);
    raw = top.before;
    raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    top.screen = true;
    put(begin, sizeof(begin) - 1);
}

static void screen_give_back(void)
{
    static const char end[] = "\033[?25h\033[?1049l";
    put(end, sizeof(end) - 1);
    tcsetattr(STDIN_FILENO, TCSANOW, &top.before);
}

static void screen_size(top_frame_t *frame)
{
    struct winsize size = {0};
    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    frame->columns = size.ws_col >= COLUMNS_LEAST ? size.ws_col : 80;
    frame->rows = size.ws_row > 0 ? size.ws_row : LINES_LEAST;
}

/* As many lines as the screen has, each clearing what stood there; the last without its end, which would scroll. */
static void screen_show(const top_frame_t *frame, text_t lines)
{
    static buffer_t out;
    text_t line;
    out.length = 0;
    buffer_format(&out, "\033[H\033[7maipoten, each second; q ends it\033[m\033[K");
    for (int i = 1; i < frame->rows && text_split(&lines, '\n', &line); i++) {
        bool bold = line.length > 0 && line.data[0] == TOP_BOLD;
        if (i == frame->rows - 1 && lines.length > 0)
            line = TEXT("…");
        buffer_add_string(&out, bold ? "\r\n\033[1m" : "\r\n");
        buffer_add(&out, line.data + bold, line.length - bold);
        buffer_add_string(&out, "\033[m\033[K");
    }
    buffer_add_string(&out, "\033[J");
    put(out.data, out.length);
}

/* Waits until the next look is due; a key or a changed size ends it sooner. False: the end was asked for. */
static bool screen_wait(int64_t until)
{
    struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
    char key;
    int64_t left = (until - clock_monotonic()) / CLOCK_MILLISECOND;
    if (poll(&keys, 1, left > 0 ? (int)left : 0) > 0) {
        ssize_t got = read(STDIN_FILENO, &key, 1);
        if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN) || (got == 1 && (key == 'q' || key == 'Q' || key == 4)))
            return false;
    }
    return !told_to_end;
}

/* --- frames ------------------------------------------------------------------------------------------------------- */

static void plain_show(text_t lines)
{
    text_t line;
    while (text_split(&lines, '\n', &line)) {
        bool bold = line.length > 0 && line.data[0] == TOP_BOLD;
        if (lines.length > 0 || line.length > 0)
            printf("%.*s\n", (int)(line.length - bold), line.data + bold);
    }
    printf("\n");
    fflush(stdout);
}

static void frame_show(bool json)
{
    static buffer_t lines;
    top_frame_t frame = {
        .before = &top.looks[!top.latest], .after = &top.looks[top.latest], .memory = top.memory};
    if (json) {
        json_t *object = top_json(&frame);
        json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        printf("\n");
        json_decref(object);
        return;
    }
    if (top.screen)
        screen_size(&frame);
    lines.length = 0;
    top_text(&frame, &lines);
    if (top.screen)
        screen_show(&frame, buffer_text(&lines));
    else
        plain_show(buffer_text(&lines));
}

/* A system that was stopped and started has another segment. */
static void look_again(void)
{
    const top_look_t *last = &top.looks[top.latest];
    client_t client;
    if (!last->alive && client_connect(&client)) {
        client_close(&client);
        enum exit_status status = CTL_OK;
        segment_t *segment = segment_find(&status);
        if (segment != NULL && segment != top.segment) {
            segment_detach(&top.segment);
            top.segment = segment;
            top_look(top.segment, &top.looks[top.latest]);
        }
    }
    top.latest = !top.latest;
    top_look(top.segment, &top.looks[top.latest]);
    memory_update(&top.looks[top.latest]);
}

static void look_on(bool json, int64_t frames)
{
    int64_t due = clock_monotonic();
    top_look(top.segment, &top.looks[top.latest]);
    for (int64_t shown = 0; (frames == 0 || shown < frames) && !told_to_end;) {
        due += CLOCK_SECOND;
        if (due < clock_monotonic())
            due = clock_monotonic() + CLOCK_SECOND; /* we were stopped, or the machine is busy */
        while (clock_monotonic() < due) {
            if (!top.screen)
                poll(NULL, 0, (int)((due - clock_monotonic()) / CLOCK_MILLISECOND) + 1);
            else if (!screen_wait(due))
                return;
        }
        look_again();
        frame_show(json);
        shown++;
    }
}

enum exit_status run_top(const invocation_t *invocation)
{
    enum exit_status status = CTL_OK;
    bool json = invocation->given[OPTION_JSON];
    int64_t frames = invocation->given[OPTION_COUNT] ? invocation->number[OPTION_COUNT] : 0;
    top.segment = segment_find(&status);
    if (top.segment == NULL)
        return status;
    bool screen = !json && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (json || (!screen && frames == 0))
        frames = 1;
    if (screen)
        screen_take();
    look_on(json, frames);
    if (screen)
        screen_give_back();
    return CTL_OK;
}
