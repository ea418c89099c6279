#ifndef SOUK_PLAN_H
#define SOUK_PLAN_H

#include <stdint.h>

/*
 * A plan is what the Go side decided and perform.c does, step by step: a row of
 * records in native byte order, each a multiple of eight bytes long. Numbers not
 * mentioned are zero. Up to START the shim acts, from there on process 1 of the
 * container; RUN or IDLE is the last.
 */
struct plan_step {
	uint32_t kind;
	uint32_t size;    /* of the whole record */
	uint32_t strings; /* in data, each ended by a NUL */
	uint32_t bytes;   /* of data */
	int64_t n[6];
	char data[];
};

enum plan_kind {
	PLAN_OUTPUT = 1, /* fd, uid, gid, 1 to follow no links; path: open a file for appending and give it away */
	PLAN_TARGET,     /* pid, start time: the process whose container is entered */
	PLAN_START,      /* namespaces; of a target entered before, they are new ones below its own */
	PLAN_WRITE,      /* path, text */
	PLAN_ENTER,      /* namespaces of the target */
	PLAN_UNSHARE,    /* namespaces */
	PLAN_MOUNT,      /* flags; source, target, type, data */
	PLAN_ATTR,       /* attributes to set; path: of all mounts below it */
	PLAN_JOIN,       /* file of a namespace */
	PLAN_HOSTNAME,   /* name */
	PLAN_RLIMIT,     /* resource, soft, hard */
	PLAN_MASK,       /* path: hide a file or directory, if it is there */
	PLAN_READONLY,   /* path: likewise protect it */
	PLAN_BECOME,     /* uid, gid, capabilities: bounding, permitted, effective; groups as bytes */
	PLAN_CHDIR,      /* path, seen from inside */
	PLAN_FILTER,     /* flags, 1 if process 1 may have it before the command is there; a program for seccomp as bytes */
	PLAN_INPUT,      /* 1 for a terminal: what the shim inherited is the command's stdin */
	PLAN_ARGV,       /* strings */
	PLAN_ENV,        /* strings */
	PLAN_RUN,        /* path */
	PLAN_IDLE,       /* instead of RUN: run nothing */
};

/* Files that a shim which performs a plan inherits beside the standard three. */
#define PLAN_READY_FD 3
#define PLAN_LOCK_FD 4
#define PLAN_FD 5     /* the plan itself */
#define PLAN_INPUT_FD 6  /* only with INPUT */
#define PLAN_MASTER_FD 7 /* of a terminal, which must not hang up when the agent goes away */

/* Forks shims that perform plans, until the agent hangs up. title is shown in lists
 * of processes. Never returns. */
void fork_shims(char *title);

/* Performs the plan for the container whose directory is path. Never returns. */
void perform(char *path);

#endif
