#ifndef SOUK_STAGES_H
#define SOUK_STAGES_H

#include <sys/types.h>

/* Files that process 1 of a container inherits beside the standard three. */
#define STAGE_REPORT_FD 3 /* pipe for records */
#define STAGE_SELF_FD 4   /* this program */

#define STAGE_RUNS 1   /* the command was executed */
#define STAGE_FAILED 2 /* it could not be; value is errno */
#define STAGE_ENDED 3  /* value is the raw wait status */
#define STAGE_REFUSED 4 /* the container cannot be had; value is the length of the text that follows */

struct stage_record {
	int kind;
	int value;
};

/* The parent of a container: what it becomes, and its wait for the end. */
void stage_settle(void);
void stage_wait(int dir, pid_t init, int report) __attribute__((noreturn));

/* Its first process: what signals do, what it tells, and its wait for the command. */
void stage_reset_signals(void);
void stage_tell(int fd, int kind, int value);
void stage_reap(pid_t command, int report) __attribute__((noreturn));

#endif
