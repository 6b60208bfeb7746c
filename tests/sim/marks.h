/* The marks of the engine under test (base/mark.h): which were reached, and which had to be. */
#ifndef SIM_MARKS_H
#define SIM_MARKS_H

#include "base/base.h"

/* Prints how many there are and those that were never reached. */
void marks_report(void);
/* Were all reached but those that the file names, one a line? Says what is missing, also what the file names
 * and the engine does not have. */
bool marks_require(const char *path);

#endif
