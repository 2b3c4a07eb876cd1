/*
 * Clients that never read, for the bench of slow readers.
 *
 *   never-read <port> <path?query> <streams> <receive-buffer-bytes> <reopen-seconds> <spread-seconds>
 *
 * Opens <streams> connections with a receive buffer of that size (SO_RCVBUF; the kernel doubles it) and reads nothing from any of them. Each is given up
 * <reopen-seconds> after it was opened, the streams spread evenly over <spread-seconds>: only then is what stands in its receive buffer read, once, for the
 * last event id in it, the socket closed and another opened with that id as Last-Event-ID, as a browser does whose tab was asleep. A client that does not
 * read cannot see that the server has closed: the FIN stands behind a closed window.
 *
 * Standard output: `open` once all have sent their request; at the end of standard input `done {json}`, and it ends.
 * Exit code 1 when a connection fails, or was answered with anything but 200.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ID_BYTES = 36, READ_BYTES = 1 << 20 };

struct stream {
  int fd;
  uint64_t due_ns;
  char id[ID_BYTES + 1];
};

static uint64_t reopened, resumed;

static uint64_t monotonic_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void fail(const char *what) {
  fprintf(stderr, "never-read: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void open_stream(struct stream *s, int port, const char *target, int receive_bytes) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  s->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (s->fd < 0) fail("socket");
  /* Before the connect: the window that is offered comes of it. */
  if (setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes) != 0) fail("SO_RCVBUF");
  if (connect(s->fd, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
  char request[4096], cursor[64] = "";
  if (s->id[0] != 0) snprintf(cursor, sizeof cursor, "Last-Event-ID: %s\r\n", s->id);
  int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: text/event-stream\r\n%s\r\n", target, port, cursor);
  if (send(s->fd, request, (size_t)length, 0) != length) fail("send");
}

/* What the kernel has kept for it; closing with the rest unread resets the connection. */
static void give_up(struct stream *s, char *buffer) {
  ssize_t got = recv(s->fd, buffer, READ_BYTES - 1, MSG_DONTWAIT);
  if (got <= 0) { fprintf(stderr, "never-read: a stream was not answered\n"); exit(1); }
  buffer[got] = 0;
  if (memcmp(buffer, "HTTP/1.1 ", 9) == 0 && memcmp(buffer, "HTTP/1.1 200", 12) != 0) {
    fprintf(stderr, "never-read: answered %.60s\n", buffer);
    exit(1);
  }
  for (char *at = buffer; (at = memmem(at, (size_t)(buffer + got - at), "id: ", 4)) != NULL; at += 4) {
    if (at + 4 + ID_BYTES < buffer + got && at > buffer && at[-1] == '\n') memcpy(s->id, at + 4, ID_BYTES);
  }
  close(s->fd);
  reopened++;
  if (s->id[0] != 0) resumed++;
}

int main(int count, char **words) {
  if (count != 7) { fprintf(stderr, "never-read <port> <path?query> <streams> <receive-buffer-bytes> <reopen-seconds> <spread-seconds>\n"); return 2; }
  int port = atoi(words[1]), receive_bytes = atoi(words[4]);
  uint64_t streams = strtoull(words[3], NULL, 10);
  uint64_t reopen_ns = (uint64_t)(atof(words[5]) * 1e9), spread_ns = (uint64_t)(atof(words[6]) * 1e9);
  struct rlimit files = {streams + 64, streams + 64};
  setrlimit(RLIMIT_NOFILE, &files);
  struct stream *all = calloc(streams, sizeof *all);
  char *buffer = malloc(READ_BYTES);
  for (uint64_t i = 0; i < streams; i++) {
    open_stream(&all[i], port, words[2], receive_bytes);
    all[i].due_ns = monotonic_ns() + reopen_ns + i * spread_ns / streams;
  }
  printf("open\n");
  fflush(stdout);
  struct pollfd end = {.fd = 0, .events = POLLIN};
  while (poll(&end, 1, 5) == 0) {
    uint64_t now = monotonic_ns();
    for (uint64_t i = 0; i < streams; i++) {
      if (now < all[i].due_ns) continue;
      give_up(&all[i], buffer);
      open_stream(&all[i], port, words[2], receive_bytes);
      all[i].due_ns += reopen_ns;
    }
  }
  printf("done {\"reopened\":%lu,\"resumed\":%lu}\n", reopened, resumed);
  fflush(stdout);
  return 0;
}
