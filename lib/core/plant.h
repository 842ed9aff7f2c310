/* Planted bugs: proof that the simulator would find real ones. A build with -DSL_PLANT=n has bug n
 * and no other; an ordinary build has none, and SL_PLANTED(n) is a constant 0 there.
 *
 *   1  lost record          a retried batch is dropped and its outcome is that of an acknowledged one
 *   2  duplicate            a batch whose answer was lost is sent again as new, with a new sequence
 *   3  reorder              a retried batch goes behind the batches that follow it
 *   4  false "written"      an expired batch that no broker answered for is reported as written
 *   5  buffer reused        the memory of an expired batch goes back while a request refers to it
 *   6  wrong tags           a wire chunk that becomes a batch has its tags in reverse
 *   7  one tag              records of a wire chunk that are encoded anew all have the first one's tag
 *   8  early commit         what was handed out is committed, finished or not
 *   9  cut unnoticed        a new leader is fetched from without asking what became of its log
 *  10  unpacked astray      records that were decompressed ahead are taken for those of another batch
 *  11  session outlived     a connection does not authenticate anew before its session ends
 *  12  placed astray        a wire chunk of records with keys goes to the partition after its own */
#ifndef SL_CORE_PLANT_H
#define SL_CORE_PLANT_H

#ifdef SL_PLANT
#define SL_PLANTED(n) (SL_PLANT == (n))
#else
#define SL_PLANTED(n) 0
#endif

#endif
