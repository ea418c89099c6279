/*
 * The parts of a container's life that need no Go runtime, or must come before
 * it. They run as a constructor: argv[1] names the stage, and a stage that never
 * returns costs a fraction of a resident Go program.
 *
 *   shim DIR                the rest of the program runs in a mount namespace of its own
 *   wait DIR PID FD         the parent of container process PID, until its end
 *   reap DROP PATH ARGV...  process 1 of a container, the parent of its command;
 *                           DROP is the name of a variable it is not given, or ""
 *   perform DIR             a whole shim that was given a plan: see perform.c
 *   fork ROOM               forks shims that were given plans: see fork.c
 *
 * The first process of a container tells the shim how the command fares with
 * records of two native ints: a kind and a value.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plan.h"
#include "stages.h"

static void die(const char *what) {
	fprintf(stderr, "souk-containerizer: %s: %s\n", what, strerror(errno));
	_exit(1);
}

/* Mounts made from here on are seen by nobody else and go with the last process
 * of the namespace. Slave, not private: what the machine unmounts later must not
 * stay pinned here. */
static void isolate_mounts(void) {
	if (unshare(CLONE_NEWNS) < 0)
		die("create a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		die("make mounts slaves");
}

/* Durable before visible: a reader of the file exit sees all of it. */
static void record_end(int dir, const char *kind, int value) {
	char text[64];
	int n = snprintf(text, sizeof text, "%s %d\n", kind, value);
	int fd = openat(dir, "exit.tmp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, n) != n || fdatasync(fd) < 0)
		die("write the exit record");
	close(fd);
	if (renameat(dir, "exit.tmp", dir, "exit") < 0)
		die("rename the exit record");
}

/* What the command left in the background has become ours and ends with it. */
static void kill_children(void) {
	char text[4096], path[64];
	snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return;
	text[n] = 0;
	for (char *p = text; *p;) {
		char *end;
		long pid = strtol(p, &end, 10);
		if (end == p || *end != ' ')
			break; /* cut off; the next turn reads the rest */
		if (pid > 0)
			kill((pid_t)pid, SIGKILL);
		p = end + 1;
	}
}

/* The status of the command, if process 1 of the container could still tell;
 * otherwise its own. */
static int status_of(int fd, int own) {
	struct stage_record r;
	if (fd < 0)
		return own;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (read(fd, &r, sizeof r) == sizeof r)
		if (r.kind == STAGE_ENDED)
			return r.value;
	return own;
}

/* Nobody but the agent's SIGKILL ends a shim before its container. */
void stage_settle(void) {
	prctl(PR_SET_NAME, "souk-shim");
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
}

void stage_wait(int dir, pid_t init, int fd) {
	for (int ended = 0;;) {
		int status;
		pid_t pid = waitpid(-1, &status, ended ? WNOHANG : 0);
		if (pid == init) {
			record_end(dir, "wait", status_of(fd, status));
			ended = 1;
		} else if (pid == 0) {
			kill_children();
			poll(NULL, 0, 2);
		} else if (pid < 0 && errno != EINTR) {
			if (!ended)
				record_end(dir, "lost", errno);
			_exit(0);
		}
	}
}

static void wait_for_end(const char *path, pid_t init, int fd) {
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		die("open the container's directory");
	stage_settle();
	stage_wait(dir, init, fd);
}

void stage_tell(int fd, int kind, int value) {
	struct stage_record r = {kind, value};
	if (write(fd, &r, sizeof r) != sizeof r)
		_exit(1);
}

/* Whatever those before ignored or held back is not for a command. */
void stage_reset_signals(void) {
	sigset_t none;
	for (int sig = 1; sig < _NSIG; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Process 1 takes all others with it. The first process of a nested container
 * that shares the process ids of its parent has to kill what the command left. */
void stage_reap(pid_t command, int report) {
	int status;
	for (pid_t pid; (pid = waitpid(-1, &status, 0)) != command;)
		if (pid < 0 && errno != EINTR)
			_exit(1);
	stage_tell(report, STAGE_ENDED, status);
	while (getpid() != 1 && waitpid(-1, NULL, WNOHANG) >= 0) {
		kill_children();
		poll(NULL, 0, 2);
	}
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* Runs the command; if the kernel refuses it, errno goes into the pipe, which
 * otherwise is closed by the execve. */
static void run(int pipe, char **argv, char **envp) {
	setsid();
	execve(argv[3], argv + 4, envp);
	int failed = errno;
	if (write(pipe, &failed, sizeof failed) < 0)
		_exit(126);
	_exit(127);
}

/* libcontainer sets HOME whether it was asked to or not. */
static void drop(char **envp, const char *name) {
	size_t n = strlen(name);
	char **kept = envp;
	for (; *envp; envp++)
		if (n == 0 || strncmp(*envp, name, n) || (*envp)[n] != '=')
			*kept++ = *envp;
	*kept = NULL;
}

/* Process 1 ignores signals it has no handler for, so the command is not process
 * 1: it dies of SIGTERM like anywhere else. */
static void reap(char **argv, char **envp) {
	int ends[2], failed = 0;
	prctl(PR_SET_NAME, "souk-init");
	stage_reset_signals();
	fcntl(STAGE_REPORT_FD, F_SETFD, FD_CLOEXEC);
	fcntl(STAGE_SELF_FD, F_SETFD, FD_CLOEXEC);
	if (pipe2(ends, O_CLOEXEC) < 0) {
		stage_tell(STAGE_REPORT_FD, STAGE_FAILED, errno);
		_exit(1);
	}
	drop(envp, argv[2]);
	pid_t command = fork();
	if (command < 0) {
		stage_tell(STAGE_REPORT_FD, STAGE_FAILED, errno);
		_exit(1);
	}
	if (command == 0)
		run(ends[1], argv, envp);
	close(STAGE_SELF_FD);
	close(ends[1]);
	if (read(ends[0], &failed, sizeof failed) == sizeof failed) {
		stage_tell(STAGE_REPORT_FD, STAGE_FAILED, failed);
		_exit(127);
	}
	close(ends[0]);
	close(0);
	close(1);
	close(2);
	stage_tell(STAGE_REPORT_FD, STAGE_RUNS, 0);
	stage_reap(command, STAGE_REPORT_FD);
}

/* Before nsenter's constructor, which has no priority: what is in the environment
 * of a command must not reach it. */
static void __attribute__((constructor(101))) stage(int argc, char **argv, char **envp) {
	if (argc == 3 && !strcmp(argv[1], "shim"))
		isolate_mounts();
	else if (argc == 5 && !strcmp(argv[1], "wait"))
		wait_for_end(argv[2], (pid_t)atoi(argv[3]), atoi(argv[4]));
	else if (argc >= 5 && !strcmp(argv[1], "reap"))
		reap(argv, envp);
	else if (argc == 3 && !strcmp(argv[1], "perform"))
		perform(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "fork"))
		fork_shims(argv[2]);
}
