/*
 * Forks shims that perform plans: to execute a program for each would cost more
 * than all that a plan does before its command runs. The agent asks with a message
 * per shim, whose text is the container's directory and whose files are the shim's
 * first ones; the answer is its pid, or an errno less than zero. A shim is a child
 * of the agent, as if that had started it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "plan.h"
#include "stages.h"

#define MOST_FILES (PLAN_MASTER_FD + 1)

struct request {
	char path[4096];
	int files[MOST_FILES], n;
};

/* Files that arrive must not have the numbers they are to get. */
static void occupy(void) {
	int fd;
	do
		fd = dup(STDERR_FILENO);
	while (fd >= 0 && fd < MOST_FILES);
	if (fd > 0)
		close(fd);
}

/* 0 when the agent is gone. */
static int receive(struct request *r) {
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof r->files)];
	} control;
	struct iovec text = {r->path, sizeof r->path - 1};
	struct msghdr m = {.msg_iov = &text, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	ssize_t n;
	do
		n = recvmsg(STDIN_FILENO, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0 || m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return 0;
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return 0;
	r->path[n] = 0;
	r->n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(r->files, CMSG_DATA(c), r->n * sizeof(int));
	return r->n > PLAN_FD;
}

/* The title, which is what a list of processes shows, is where the path is from
 * now on, if it fits: perform takes it from there when a container begins. */
static void __attribute__((noreturn)) become_shim(struct request *r, char *title) {
	setsid();
	for (int i = 0; i < r->n; i++)
		if (dup2(r->files[i], i) < 0)
			_exit(1);
	perform(*title ? title : r->path);
	_exit(1);
}

/* The title is the shim's while it is cloned: one that had to write its own would
 * look like this helper until then, and be killed by whoever means that. */
static int fork_shim(struct request *r, char *title, size_t room) {
	memset(title, 0, room);
	if (strlen(r->path) < room)
		strcpy(title, r->path);
	int pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, 0UL);
	if (pid == 0)
		become_shim(r, title);
	if (pid < 0)
		pid = -errno;
	memset(title, ' ', room);
	return pid;
}

void fork_shims(char *title) {
	static struct request r;
	size_t room = strlen(title);
	prctl(PR_SET_NAME, "souk-fork");
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	occupy();
	while (receive(&r)) {
		int pid = fork_shim(&r, title, room);
		for (int i = 0; i < r.n; i++)
			close(r.files[i]);
		if (send(STDIN_FILENO, &pid, sizeof pid, 0) != sizeof pid)
			break;
	}
	_exit(0);
}
