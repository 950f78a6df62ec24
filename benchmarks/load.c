/*
 * load: puts load on a Socket.IO server over raw WebSocket or long-polling and measures it. One thread, epoll, no allocation per
 * message: on one core it keeps a server on another core busy, so what it reports is the server's figure.
 *
 *   gcc -O2 -o load load.c
 *   load MODE --port PORT [--port2 PORT] [--conns N] [--seconds S] [--size BYTES] [--window W] [--event NAME] [--rate R]
 *             [--binary 1] [--missed M] [--at-once N] [--transport NAME] [--path PATH] [--pid PID]
 *
 * With --port2 every second client connects there: two servers that share their rooms. With --binary 1 the payload of
 * an event and of its ack is one attachment. --at-once is how many connections are opened at a time. With --path the server is no Socket.IO server: a plain WebSocket there,
 * where the payload of {"action":"cast","payload":...}, which one client sends (broadcast only), is sent to all.
 *
 * Transports (disconnect and recover have websocket only)
 *   websocket   the default
 *   polling     a GET is always pending, on a connection that stays; a POST meanwhile takes a second connection
 *   upgrade     the default way of clients: handshake (GET), CONNECT (POST) and its answer (GET) on one connection, then
 *               a WebSocket with probe and upgrade, and an acknowledged echo over it: only then it counts as connected
 *
 * Modes
 *   echo        every client keeps W events under way, each with an ack; counts the acks
 *   broadcast   one client emits "cast", the next follows when all have received "news"; counts the deliveries
 *   connect     opens N connections, a number of them at once; counts the connections
 *   idle        opens N connections and reads how much memory (PSS) process PID grew
 *   pace        R events a second in all, evenly spaced; latency counted from when each was due
 *   disconnect  opens N connections, closes all at once, waits until the server says that all are gone
 *   recover     opens N connections and closes all; "cast" is emitted M times; N connections come back to their sessions,
 *               and each must get what it missed; counts the connections
 *
 * What the server must do
 *   "echo" (or --event NAME)   acknowledge with its argument, {"text": ..., "room": "lobby"}
 *   "cast"                     emit "news" with its argument to room "all", which every client enters on connect
 *   "count"                    acknowledge with the number of connected clients
 *
 * Prints one JSON object. With --pid it tells what share of the measured time the server was running ("server_cpu"):
 * clearly less than 1 in a mode that saturates means that something else held the server's core. Every reply is
 * checked; a wrong, missing or unasked reply or a lost connection is an error: the first one goes to standard error
 * and the exit status is 1. A wrong command line exits with 2.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP 100
#define ACKS_AT_ONCE 4096 /* per client; a power of two */
#define ACKS_OF_ONE 8     /* the same for clients that ask for one ack only, so that each does not need memory for 4096 */
#define READ_SIZE (256 * 1024)
#define STEP_TIMEOUT_S 30.0 /* for one connection, broadcast or rest of acks */
#define STORM_TIMEOUT_S 300.0

enum transport { WEBSOCKET, POLLING, UPGRADE };

static const char *const transports[] = {"websocket", "polling", "upgrade"};

static struct {
    int port, port2, conns, size, window, rate, binary, missed, at_once, pid;
    double seconds;
    enum transport transport;
    const char *event, *path;
} opt = {
    .conns = 64, .size = 64, .window = 8, .rate = 2000, .missed = 100, .at_once = 64, .seconds = 4, .event = "echo"
};

/* ---- clock, errors, memory, latencies -------------------------------------------------------------------------- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static long errors;
static char first_error[256];

__attribute__((format(printf, 1, 2))) static void fail(const char *format, ...)
{
    if (errors++)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(first_error, sizeof first_error, format, args);
    va_end(args);
}

static void *grow(void *memory, size_t size)
{
    void *grown = realloc(memory, size);
    if (!grown) {
        fputs("load: out of memory\n", stderr);
        exit(1);
    }
    return grown;
}

typedef struct {
    char *data;
    size_t len, cap;
} Buffer;

static void reserve(Buffer *b, size_t size)
{
    if (size <= b->cap)
        return;
    b->cap = size * 2;
    b->data = grow(b->data, b->cap);
}

static void append(Buffer *b, const void *data, size_t len)
{
    reserve(b, b->len + len);
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

static struct {
    double *seconds;
    size_t len, cap;
} latencies;

static void add_latency(double seconds)
{
    if (latencies.len == latencies.cap) {
        latencies.cap = latencies.cap ? latencies.cap * 2 : 65536;
        latencies.seconds = grow(latencies.seconds, latencies.cap * sizeof *latencies.seconds);
    }
    latencies.seconds[latencies.len++] = seconds;
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double percentile_ms(double fraction)
{
    size_t index = fraction * latencies.len;
    if (!latencies.len)
        return 0;
    return latencies.seconds[index < latencies.len ? index : latencies.len - 1] * 1e3;
}

static void print_latencies(void)
{
    qsort(latencies.seconds, latencies.len, sizeof *latencies.seconds, by_value);
    printf(", \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f, \"max_ms\": %.3f", percentile_ms(.5),
           percentile_ms(.99), percentile_ms(.999), percentile_ms(1));
}

static Buffer marker; /* the text of every payload: must be in every reply */
static Buffer event_payload; /* ["echo",{...}] */

/* ---- clients: what one knows, its connections, and writing to them ---------------------------------------------- */

/* UPGRADING: its WebSocket's handshake is not answered; PROBING: the same, of a session that has begun by polling. */
enum state { UPGRADING, OPENING, PROBING, CONNECTED, CLOSED };

typedef struct Client Client;

/* A TCP connection of a client. */
typedef struct Stream {
    int fd;
    bool is_open, is_upgraded; /* upgraded: the answer to a WebSocket handshake has come */
    char awaited;              /* HTTP: what its answer answers: 'G'ET, 'P'OST; 0: nothing */
    Client *client;
    size_t (*take)(struct Stream *s, char *data, size_t len); /* handles what is whole; returns its length */
    Buffer out;                                               /* not written yet, from out_sent on */
    size_t out_sent;
    Buffer rest; /* the beginning of a frame or an answer whose end has not arrived */
} Stream;

struct Client {
    enum state state;
    Stream ws, http, http2;
    char sid[64];    /* of the Engine.IO session, for polling */
    Buffer to_post;  /* packets for the next POST, without separator behind the last */
    bool is_posting;
    uint32_t ack_id; /* of the latest event */
    uint32_t bare_ack; /* of the ack whose attachment has not arrived; 0: none */
    double *sent_at; /* by ack id modulo acks_at_once; 0: no ack awaited */
    char pid[64];    /* of the session to come back to; empty: the server recovers none */
};

static Client *clients;
static uint32_t acks_at_once = ACKS_AT_ONCE;
static int epoll_fd, dialed, connected, lost;

static void watch(Stream *s, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = s};
    epoll_ctl(epoll_fd, operation, s->fd, &event);
}

/* Closes a connection that is no longer needed. */
static void hang_up(Stream *s)
{
    if (s->is_open)
        close(s->fd);
    s->is_open = s->is_upgraded = false;
    s->awaited = 0;
    s->out.len = s->out_sent = s->rest.len = 0;
}

static void lose(Client *c, const char *why)
{
    if (c->state == CLOSED)
        return;
    c->state = CLOSED;
    lost++;
    hang_up(&c->ws);
    hang_up(&c->http);
    hang_up(&c->http2);
    fail("connection lost: %s", why);
}

/* Opens a connection, which take() reads from. */
static void dial(Client *c, Stream *s, size_t (*take)(Stream *, char *, size_t))
{
    int port = opt.port2 && (c - clients) % 2 ? opt.port2 : opt.port;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    s->client = c;
    s->take = take;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(s->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
        return lose(c, strerror(errno));
    s->is_open = true;
    watch(s, EPOLL_CTL_ADD, EPOLLIN);
}

/* Writes what is due; what the socket does not take goes out when it can (EPOLLOUT). */
static void flush_stream(Stream *s)
{
    while (s->out_sent < s->out.len && s->is_open) {
        ssize_t n = send(s->fd, s->out.data + s->out_sent, s->out.len - s->out_sent, MSG_NOSIGNAL);
        if (n >= 0)
            s->out_sent += n;
        else if (errno == EAGAIN)
            return watch(s, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
        else
            lose(s->client, strerror(errno));
    }
    s->out.len = s->out_sent = 0;
}

static void request_polls(Client *c);

/* Sends what a client has to send. */
static void flush(Client *c)
{
    if (opt.transport != WEBSOCKET && c->state != CLOSED)
        request_polls(c);
    flush_stream(&c->ws);
}

/* Adds one frame in two parts. A client must mask; with the key 0 the masked bytes are the bytes. */
static void put_frame(Client *c, int opcode, const char *head, size_t head_len, const char *body, size_t body_len)
{
    uint64_t len = head_len + body_len;
    unsigned char prefix[14] = {0x80 | opcode};
    size_t n = 2;
    if (len < 126) {
        prefix[1] = 0x80 | len;
    } else if (len < 65536) {
        prefix[1] = 0x80 | 126;
        prefix[n++] = len >> 8;
        prefix[n++] = len;
    } else {
        prefix[1] = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8)
            prefix[n++] = len >> shift;
    }
    append(&c->ws.out, prefix, n + 4); /* + the key: what is left of prefix is 0 */
    append(&c->ws.out, head, head_len);
    append(&c->ws.out, body, body_len);
}

/* Adds a packet of text in two parts, by the transport that the client has now. */
static void put_packet(Client *c, const char *head, size_t head_len, const char *body, size_t body_len)
{
    if (c->ws.is_upgraded)
        return put_frame(c, 1, head, head_len, body, body_len);
    if (c->to_post.len)
        append(&c->to_post, "\x1e", 1);
    append(&c->to_post, head, head_len);
    append(&c->to_post, body, body_len);
}

static void put_text(Client *c, const char *text, size_t len)
{
    put_packet(c, text, len, "", 0);
}

/* Adds an event that asks for an ack; due is the time its latency counts from. */
static void put_event(Client *c, const Buffer *payload, double due)
{
    char head[32];
    if (!c->sent_at)
        c->sent_at = calloc(acks_at_once, sizeof(double));
    double *slot = &c->sent_at[++c->ack_id % acks_at_once];
    if (*slot)
        fail("more than %u acks awaited", acks_at_once);
    *slot = due;
    put_packet(c, head, snprintf(head, sizeof head, opt.binary ? "451-%u" : "42%u", c->ack_id), payload->data,
               payload->len);
    if (opt.binary)
        put_frame(c, 2, marker.data, marker.len, "", 0);
}

/* ---- reading: frames, Engine.IO and Socket.IO packets ----------------------------------------------------------- */

static long acks, deliveries;

static void begin_probe(Client *c);
static void finish_probe(Client *c);
static void complete_upgrade(Client *c, const char *ack, size_t len);

/* What a mode does with an ack: the JSON array that came and how long it took. */
static void (*on_ack)(Client *c, const char *payload, size_t len, double latency);

static void settle_ack(Client *c, unsigned long id, const char *payload, size_t len)
{
    double *slot = c->sent_at ? &c->sent_at[id % acks_at_once] : NULL;
    if (!slot || !*slot || !(on_ack || c->state == PROBING))
        return fail("ack %lu, which nobody asked for", id);
    double latency = now() - *slot;
    *slot = 0;
    if (c->state == PROBING)
        return complete_upgrade(c, payload, len);
    acks++;
    on_ack(c, payload, len, latency);
}

/* packet is behind its type: ID[...] */
static void handle_ack(Client *c, const char *packet, size_t len)
{
    char *payload;
    unsigned long id = strtoul(packet, &payload, 10);
    if (*payload != '[')
        return fail("not an ack: %.*s", (int)(len > 100 ? 100 : len), packet);
    if (opt.binary)
        c->bare_ack = id;
    else
        settle_ack(c, id, payload, packet + len - payload);
}

static void handle_attachment(Client *c, const char *data, size_t len)
{
    unsigned long id = c->bare_ack;
    c->bare_ack = 0;
    if (!id)
        return fail("binary frame without a packet");
    settle_ack(c, id, data, len);
}

static bool recovering; /* whether clients come back, to the sessions that they had */
static char offset[64]; /* the last argument of the latest event, if that is a text */

/* Copies the text between the quotes at the end of an array. */
static void keep_offset(const char *packet, size_t len)
{
    if (recovering || len < 4 || memcmp(packet + len - 2, "\"]", 2))
        return;
    const char *end = packet + len - 2, *start = memrchr(packet, '"', len - 2);
    if (start && end - start - 1 < (long)sizeof offset)
        snprintf(offset, sizeof offset, "%.*s", (int)(end - start - 1), start + 1);
}

/* Keeps the pid of a CONNECT, or checks that it is still the same. */
static void handle_connect(Client *c, const char *packet, size_t len)
{
    const char *name = "\"pid\":\"", *found = memmem(packet, len, name, strlen(name));
    const char *start = found ? found + strlen(name) : packet + len, *end = memchr(start, '"', packet + len - start);
    if (!end || end - start >= (long)sizeof c->pid)
        end = start;
    if (recovering && ((size_t)(end - start) != strlen(c->pid) || memcmp(start, c->pid, end - start)))
        return fail("not recovered: %.*s", (int)(len > 100 ? 100 : len), packet);
    snprintf(c->pid, sizeof c->pid, "%.*s", (int)(end - start), start);
}

static void handle_event(const char *packet, size_t len)
{
    deliveries++;
    keep_offset(packet, len);
    if (!memmem(packet, len, marker.data, marker.len))
        fail("wrong event: %.*s", (int)(len > 100 ? 100 : len), packet);
}

static void handle_socketio(Client *c, const char *packet, size_t len)
{
    switch (len < 2 ? 0 : packet[1]) {
    case '0':
        if (c->state != OPENING)
            return fail("connected twice");
        handle_connect(c, packet, len);
        if (opt.transport == UPGRADE)
            return begin_probe(c);
        c->state = CONNECTED;
        connected++;
        break;
    case '2':
        handle_event(packet, len);
        break;
    case '3':
        handle_ack(c, packet + 2, len - 2);
        break;
    case '6':
        if (!opt.binary || len < 5 || memcmp(packet + 2, "1-", 2))
            return fail("unexpected packet: %.*s", (int)(len > 100 ? 100 : len), packet);
        handle_ack(c, packet + 4, len - 4);
        break;
    default: /* 41: disconnected, 44: refused, 45: binary, which nobody sent */
        fail("unexpected packet: %.*s", (int)(len > 100 ? 100 : len), packet);
    }
}

static void put_connect(Client *c)
{
    char packet[256];
    if (recovering)
        put_text(c, packet, sprintf(packet, "40{\"pid\":\"%s\",\"offset\":\"%s\"}", c->pid, offset));
    else
        put_text(c, "40", 2);
}

/* Keeps the id of the session from its open packet. */
static void keep_sid(Client *c, const char *packet, size_t len)
{
    const char *name = "\"sid\":\"", *found = memmem(packet, len, name, strlen(name));
    const char *start = found ? found + strlen(name) : packet + len, *end = memchr(start, '"', packet + len - start);
    if (!end || end == start || end - start >= (long)sizeof c->sid)
        return fail("no session id: %.*s", (int)(len > 100 ? 100 : len), packet);
    snprintf(c->sid, sizeof c->sid, "%.*s", (int)(end - start), start);
}

static void handle_text(Client *c, const char *packet, size_t len)
{
    if (opt.path)
        return handle_event(packet, len);
    switch (len ? packet[0] : 0) {
    case '0': /* open: connect to the root namespace */
        keep_sid(c, packet, len);
        put_connect(c);
        break;
    case '2': /* ping */
        put_text(c, "3", 1);
        break;
    case '3': /* the answer to the probe; nothing else has an answer of this type */
        if (c->state != PROBING || len != 6 || memcmp(packet, "3probe", 6))
            return fail("unexpected pong: %.*s", (int)(len > 100 ? 100 : len), packet);
        finish_probe(c);
        break;
    case '4':
        handle_socketio(c, packet, len);
        break;
    case '6': /* noop */
        break;
    default:
        fail("unexpected frame: %.*s", (int)(len > 100 ? 100 : len), packet);
    }
}

static void handle_frame(Client *c, unsigned char first, char *payload, size_t len)
{
    switch (first) {
    case 0x81: {
        char after = payload[len];
        payload[len] = 0; /* a number at the end of the packet ends there */
        handle_text(c, payload, len);
        payload[len] = after;
        break;
    }
    case 0x82:
        handle_attachment(c, payload, len);
        break;
    case 0x89:
        put_frame(c, 10, payload, len, "", 0);
        break;
    case 0x88:
        lose(c, "closed by the server");
        break;
    case 0x8a:
        break;
    default:
        fail("unexpected WebSocket frame 0x%02x", first);
    }
}

/* Handles the whole frames in data; returns how many bytes they were. data[len] must be writable. */
static size_t handle_frames(Client *c, char *data, size_t len)
{
    size_t done = 0;
    while (len - done >= 2 && c->state != CLOSED) {
        unsigned char *frame = (unsigned char *)data + done;
        uint64_t payload = frame[1] & 127;
        int extended = payload == 126 ? 2 : payload == 127 ? 8 : 0;
        if (len - done < 2u + extended)
            break;
        if (extended)
            payload = 0;
        for (int i = 0; i < extended; i++)
            payload = payload << 8 | frame[2 + i];
        if (len - done < 2 + extended + payload)
            break;
        handle_frame(c, frame[0], (char *)frame + 2 + extended, payload);
        done += 2 + extended + payload;
    }
    return done;
}

/* Returns the length of the answer to the WebSocket handshake, 0 while it is incomplete or refused. */
static size_t handle_upgrade(Client *c, char *data, size_t len)
{
    char *end = memmem(data, len, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (len < 12 || memcmp(data, "HTTP/1.1 101", 12)) {
        lose(c, "WebSocket handshake refused");
        return 0;
    }
    c->ws.is_upgraded = true;
    if (c->state == PROBING)
        put_text(c, "2probe", 6);
    else
        c->state = opt.path ? CONNECTED : OPENING;
    connected += c->state == CONNECTED;
    return end + 4 - data;
}

/* Takes the answer to a handshake, and frames. */
static size_t take_websocket(Stream *s, char *data, size_t len)
{
    size_t done = s->is_upgraded ? 0 : handle_upgrade(s->client, data, len);
    return s->is_upgraded ? done + handle_frames(s->client, data + done, len - done) : done;
}

/* Reads once (epoll is level-triggered) and answers. All connections share one buffer: only the beginning of what is
   incomplete is kept with its connection. */
static void on_readable(Stream *s)
{
    static Buffer in;
    reserve(&in, s->rest.len + READ_SIZE + 1);
    memcpy(in.data, s->rest.data ? s->rest.data : "", s->rest.len);
    ssize_t n = recv(s->fd, in.data + s->rest.len, READ_SIZE, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 && s != &s->client->ws && !s->awaited)
        return hang_up(s); /* a server closes a connection that is idle */
    if (n <= 0)
        return lose(s->client, n ? strerror(errno) : "closed without a close frame");
    in.len = s->rest.len + n;
    size_t done = s->take(s, in.data, in.len);
    s->rest.len = 0;
    if (done < in.len && s->is_open)
        append(&s->rest, in.data + done, in.len - done);
    flush(s->client);
}

#include "polling.h"

static int poll_ms = 5;

/* Serves the connections until the deadline or until done() says so. */
static void run(double deadline, bool (*done)(void))
{
    struct epoll_event events[512];
    while (now() < deadline && !(done && done())) {
        int n = epoll_wait(epoll_fd, events, 512, poll_ms);
        for (int i = 0; i < n; i++) {
            Stream *s = events[i].data.ptr;
            if (s->is_open && events[i].events & EPOLLOUT) {
                watch(s, EPOLL_CTL_MOD, EPOLLIN);
                flush_stream(s);
            }
            if (s->is_open && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                on_readable(s);
        }
    }
}

/* ---- connecting ------------------------------------------------------------------------------------------------- */

static void open_websocket(Client *c)
{
    static const char request[] = " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                                  "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    const char *path = opt.path ? opt.path : "/socket.io/?EIO=4&transport=websocket";
    dial(c, &c->ws, take_websocket);
    append(&c->ws.out, "GET ", 4);
    append(&c->ws.out, path, strlen(path));
    if (c->sid[0]) {
        append(&c->ws.out, "&sid=", 5);
        append(&c->ws.out, c->sid, strlen(c->sid));
    }
    append(&c->ws.out, request, sizeof request - 1);
    flush_stream(&c->ws);
}

static void open_client(Client *c)
{
    if (opt.transport == WEBSOCKET)
        return open_websocket(c);
    c->state = OPENING;
    dial(c, &c->http, take_answers);
    flush(c);
}

static int connected_goal;

static bool connected_or_lost(void)
{
    return connected >= connected_goal || lost;
}

/* Opens n more connections, at most opt.at_once at a time; true when all are in the root namespace. */
static bool connect_more(int n)
{
    int goal = connected + n;
    while (connected < goal && !lost) {
        while (dialed < goal && dialed - connected < opt.at_once)
            open_client(&clients[dialed++]);
        int before = connected;
        connected_goal = before + 1;
        run(now() + STEP_TIMEOUT_S, connected_or_lost);
        if (connected == before && !lost) {
            fail("no connection in %.0f s", STEP_TIMEOUT_S);
            break;
        }
    }
    return !errors;
}

/* ---- the modes: each prints its figures as members of the JSON object ------------------------------------------- */

/* A stretch of time, and how much CPU the server (--pid) used by its beginning. */
typedef struct {
    double start, server_cpu;
} Span;

static double server_cpu_seconds(void)
{
    clockid_t clock;
    struct timespec t = {0};
    if (opt.pid && (clock_getcpuclockid(opt.pid, &clock) || clock_gettime(clock, &t)))
        fail("cannot read the CPU time of process %d", opt.pid);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static Span span_begin(void)
{
    return (Span){.server_cpu = server_cpu_seconds(), .start = now()};
}

/* Returns how long the span was, and prints what share of it the server was running on a CPU. */
static double span_end(Span span)
{
    double seconds = now() - span.start;
    if (opt.pid)
        printf(", \"server_cpu\": %.3f", (server_cpu_seconds() - span.server_cpu) / seconds);
    return seconds;
}

static long acks_goal, deliveries_goal;

static bool acks_complete(void)
{
    return acks >= acks_goal || lost;
}

static bool deliveries_complete(void)
{
    return deliveries >= deliveries_goal || lost;
}

static void wait_for_acks(long total)
{
    acks_goal = total;
    run(now() + STEP_TIMEOUT_S, acks_complete);
    if (acks != total)
        fail("%ld acks missing", total - acks);
}

static bool refilling;

static void check_ack(const char *payload, size_t len, double latency)
{
    if (!memmem(payload, len, marker.data, marker.len))
        fail("wrong ack: %.*s", (int)(len > 100 ? 100 : len), payload);
    add_latency(latency);
}

static void on_echo_ack(Client *c, const char *payload, size_t len, double latency)
{
    check_ack(payload, len, latency);
    if (refilling)
        put_event(c, &event_payload, now());
}

static void measure_echo(void)
{
    if (!connect_more(opt.conns))
        return;
    on_ack = on_echo_ack;
    refilling = true;
    for (int i = 0; i < opt.conns; i++) {
        for (int k = 0; k < opt.window; k++)
            put_event(&clients[i], &event_payload, now());
        flush(&clients[i]);
    }
    run(now() + 1, NULL); /* warm up */
    latencies.len = 0;
    long before = acks;
    Span span = span_begin();
    run(span.start + opt.seconds, NULL);
    long measured = acks - before;
    printf(", \"rate\": %.1f", measured / span_end(span));
    print_latencies();
    refilling = false;
    long sent = 0;
    for (int i = 0; i < opt.conns; i++)
        sent += clients[i].ack_id;
    wait_for_acks(sent);
}

static double cast(Client *sender, long receivers)
{
    static Buffer packet;
    if (!packet.len) {
        reserve(&packet, opt.size + 64);
        const char *cast = "42[\"cast\",{\"text\":\"%s\",\"room\":\"all\"}]";
        const char *frame = "{\"action\":\"cast\",\"payload\":\"%s\"}";
        packet.len = sprintf(packet.data, opt.path ? frame : cast, marker.data);
    }
    deliveries = 0;
    deliveries_goal = receivers;
    double start = now();
    put_text(sender, packet.data, packet.len);
    flush(sender);
    run(start + STEP_TIMEOUT_S, deliveries_complete);
    if (deliveries != receivers)
        fail("%ld of %ld clients received a broadcast", deliveries, receivers);
    return now() - start;
}

static double cast_once(void)
{
    return cast(&clients[0], opt.conns);
}

static void measure_broadcast(void)
{
    if (!connect_more(opt.conns))
        return;
    run(now() + 1, NULL);
    for (double end = now() + 1; now() < end && !errors;)
        cast_once(); /* warm up */
    long total = 0;
    Span span = span_begin();
    while (now() < span.start + opt.seconds && !errors) {
        add_latency(cast_once());
        total += deliveries;
    }
    printf(", \"rate\": %.1f", total / span_end(span));
    print_latencies();
}

static void measure_connect(void)
{
    acks_at_once = ACKS_OF_ONE;
    if (!connect_more(WARM_UP)) /* not counted */
        return;
    Span span = span_begin();
    if (!connect_more(opt.conns))
        return;
    printf(", \"rate\": %.1f", opt.conns / span_end(span));
}

static long memory_kib(void)
{
    char text[256];
    long kib = 0;
    snprintf(text, sizeof text, "/proc/%d/smaps_rollup", opt.pid);
    FILE *file = fopen(text, "r");
    while (file && fgets(text, sizeof text, file))
        if (sscanf(text, "Pss: %ld", &kib) == 1)
            break;
    if (file)
        fclose(file);
    if (!kib)
        fail("cannot read the memory of process %d", opt.pid);
    return kib;
}

static void measure_idle(void)
{
    if (!connect_more(50)) /* what the server sets up with its first clients is not counted */
        return;
    run(now() + 1, NULL);
    long before = memory_kib();
    if (!connect_more(opt.conns))
        return;
    run(now() + 2, NULL);
    printf(", \"kib_per_conn\": %.3f", (double)(memory_kib() - before) / opt.conns);
}

static void on_pace_ack(Client *c, const char *payload, size_t len, double latency)
{
    (void)c;
    check_ack(payload, len, latency);
}

static void measure_pace(void)
{
    if (!connect_more(opt.conns))
        return;
    on_ack = on_pace_ack;
    poll_ms = 0; /* sleeping would send in bursts */
    long sent = 0, total = opt.rate * opt.seconds;
    Span span = span_begin();
    double due = span.start;
    while (sent < total && !lost) {
        Client *c = &clients[sent % opt.conns];
        run(due, NULL);
        put_event(c, &event_payload, due);
        flush(c);
        due += 1.0 / opt.rate;
        sent++;
    }
    wait_for_acks(total);
    span_end(span);
    printf(", \"sent\": %ld", total);
    print_latencies();
}

static long server_count;

static void on_count_ack(Client *c, const char *payload, size_t len, double latency)
{
    (void)c, (void)latency, (void)len;
    server_count = strtol(payload + 1, NULL, 10);
}

/* Asks the server how many clients it has; -1 without an answer. */
static long ask_count(Client *observer, double deadline)
{
    static Buffer payload;
    if (!payload.len)
        append(&payload, "[\"count\"]", 9);
    server_count = -1;
    acks_goal = acks + 1;
    put_event(observer, &payload, now());
    flush(observer);
    run(deadline, acks_complete);
    return server_count;
}

/* Closes all connections but the observer's, and waits until the server knows. */
static void close_all(Client *observer, long count)
{
    double start = now();
    for (int i = 0; i < opt.conns; i++)
        hang_up(&clients[i].ws);
    for (poll_ms = 1; count != 1 && count >= 0 && !errors; run(now() + .001, NULL))
        count = ask_count(observer, start + STORM_TIMEOUT_S);
    if (count != 1)
        fail("%ld clients left after %.0f s", count - 1, now() - start);
}

static void measure_disconnect(void)
{
    if (!connect_more(opt.conns + 1))
        return;
    on_ack = on_count_ack;
    run(now() + 1, NULL);
    Client *observer = &clients[opt.conns];
    long count = ask_count(observer, now() + STEP_TIMEOUT_S);
    if (count != opt.conns + 1)
        fail("the server counts %ld clients, %d are connected", count, opt.conns + 1);
    Span span = span_begin();
    close_all(observer, count);
    printf(", \"seconds\": %.4f", span_end(span));
}

static void measure_recover(void)
{
    if (!connect_more(opt.conns + 1))
        return;
    Client *observer = &clients[opt.conns];
    run(now() + 1, NULL);
    cast(observer, opt.conns + 1);
    if (!clients[0].pid[0] || !offset[0])
        return fail("the server recovers no connections");
    char seen[sizeof offset];
    memcpy(seen, offset, sizeof offset);
    on_ack = on_count_ack;
    close_all(observer, opt.conns + 1);
    for (int i = 0; i < opt.missed; i++)
        cast(observer, 1);
    memcpy(offset, seen, sizeof offset);
    for (int i = 0; i < opt.conns; i++) {
        clients[i].state = UPGRADING;
        clients[i].sid[0] = 0; /* of a session that is over */
    }
    dialed = connected = deliveries = 0;
    recovering = true;
    Span span = span_begin();
    if (!connect_more(opt.conns))
        return;
    printf(", \"rate\": %.1f", opt.conns / span_end(span));
    if (deliveries != (long)opt.conns * opt.missed)
        fail("%ld missed events came, and not %ld", deliveries, (long)opt.conns * opt.missed);
}

/* ---- command line ----------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*measure)(void);
} modes[] = {
    {"echo", measure_echo}, {"broadcast", measure_broadcast}, {"connect", measure_connect},
    {"idle", measure_idle}, {"pace", measure_pace},           {"disconnect", measure_disconnect},
    {"recover", measure_recover},
};

static const struct {
    const char *name;
    int *number;
} numbers[] = {
    {"--port", &opt.port}, {"--port2", &opt.port2},   {"--conns", &opt.conns}, {"--size", &opt.size},
    {"--pid", &opt.pid},   {"--window", &opt.window}, {"--rate", &opt.rate},   {"--binary", &opt.binary},
    {"--missed", &opt.missed}, {"--at-once", &opt.at_once},
};

static void usage(const char *problem, const char *word)
{
    fprintf(stderr,
            "load: %s %s\nusage: load echo|broadcast|connect|idle|pace|disconnect|recover --port PORT [--port2 PORT]\n"
            "            [--conns N] [--seconds S] [--size BYTES] [--window W] [--event NAME] [--rate R] [--binary 1]\n"
            "            [--missed M] [--at-once N] [--transport websocket|polling|upgrade] [--path PATH] [--pid PID]\n",
            problem, word);
    exit(2);
}

static void set_option(const char *name, const char *value)
{
    char *end = "";
    bool known = false;
    if (!strcmp(name, "--event"))
        known = true, opt.event = value;
    if (!strcmp(name, "--path"))
        known = true, opt.path = value;
    for (size_t i = 0; !strcmp(name, "--transport") && i < sizeof transports / sizeof *transports; i++)
        if (!strcmp(value, transports[i]))
            known = true, opt.transport = i;
    if (!strcmp(name, "--seconds"))
        known = true, opt.seconds = strtod(value, &end);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!strcmp(name, numbers[i].name))
            known = true, *numbers[i].number = strtol(value, &end, 10);
    if (!known)
        usage("unknown option or value:", name);
    if (*end)
        usage("not a number:", value);
}

static void check_options(const char *mode)
{
    if (opt.port < 1 || opt.port > 65535)
        usage("needs", "--port");
    if (opt.conns < 1 || opt.size < 1 || opt.window < 1 || opt.rate < 1 || opt.missed < 1 || opt.at_once < 1 ||
        opt.seconds <= 0)
        usage("--conns, --size, --window, --rate, --missed, --at-once and --seconds", "must be positive");
    if (opt.window > ACKS_AT_ONCE - 1)
        usage("--window", "is too large");
    if (!strcmp(mode, "idle") && !opt.pid)
        usage("idle needs", "--pid");
    if (opt.path && strcmp(mode, "broadcast") && strcmp(mode, "connect") && strcmp(mode, "idle"))
        usage("not a mode of a plain WebSocket:", mode);
    if (opt.transport != WEBSOCKET && (opt.path || opt.binary))
        usage("--path and --binary", "need --transport websocket");
    if (opt.transport != WEBSOCKET && (!strcmp(mode, "disconnect") || !strcmp(mode, "recover")))
        usage("not a mode of this transport:", mode);
    if (opt.binary && strcmp(mode, "echo") && strcmp(mode, "pace"))
        usage("not a mode with attachments:", mode);
}

static void prepare(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    clients = calloc(opt.conns + WARM_UP, sizeof *clients); /* + those a mode opens for itself */
    reserve(&marker, opt.size + 1);
    memset(marker.data, 'x', opt.size);
    marker.data[opt.size] = 0;
    marker.len = opt.size;
    reserve(&event_payload, opt.size + strlen(opt.event) + 64);
    const char *text = "[\"%s\",{\"text\":\"%s\",\"room\":\"lobby\"}]";
    const char *binary = "[\"%s\",{\"_placeholder\":true,\"num\":0}]";
    event_payload.len = sprintf(event_payload.data, opt.binary ? binary : text, opt.event, marker.data);
}

int main(int argc, char **argv)
{
    void (*measure)(void) = NULL;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (argc > 1 && !strcmp(argv[1], modes[i].name))
            measure = modes[i].measure;
    if (!measure)
        usage("unknown mode", argc > 1 ? argv[1] : "(none)");
    for (int i = 2; i < argc; i += 2)
        set_option(argv[i], i + 1 < argc ? argv[i + 1] : "");
    check_options(argv[1]);
    prepare();
    printf("{\"mode\": \"%s\"", argv[1]);
    measure();
    printf(", \"errors\": %ld}\n", errors);
    if (errors)
        fprintf(stderr, "load: %s\n", first_error);
    return errors ? 1 : 0;
}
