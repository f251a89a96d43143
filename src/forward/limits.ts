/** The largest message of the forward protocol, packed and unpacked, that is taken and that is sent. */
export const MOST_BYTES = 16 << 20;
/** What gzip may make of a byte, where it makes more than UNSUSPECTED_BYTES: text comes to a tenth of this, and a chunk of an agent is smaller. */
export const MOST_RATIO = 100;
export const UNSUSPECTED_BYTES = 4 << 20;
/** Of the rows that one steptap sends to another: what `steptap` in the option of a message says. */
export const ROWS_VERSION = 1;
