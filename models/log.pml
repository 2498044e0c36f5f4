/* SPDX-License-Identifier: MIT */
/*
 * The log's ring.
 *
 * Two cores write lines of one or two slots into a ring of SLOTS slots, so that it wraps and
 * writers meet each other's slots of the lap before. An NMI writes a line on one of the cores, in the
 * midst of that core's own: a third writer, all of whose steps come between two steps of the other.
 * The model lets it run freely, which includes that; and no step of put_line() waits for anything,
 * so it gets through while the interrupted one stands still. A reader follows. When the writers are
 * through, the reader puts one more line in and reads to the end: that line must come, and account
 * for all before it.
 *
 * A slot has its state and two words of content: `about` (line, index, length) and the text, which
 * is the line's number and the index again, so that a torn copy shows.
 *
 * Properties
 *     no fragment is read torn: a whole line has its own text in all its slots;
 *     a line that the reader gives up, or counts as missed, is really lost to it: a part of it was
 *     dropped or overwritten, or the head was more than a lap ahead of it;
 *     when all is at rest the log can be read to its end, and lines read + lines missed = lines
 *     written.
 *
 * Steps
 *     W1  claim_line  src/lib/log.c
 *     W2  take_slot   src/lib/log.c
 *     W3  fill_slot   src/lib/log.c
 *     W4  publish     src/lib/log.c
 *     R1  find_line   src/lib/log.c
 *     R2  look_at     src/lib/log.c
 *     R3  copy_slot   src/lib/log.c
 *     R4  copy_slot   src/lib/log.c
 *
 * Bugs
 *     BUG_CLAIM_IN_TWO      W1 loads the head and then stores it, not in one step
 *     BUG_TAKE_BUSY         W2 takes a slot that is BUSY for an older lap
 *     BUG_NO_SKIP_MARK      W2 drops a fragment and does not say so in `skipped`
 *     BUG_PUBLISH_FIRST     W4 comes before W3
 *     BUG_FIRST_SLOT_FIRST  W4 publishes the first slot first
 *     BUG_NO_R4             the state is not looked at again after the copy
 *
 * Unreached
 *     nmi_writer  1 statement: its line has one slot, so no second one is published
 *     reader      1 statement: the same
 */
#define SLOTS 3
#define LEAD  1 /* RESTART_LEAD */
#define LINES 4 /* with the reader's own */

#define NEVER   0
#define BUSY    1
#define DONE    2
#define SKIPPED 3

#define STATE(position, stage) ((position) * 4 + (stage))
#define STAGE(state) ((state) % 4)
#define REACHES(state, position) ((state) != NEVER && (state) / 4 >= (position))
#define SLOT(position) ((position) % SLOTS)
#define TEXT(line, index) ((line) * 2 + (index) + 1)

/* log_head: the claim word of the next line; positions begin one lap up */
byte head_position = SLOTS;
byte head_line;

byte state[SLOTS];
byte skipped[SLOTS];
byte about_line[SLOTS], about_index[SLOTS], about_length[SLOTS]; /* one word */
byte text[SLOTS];

byte writers = 3; /* not through yet */

/* what the properties speak of */
bool lost[LINES];
byte line_in[SLOTS]; /* whose fragment was put, or is being put, into the slot */
byte first_position[LINES];
byte overtaken_to; /* where the reader went on when it was overtaken */

#define is_lost(line)                                                                              \
    (lost[line] || first_position[line] < overtaken_to ||                                          \
     first_position[line] + SLOTS < head_position)

/* One line of `length` slots: put_line() with all that it calls. */
inline put_line(length)
{
    /* W1 */
#if defined(BUG_CLAIM_IN_TWO)
    d_step { claim = head_position; line = head_line }
    d_step {
        head_position = claim + length; head_line = line + 1;
        first_position[line] = claim
    }
#else
    d_step {
        claim = head_position; line = head_line;
        head_position = claim + length; head_line++;
        first_position[line] = claim
    }
#endif
    for (i : 0 .. length - 1) {
        d_step {
            seen = state[SLOT(claim + i)];
            if
            :: REACHES(seen, claim + i) -> /* W2: of a newer lap */
                lost[line] = true; drop = true; mark = false
#if !defined(BUG_TAKE_BUSY)
            :: !REACHES(seen, claim + i) && STAGE(seen) == BUSY -> /* W2: of an older lap's writer */
                lost[line] = true; drop = true; mark = true
#endif
            :: else -> /* W2: taken */
                if
                :: seen != NEVER -> lost[line_in[SLOT(claim + i)]] = true
                :: else
                fi;
                state[SLOT(claim + i)] = STATE(claim + i, BUSY);
                line_in[SLOT(claim + i)] = line;
                drop = false; mark = false
            fi;
            seen = 0
        }
        if
#if defined(BUG_NO_SKIP_MARK)
        :: drop
#else
        :: drop && !mark
        :: d_step {
                drop && mark -> /* W2: mark_skipped() */
                if
                :: !REACHES(skipped[SLOT(claim + i)], claim + i) ->
                    skipped[SLOT(claim + i)] = STATE(claim + i, SKIPPED)
                :: else
                fi
            }
#endif
#if defined(BUG_PUBLISH_FIRST)
        :: !drop -> state[SLOT(claim + i)] = STATE(claim + i, DONE); /* W4 */
            d_step { /* W3 */
#else
        :: d_step { /* W3 */
                !drop ->
#endif
                about_line[SLOT(claim + i)] = line;
                about_index[SLOT(claim + i)] = i;
                about_length[SLOT(claim + i)] = length
            }
            text[SLOT(claim + i)] = TEXT(line, i); /* W3 */
#if defined(BUG_FIRST_SLOT_FIRST)
            state[SLOT(claim + i)] = STATE(claim + i, DONE) /* W4 */
#elif !defined(BUG_PUBLISH_FIRST)
            if
            :: i > 0 ->
                state[SLOT(claim + i)] = STATE(claim + i, DONE) /* W4 */
            :: else -> first_taken = true
            fi
#endif
        fi
    }
    if
    :: first_taken -> state[SLOT(claim)] = STATE(claim, DONE) /* W4: the first comes last */
    :: else
    fi;
    claim = 0; line = 0; i = 0; drop = false; mark = false; first_taken = false
}

active proctype interrupted_writer()
{
    byte claim, line, i, seen;
    bool drop, mark, first_taken;
    put_line(2);
    writers--
}

active proctype nmi_writer()
{
    byte claim, line, i, seen;
    bool drop, mark, first_taken;
    put_line(1);
    writers--
}

active proctype writer()
{
    byte claim, line, i, seen;
    bool drop, mark, first_taken;
    put_line(2);
    writers--
}

#define READY      0
#define LOST       1
#define UNFINISHED 2
#define OLDER      3 /* within look_at(): see whether it is skipped */

/* look_at(): `look` becomes what has become of a position. */
inline look_at(position)
{
    d_step { /* R2 */
        seen = state[SLOT(position)];
        if
        :: seen == STATE(position, DONE) -> look = READY
        :: seen == STATE(position, BUSY) -> look = UNFINISHED
        :: seen / 4 > position -> look = LOST
        :: else -> look = OLDER
        fi;
        seen = 0
    }
    if
    :: d_step { /* R2 */
            look == OLDER ->
            look = (REACHES(skipped[SLOT(position)], position) -> LOST : UNFINISHED)
        }
    :: look != OLDER
    fi
}

/* copy_slot(): `whole` says whether the copy is worth something. */
inline copy_slot(position)
{
    look_at(position);
    if
    :: d_step { /* R3 */
            look == READY ->
            line = about_line[SLOT(position)];
            index = about_index[SLOT(position)];
            length = about_length[SLOT(position)]
        }
        copied = text[SLOT(position)]; /* R3 */
#if defined(BUG_NO_R4)
        whole = true
#else
        whole = (state[SLOT(position)] == STATE(position, DONE)) /* R4 */
#endif
    :: else -> whole = false
    fi
}

active proctype reader()
{
    byte claim, i;                                /* as a writer, at the end */
    bool drop, mark, first_taken;
    byte cursor = SLOTS, expected;                /* struct log_cursor */
    byte at, seen, line, index, length, copied, look;
    byte first_line, first_length;
    bool whole, resting, last_written;
    byte read, missed, n;

    do
    :: true -> /* one log_read() */
        d_step { at = cursor; resting = (writers == 0) }
        do
        :: true -> /* find_line() */
            d_step { /* R1 */
                seen = head_position; n = 0;
                if
                :: seen > at + SLOTS -> at = seen + LEAD - SLOTS; overtaken_to = at
                :: else
                fi;
                whole = (seen > at); seen = 0
            }
            if
            :: !whole -> break
            :: else
            fi;
            look_at(at);
            if
            :: look == UNFINISHED -> whole = false; break
            :: else
            fi;
            copy_slot(at);
            if
            :: whole && index == 0 ->
                assert(copied == TEXT(line, 0));
                d_step { first_line = line; first_length = length }
                if
                :: first_line > expected -> /* format_missed() */
                    d_step {
                        for (n : expected .. first_line - 1) {
                            assert(is_lost(n))
                        }
                        missed = missed + first_line - expected;
                        cursor = at; expected = first_line; n = 0
                    }
                    break
                :: else -> /* format_line() */
                    assert(first_line == expected);
                    if
                    :: first_length == 2 ->
                        copy_slot(at + 1);
                        if
                        :: whole -> assert(copied == TEXT(first_line, 1))
                        :: else -> assert(is_lost(first_line))
                        fi
                    :: else
                    fi;
                    if
                    :: whole ->
                        d_step {
                            read++;
                            expected = first_line + 1;
                            cursor = at + first_length
                        }
                        break
                    :: else
                    fi
                fi
            :: else
            fi;
            at++
        od;
        atomic { line = 0; index = 0; length = 0; copied = 0; look = 0; first_line = 0;
                 first_length = 0 }
        if
        :: whole -> at = 0 /* there may be more */
        :: else -> /* the end of the log, for now */
            d_step { cursor = at; at = 0 }
            if
            :: resting && last_written -> break
            :: resting && !last_written -> put_line(1); last_written = true
            :: else
            fi
        fi
    od;
    assert(expected == head_line);
    assert(read + missed == head_line)
}
