/* What a reader takes, the writer can send, and the reader takes the same again: shared by the unit
 * tests and the fuzz target of the commands. */
#ifndef WAYBILL_TESTS_OFTP_REREAD_H
#define WAYBILL_TESTS_OFTP_REREAD_H

#include "oftp/oftp.h"

/* Reads oeb as its command octet says. When that goes well, writes it, unless a legal reason
 * forbids (a name outside the alphabet, for instance), and reads it back; aborts when anything
 * differs. Returns whether oeb was taken; *err has the reader's reason otherwise. */
bool reread(struct span oeb, int level, struct err *err);

#endif
