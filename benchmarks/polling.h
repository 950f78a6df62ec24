/*
 * The part of load.c that polls: requests, their answers, and the upgrade to a WebSocket.
 *
 * A client has one connection for its GETs. What it POSTs goes there too while no GET is pending, else to a second one,
 * as browsers do. An answer has a Content-Length or is chunked; its body is changed by no Content-Encoding, because none
 * is asked for.
 */

/* ---- requests --------------------------------------------------------------------------------------------------- */

static size_t take_answers(Stream *s, char *data, size_t len);

static void put_request(Client *c, Stream *s, char method, const Buffer *body)
{
    static const char headers[] = "Host: 127.0.0.1\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n";
    char head[512];
    if (!s->is_open)
        dial(c, s, take_answers);
    int len = sprintf(head, "%s /socket.io/?EIO=4&transport=polling%s%s HTTP/1.1\r\n%s",
                      method == 'G' ? "GET" : "POST", c->sid[0] ? "&sid=" : "", c->sid, headers);
    if (method == 'P')
        len += sprintf(head + len, "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: %zu\r\n", body->len);
    len += sprintf(head + len, "\r\n");
    append(&s->out, head, len);
    if (method == 'P')
        append(&s->out, body->data, body->len);
    s->awaited = method;
    flush_stream(s);
}

/* Sends the requests that are due: what there is to POST, and a GET unless one is pending. */
static void request_polls(Client *c)
{
    if (c->state == CONNECTED && !c->ws.is_upgraded && !c->http.awaited)
        put_request(c, &c->http, 'G', NULL);
    if (c->to_post.len && !c->is_posting) {
        c->is_posting = true;
        put_request(c, c->http.awaited ? &c->http2 : &c->http, 'P', &c->to_post);
        c->to_post.len = 0;
    }
    if (c->state == OPENING && !c->http.awaited)
        put_request(c, &c->http, 'G', NULL);
}

/* ---- answers ---------------------------------------------------------------------------------------------------- */

static void handle_packets(Client *c, char *body, size_t len)
{
    char *end = body + len;
    while (body <= end && c->state != CLOSED) {
        char *separator = memchr(body, '\x1e', end - body), *packet_end = separator ? separator : end;
        char after = *packet_end;
        *packet_end = 0; /* a number at the end of the packet ends there */
        handle_text(c, body, packet_end - body);
        *packet_end = after;
        body = packet_end + 1;
    }
}

static void handle_answer(Stream *s, char *body, size_t len)
{
    Client *c = s->client;
    char answered = s->awaited;
    s->awaited = 0;
    switch (answered) {
    case 'P':
        c->is_posting = false;
        if (len != 2 || strncasecmp(body, "ok", 2)) /* python-engineio's is in capitals */
            fail("not the answer to a POST: %.*s", (int)(len > 100 ? 100 : len), body);
        break;
    case 'G':
        handle_packets(c, body, len);
        break;
    default:
        fail("an answer that was not asked for");
    }
}

/* Puts the chunks of a body together where it begins. Returns the length of the chunks, 0 while they are incomplete. */
static size_t join_chunks(char *data, size_t len, size_t *body_len)
{
    size_t done = 0, size = 1;
    *body_len = 0;
    for (bool is_whole = false; !is_whole; is_whole = !size) { /* look first: what is incomplete must stay as it is */
        char *line_end = memchr(data + done, '\n', len - done);
        if (!line_end)
            return 0;
        size = strtoul(data + done, NULL, 16);
        done = line_end + 1 - data + size + 2;
        if (done > len)
            return 0;
    }
    for (char *chunk = data; (size = strtoul(chunk, &chunk, 16)); chunk += size + 2) {
        chunk = strchr(chunk, '\n') + 1;
        memmove(data + *body_len, chunk, size);
        *body_len += size;
    }
    return done;
}

/* Returns the length of the answer in data, 0 while it is incomplete. */
static size_t take_answer(Stream *s, char *data, size_t len)
{
    char *end = memmem(data, len, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (memcmp(data, "HTTP/1.1 200", 12)) {
        lose(s->client, "a request was refused");
        return 0;
    }
    char *body = end + 4;
    size_t body_len = 0, wire_len;
    *end = 0;
    const char *length = strcasestr(data, "\r\ncontent-length:");
    if (length)
        wire_len = body_len = strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
    else if (strcasestr(data, "\r\ntransfer-encoding: chunked"))
        wire_len = 0;
    else {
        lose(s->client, "an answer without a length");
        return 0;
    }
    *end = '\r';
    if (length && (size_t)(data + len - body) < wire_len)
        return 0;
    if (!length && !(wire_len = join_chunks(body, data + len - body, &body_len)))
        return 0;
    handle_answer(s, body, body_len);
    return body + wire_len - data;
}

static size_t take_answers(Stream *s, char *data, size_t len)
{
    size_t done = 0, taken;
    data[len] = 0; /* what is read as text ends there */
    while (done < len && s->is_open && (taken = take_answer(s, data + done, len - done)))
        done += taken;
    return done;
}

/* ---- the upgrade ------------------------------------------------------------------------------------------------ */

static void open_websocket(Client *c);

/* Opens the WebSocket of a session that polls. */
static void begin_probe(Client *c)
{
    c->state = PROBING;
    open_websocket(c);
}

/* Moves the session to its WebSocket once the probe was answered, and asks for an ack there. */
static void finish_probe(Client *c)
{
    put_text(c, "5", 1);
    hang_up(&c->http);
    hang_up(&c->http2);
    put_event(c, &event_payload, now());
}

/* Counts a connection when the ack has come over its WebSocket. */
static void complete_upgrade(Client *c, const char *ack, size_t len)
{
    if (!memmem(ack, len, marker.data, marker.len))
        fail("wrong ack: %.*s", (int)(len > 100 ? 100 : len), ack);
    c->state = CONNECTED;
    connected++;
}
