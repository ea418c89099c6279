#ifndef SOUK_STAGES_H
#define SOUK_STAGES_H

/* Files that process 1 of a container inherits beside the standard three. */
#define STAGE_REPORT_FD 3 /* pipe for records */
#define STAGE_SELF_FD 4   /* this program */

#define STAGE_RUNS 1   /* the command was executed */
#define STAGE_FAILED 2 /* it could not be; value is errno */
#define STAGE_ENDED 3  /* value is the raw wait status */

struct stage_record {
	int kind;
	int value;
};

#endif
