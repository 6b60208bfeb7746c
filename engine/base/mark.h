/* Marks: names for lines that a test wants to know to have been reached. Built without MARKS they are nothing. */
#ifndef BASE_MARK_H
#define BASE_MARK_H

#ifdef MARKS
struct mark_place {
    const char *name;
    unsigned long hits;
};
/* All places lie in one section, from __start_marks to __stop_marks. */
#define MARK(text)                                                                                           \
    do {                                                                                                     \
        static struct mark_place mark_place_ __attribute__((section("marks"), used)) = {text, 0};            \
        mark_place_.hits++;                                                                                  \
    } while (0)
#define MARK_IF(condition, text)                                                                             \
    do {                                                                                                     \
        if (condition) MARK(text);                                                                           \
    } while (0)
#else
#define MARK(text) ((void)0)
#define MARK_IF(condition, text) ((void)0)
#endif

#endif
