/*
 * Performs a plan: everything between the decision how a container looks and its
 * running command, without a Go runtime. See plan.h for the steps and stages.c
 * for what comes before and after.
 *
 * Two processes take part. The shim stays outside; the one it clones becomes
 * process 1 of the container, or the first process of a nested one, and never
 * executes another program: it forks the command and waits for it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plan.h"
#include "stages.h"

/* A program that stays away for the whole life of a plan needs no allocator. */
static struct {
	struct plan_step *first, *end;
	char **argv, **envp;
	struct plan_step *filter; /* applied last of all */
	int dir;                  /* of the container's records */
	int target;               /* pidfd */
	int report;               /* where process 1 tells how it fares */
	int go;                   /* what it waits for before the command runs */
	int terminal;             /* -1: the command has no input */
} plan = {.dir = -1, .target = -1, .report = -1, .go = -1, .terminal = -1};

/* Strings of a step, in order. */
static const char *string(const struct plan_step *s, int i) {
	const char *p = s->data;
	while (i-- > 0)
		p += strlen(p) + 1;
	return p;
}

static char **strings(struct plan_step *s) {
	char **list = calloc(s->strings + 1, sizeof *list), *p = s->data;
	for (uint32_t i = 0; list && i < s->strings; i++, p += strlen(p) + 1)
		list[i] = p;
	return list;
}

/* Says why the container cannot be had, in one sentence, and ends. Called by the
 * shim; process 1 goes through refuse. */
static void __attribute__((noreturn)) fail(const char *text) {
	char line[700];
	int n = snprintf(line, sizeof line, "fail %.600s\n", text);
	int fd = openat(plan.dir, "exit.tmp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0 && write(fd, line, n) == n && fdatasync(fd) == 0)
		renameat(plan.dir, "exit.tmp", plan.dir, "exit");
	n = snprintf(line, sizeof line, "e%.600s", text);
	if (write(PLAN_READY_FD, line, n) != n)
		_exit(2);
	_exit(1);
}

static void __attribute__((noreturn, format(printf, 1, 2))) refuse(const char *format, ...) {
	char text[600];
	int why = errno;
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (n < 0 || n > 500)
		n = strlen(text);
	if (why)
		snprintf(text + n, sizeof text - n, ": %s", strerror(why));
	if (plan.report < 0)
		fail(text);
	struct stage_record r = {STAGE_REFUSED, (int)strlen(text)};
	if (write(plan.report, &r, sizeof r) == sizeof r && write(plan.report, text, r.value) != r.value)
		_exit(2);
	_exit(1);
}

/* A small file that is never seen half written. */
static void note(const char *tmp, const char *name, const char *text, size_t n) {
	int fd = openat(plan.dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, n) != (ssize_t)n || close(fd) < 0)
		refuse("write the record %s", name);
	if (strcmp(tmp, name) && renameat(plan.dir, tmp, plan.dir, name) < 0)
		refuse("rename the record %s", name);
}

/* When a process started, in ticks since boot: field 22, counted from behind the
 * name, which may hold anything. */
static unsigned long long started(pid_t pid) {
	char text[1024], path[48];
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = 0;
	char *p = strrchr(text, ')');
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p ? strtoull(p, NULL, 10) : 0;
}

static int identify(char *text, size_t room, pid_t pid) {
	return snprintf(text, room, "{\"pid\":%d,\"start\":%llu}", pid, started(pid));
}

/* What a Go shim writes when it begins: see shim.Begin. */
static void begin(void) {
	static char room[1024];
	char text[64];
	note("shim.pid.tmp", "shim.pid", text, identify(text, sizeof text, getpid()));
	memset(room, ' ', sizeof room);
	note("exit.tmp", "exit.tmp", room, sizeof room);
}

/* Links and pipes are refused: the sandbox may belong to somebody with fewer
 * rights. See shim.Spec.Output. */
static void output(struct plan_step *s) {
	const char *path = string(s, 0), *name = strrchr(path, '/') + 1;
	struct stat st;
	/* The sandbox of a nested container lies in one that belongs to somebody else. */
	struct open_how how = {
		.flags = O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		.mode = 0644,
		.resolve = s->n[3] ? RESOLVE_NO_SYMLINKS : 0,
	};
	int fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
	if (fd < 0)
		refuse("open %s of the sandbox for output", name);
	if (fstat(fd, &st) < 0)
		refuse("use %s of the sandbox for output", name);
	if (!S_ISREG(st.st_mode)) {
		errno = 0;
		refuse("use %s of the sandbox for output: it is not a regular file", name);
	}
	if ((uid_t)s->n[1] != getuid() && fchown(fd, s->n[1], s->n[2]) < 0)
		refuse("use %s of the sandbox for output", name);
	if (fcntl(fd, F_SETFL, O_APPEND) < 0 || dup2(fd, s->n[0]) < 0)
		refuse("use %s of the sandbox for output", name);
	close(fd);
}

/* Holds on to a process and to its process ids: whoever is cloned from here on
 * is one of them. */
static void target(struct plan_step *s) {
	plan.target = syscall(SYS_pidfd_open, (pid_t)s->n[0], 0);
	if (plan.target < 0 || (s->n[1] && started(s->n[0]) != (unsigned long long)s->n[1])) {
		errno = 0;
		refuse("the parent container has ended");
	}
	if (setns(plan.target, CLONE_NEWPID) < 0)
		refuse("enter the process ids of the parent container");
}

static void put(struct plan_step *s) {
	const char *path = string(s, 0), *text = string(s, 1);
	ssize_t n = strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, n) != n)
		refuse("write %s to %s", text, path);
	close(fd);
}

static void enter(struct plan_step *s) {
	if (setns(plan.target, s->n[0]) < 0)
		refuse("enter the namespaces of the parent container");
	close(plan.target);
}

static void attach(struct plan_step *s) {
	const char *data = string(s, 3);
	if (mount(string(s, 0), string(s, 1), string(s, 2), s->n[0], *data ? data : NULL) < 0)
		refuse("mount %s on %s", string(s, 0), string(s, 1));
}

static void attributes(struct plan_step *s) {
	struct mount_attr attr = {.attr_set = s->n[0]};
	if (syscall(SYS_mount_setattr, AT_FDCWD, string(s, 0), AT_RECURSIVE, &attr, sizeof attr) < 0)
		refuse("protect %s", string(s, 0));
}

static void join(struct plan_step *s) {
	int fd = open(string(s, 0), O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, 0) < 0)
		refuse("enter the namespace %s", string(s, 0));
	close(fd);
}

static void limit(struct plan_step *s) {
	struct rlimit r = {s->n[1], s->n[2]};
	if (setrlimit(s->n[0], &r) < 0)
		refuse("set limit %d of resources", (int)s->n[0]);
}

static void mask(struct plan_step *s) {
	const char *path = string(s, 0);
	if (mount("/dev/null", path, NULL, MS_BIND, NULL) == 0 || errno == ENOENT)
		return;
	if (errno != ENOTDIR || mount("tmpfs", path, "tmpfs", MS_RDONLY, "nr_blocks=1,nr_inodes=1") < 0)
		refuse("hide %s", path);
}

static void protect(struct plan_step *s) {
	const char *path = string(s, 0);
	if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) < 0) {
		if (errno == ENOENT)
			return;
		refuse("protect %s", path);
	}
	if (mount(path, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL) < 0)
		refuse("protect %s", path);
}

static void become(struct plan_step *s) {
	uint64_t bounding = s->n[2], permitted = s->n[3], effective = s->n[4];
	for (int cap = 0; cap < 64; cap++)
		if (!(bounding >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			if (errno != EINVAL) /* EINVAL: the kernel has no more */
				refuse("drop capability %d", cap);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		refuse("keep capabilities");
	if (setgroups(s->bytes / sizeof(gid_t), (gid_t *)s->data) < 0)
		refuse("set the groups of the user");
	if (setresgid(s->n[1], s->n[1], s->n[1]) < 0 || setresuid(s->n[0], s->n[0], s->n[0]) < 0)
		refuse("become user %d", (int)s->n[0]);
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2] = {
		{effective, permitted, 0}, {effective >> 32, permitted >> 32, 0},
	};
	if (syscall(SYS_capset, &h, d) < 0)
		refuse("set capabilities");
	prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		refuse("give up new privileges");
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* as setresuid may have changed it */
}

/* A work directory outside the root would be a way out of the container. */
static void change_dir(struct plan_step *s) {
	char cwd[4096];
	if (chdir(string(s, 0)) < 0)
		refuse("work directory %s cannot be used", string(s, 0));
	if (syscall(SYS_getcwd, cwd, sizeof cwd) > 0 && cwd[0] != '/') {
		errno = 0;
		refuse("work directory %s lies outside the container", string(s, 0));
	}
}

static int apply_filter(void) {
	struct sock_fprog program;
	if (!plan.filter)
		return 0;
	program.len = plan.filter->bytes / sizeof(struct sock_filter);
	program.filter = (struct sock_filter *)plan.filter->data;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, plan.filter->n[0], &program);
}

static int take_input(void) {
	if (plan.terminal < 0)
		return 0;
	if (dup2(PLAN_INPUT_FD, 0) < 0)
		return -1;
	if (plan.terminal && (ioctl(0, TIOCSCTTY, 0) < 0 || dup2(0, 1) < 0 || dup2(0, 2) < 0))
		return -1;
	close(PLAN_INPUT_FD);
	return 0;
}

/* In process 1: runs the command and ends with it. */
static void __attribute__((noreturn)) run(const char *path) {
	char byte;
	int ends[2], failed = 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		refuse("make a pipe");
	if (read(plan.go, &byte, 1) != 1)
		_exit(1); /* the shim is gone */
	close(plan.go);
	stage_reset_signals();
	if (getpid() != 1)
		prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* see stage_reap */
	/* One filter for both costs half of two that are the same. */
	int shared = plan.filter && plan.filter->n[1];
	if (shared && apply_filter() < 0)
		refuse("filter system calls");
	pid_t command = fork();
	if (command < 0)
		refuse("fork");
	if (command == 0) {
		setsid();
		if (take_input() == 0 && (shared || apply_filter() == 0))
			execve(path, plan.argv, plan.envp);
		failed = errno;
		if (write(ends[1], &failed, sizeof failed) < 0)
			_exit(126);
		_exit(127);
	}
	close(ends[1]);
	if (read(ends[0], &failed, sizeof failed) == sizeof failed)
		stage_tell(plan.report, STAGE_FAILED, failed), _exit(127);
	close(ends[0]);
	for (int fd = 0; fd <= 2; fd++)
		close(fd);
	if (plan.terminal >= 0)
		close(PLAN_INPUT_FD);
	setsid();
	if (!shared && apply_filter() < 0)
		_exit(1);
	stage_tell(plan.report, STAGE_RUNS, 0);
	stage_reap(command, plan.report);
}

static void nothing(int sig) { (void)sig; }

/* In process 1 of a container that runs nothing: there until it is killed. What
 * others leave behind comes to it. */
static void __attribute__((noreturn)) idle(void) {
	char byte;
	struct sigaction child = {.sa_handler = nothing};
	if (read(plan.go, &byte, 1) != 1)
		_exit(1); /* the shim is gone */
	close(plan.go);
	stage_reset_signals();
	sigaction(SIGCHLD, &child, NULL);
	setsid();
	for (int fd = 0; fd <= 2; fd++)
		close(fd);
	if (apply_filter() < 0)
		_exit(1);
	stage_tell(plan.report, STAGE_RUNS, 0);
	for (;;) {
		while (waitpid(-1, NULL, WNOHANG) > 0) {
		}
		poll(NULL, 0, 60000); /* a signal between the two is not lost for ever */
	}
}

/* One step; those that only take note of something have been taken care of. */
static void step(struct plan_step *s) {
	switch (s->kind) {
	case PLAN_OUTPUT: output(s); break;
	case PLAN_TARGET: target(s); break;
	case PLAN_WRITE: put(s); break;
	case PLAN_ENTER: enter(s); break;
	case PLAN_UNSHARE:
		if (unshare(s->n[0]) < 0)
			refuse("create a namespace");
		break;
	case PLAN_MOUNT: attach(s); break;
	case PLAN_ATTR: attributes(s); break;
	case PLAN_JOIN: join(s); break;
	case PLAN_RLIMIT: limit(s); break;
	case PLAN_HOSTNAME:
		if (sethostname(string(s, 0), strlen(string(s, 0))) < 0)
			refuse("set the hostname");
		break;
	case PLAN_MASK: mask(s); break;
	case PLAN_READONLY: protect(s); break;
	case PLAN_BECOME: become(s); break;
	case PLAN_CHDIR: change_dir(s); break;
	case PLAN_INPUT:
		plan.terminal = s->n[0] != 0;
		close(PLAN_MASTER_FD);
		break;
	case PLAN_FILTER: plan.filter = s; break;
	case PLAN_ARGV: plan.argv = strings(s); break;
	case PLAN_ENV: plan.envp = strings(s); break;
	case PLAN_RUN: run(string(s, 0));
	case PLAN_IDLE: idle();
	default:
		errno = 0;
		refuse("a plan with a step of kind %u", s->kind);
	}
}

static struct plan_step *next(struct plan_step *s) {
	return (struct plan_step *)((char *)s + s->size);
}

static void load(void) {
	struct stat st;
	if (fstat(PLAN_FD, &st) < 0 || st.st_size < (off_t)sizeof(struct plan_step))
		refuse("read the plan");
	char *all = malloc(st.st_size + 1);
	if (!all || pread(PLAN_FD, all, st.st_size, 0) != st.st_size)
		refuse("read the plan");
	close(PLAN_FD);
	all[st.st_size] = 0;
	plan.first = (struct plan_step *)all;
	plan.end = (struct plan_step *)(all + st.st_size);
	for (struct plan_step *s = plan.first; s < plan.end; s = next(s))
		if (s->size < sizeof *s || s->size > (size_t)((char *)plan.end - (char *)s) || s->bytes > s->size - sizeof *s) {
			errno = 0;
			refuse("a plan that is cut off");
		}
}

static int interactive(void) {
	for (struct plan_step *s = plan.first; s < plan.end; s = next(s))
		if (s->kind == PLAN_INPUT)
			return 1;
	return 0;
}

/* Process 1 of the container, from START on. */
static void __attribute__((noreturn)) inside(struct plan_step *s, char *path, int report, int go) {
	plan.report = report;
	plan.go = go;
	close(plan.dir);
	close(PLAN_READY_FD);
	close(PLAN_LOCK_FD);
	umask(022);
	prctl(PR_SET_NAME, "souk-init");
	memset(path, 0, strlen(path)); /* where records are is nobody's business inside */
	for (; s < plan.end; s = next(s))
		step(s);
	errno = 0;
	refuse("a plan without an end");
}

/* How process 1 fares, until the command runs. */
static void await(pid_t pid, int report) {
	struct stage_record r;
	char text[600];
	if (read(report, &r, sizeof r) != sizeof r) {
		errno = 0;
		kill(pid, SIGKILL);
		refuse("the container ended before its command ran; is its memory limit too small?");
	}
	if (r.kind == STAGE_RUNS)
		return;
	if (r.kind == STAGE_FAILED) {
		char answer[32];
		int n = snprintf(answer, sizeof answer, "x%d", r.value);
		if (write(PLAN_READY_FD, answer, n) != n)
			_exit(2);
		close(PLAN_READY_FD);
		snprintf(text, sizeof text, "the command cannot be run: %s", strerror(r.value));
		fail(text);
	}
	ssize_t n = r.value < (int)sizeof text ? read(report, text, r.value) : 0;
	text[n > 0 ? n : 0] = 0;
	fail(text);
}

static pid_t clone_with(unsigned long flags) {
	return syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, 0UL);
}

/* The one process whose parent we are. */
static pid_t only_child(void) {
	char text[32] = "", path[48];
	snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
		return -1;
	close(fd);
	return atoi(text);
}

/* Process ids below those of a target can be created only by one who has the
 * latter itself. It makes the shim the parent and is gone. */
static pid_t clone_below(unsigned long flags) {
	pid_t pid = clone_with(0);
	if (pid == 0) {
		pid_t child = clone_with(flags | CLONE_PARENT);
		if (child == 0)
			return 0;
		_exit(child < 0 ? errno : 0);
	}
	int status;
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	if (status) {
		errno = WEXITSTATUS(status);
		return -1;
	}
	return only_child();
}

void perform(char *path) {
	int report[2], go[2];
	char answer[64];
	struct plan_step *s;

	for (int fd = PLAN_READY_FD; fd <= PLAN_FD; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	load();
	/* Whatever else the agent was started with is not for a container. */
	syscall(SYS_close_range, interactive() ? PLAN_MASTER_FD + 1 : PLAN_FD + 1, ~0U, 0);
	plan.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (plan.dir < 0)
		_exit(1);
	begin();
	stage_settle();
	/* Nobody inside may look at or take over a process on its way in. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	for (s = plan.first; s < plan.end && s->kind != PLAN_START; s = next(s))
		step(s);
	if (s >= plan.end || pipe2(report, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
		refuse("start a process");
	int below = plan.target >= 0 && s->n[0] & CLONE_NEWPID;
	pid_t pid = below ? clone_below(s->n[0]) : clone_with(s->n[0]);
	if (pid < 0)
		refuse("start a process in the container");
	if (pid == 0) {
		close(report[0]);
		close(go[1]);
		inside(next(s), path, report[1], go[0]);
	}
	close(report[1]);
	close(go[0]);
	char text[64];
	int n = identify(text, sizeof text, pid);
	note("pid.tmp", "pid", text, n);
	if (write(go[1], "g", 1) < 0) {
		/* it has given up; the report says why */
	}
	close(go[1]);
	await(pid, report[0]);
	n = snprintf(answer, sizeof answer, "k%s", text);
	if (write(PLAN_READY_FD, answer, n) < 0) {
		/* an agent that died meanwhile; another will find the container */
	}
	close(PLAN_READY_FD);
	if (plan.target >= 0)
		close(plan.target);
	if (interactive())
		close(PLAN_INPUT_FD); /* or a terminal would never see its last user go */
	stage_wait(plan.dir, pid, report[0]);
}
