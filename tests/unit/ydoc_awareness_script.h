#ifndef YDOC_AWARENESS_SCRIPT_H
#define YDOC_AWARENESS_SCRIPT_H

/* What y-protocols 1.0.7 reports step by step. N: the time is now …; L: set the
 * local state; F: set its field "f"; A: apply an update; R: remove a client; T: the
 * timer; E: encode all states. "+" added, "~" updated, "-" removed. */
static const struct {
    const char *step, *log;
} awareness_script[] = {
    {"A 030302046e756c6cffffffff0f00046e756c6cffffffff0f00046e756c6c", ""},
    {"A 0307011a7b2261223a312c2262223a5b312c7b2278223a6e756c6c7d5d7d01020566616c73650802022222",
     "change remote +7,1,8 ~ -;update remote +7,1,8 ~ -;"},
    {"N 1001000", ""},
    {"T", ""},
    {"A 00", ""},
    {"A 030201055b312c325d02011a7b2261223a312c2262223a5b312c7b2278223a6e756c6c7d5d7d0101046e756c6c",
     "change remote +2 ~ -;update remote +2 ~ -;"},
    {"N 1006704", ""},
    {"A 00", ""},
    {"A 00", ""},
    {"R 8", "change remote + ~ -8;update remote + ~ -8;"},
    {"A "
     "030304347b2275736572223a7b226e616d65223a22c3a95c6e222c22636f6c6f72223a2223666666227d2c2231302"
     "23a312c2232223a327d0304032278220700046e756c6c",
     "change remote + ~3 -;update remote + ~3 -;"},
    {"N 1008556", ""},
    {"F {\"a\":1}", "change local + ~100 -;update local + ~100 -;"},
    {"L {\"b\":[1,{\"x\":null}],\"a\":1}", "change local + ~100 -;update local + ~100 -;"},
    {"A 00", ""},
    {"F {\"a\":1}", "change local + ~100 -;update local + ~100 -;"},
    {"N 1015612", ""},
    {"N 1015692", ""},
    {"A 00", ""},
    {"L ", "change local + ~ -100;update local + ~ -100;"},
    {"A 00", ""},
    {"N 1016692", ""},
    {"T", ""},
    {"A 02020202222202020130", "change remote + ~2 -;update remote + ~2 -;"},
    {"E", "0407011a7b2261223a312c2262223a5b312c7b2278223a6e756c6c7d5d7d0102046e756c6c0202046e756c6c"
          "0304347b2232223a322c223130223a312c2275736572223a7b226e616d65223a22c3a95c6e222c22636f6c6f"
          "72223a2223666666227d7d"},
    {"E", "0407011a7b2261223a312c2262223a5b312c7b2278223a6e756c6c7d5d7d0102046e756c6c0202046e756c6c"
          "0304347b2232223a322c223130223a312c2275736572223a7b226e616d65223a22c3a95c6e222c22636f6c6f"
          "72223a2223666666227d7d"},
    {"A 00", ""},
    {"A 00", ""},
    {"A 030306032278226403046e756c6c6403046e756c6c", "change remote + ~3 -;update remote + ~3 -;"},
    {"A 00", ""},
    {"N 1017692", ""},
    {"T", ""},
    {"A "
     "030804032278220804347b2275736572223a7b226e616d65223a22c3a95c6e222c22636f6c6f72223a22236666662"
     "27d2c223130223a312c2232223a327d08040566616c7365",
     "change remote + ~8 -;update remote + ~8 -;"},
    {"E", "0507011a7b2261223a312c2262223a5b312c7b2278223a6e756c6c7d5d7d0102046e756c6c0202046e756c6c"
          "030603227822080403227822"},
    {"A 0202030d7b20226122203a20312e30207d640303227822",
     "change remote + ~2 -;update remote + ~2 -;"},
    {"A 02020402222202041a7b2261223a312c2262223a5b312c7b2278223a6e756c6c7d5d7d",
     "change remote + ~2 -;update remote + ~2 -;"},
    {"L 0", "change local +100 ~ -;update local +100 ~ -;"},
    {"N 1033692", ""},
    {"T", "change timeout + ~ -7,1;update timeout + ~ -7,1;"},
    {"N 1033944", ""},
    {"N 1039708", ""},
    {"A 00", ""},
    {"A 00", ""},
    {"L {\"user\":{\"name\":\"\xc3\xa9\\n\",\"color\":\"#fff\"},\"10\":1,\"2\":2}",
     "change local + ~100 -;update local + ~100 -;"},
    {"A 020702013001020130", "change remote + ~7 -;update remote + ~7 -;"},
    {"A 00", ""},
    {"N 1044579", ""},
    {"L {\"user\":{\"name\":\"\xc3\xa9\\n\",\"color\":\"#fff\"},\"10\":1,\"2\":2}",
     "update local + ~100 -;"},
    {"R 3", "change remote + ~ -3;update remote + ~ -3;"},
    {"R 3", ""},
    {"A 030203022222020501300101046e756c6c", "change remote + ~2 -;update remote + ~2 -;"},
    {"A 030703055b312c325d0104046e756c6cffffffff0f00046e756c6c",
     "change remote + ~7 -1;update remote + ~7 -1;"},
    {"A 00", ""},
    {"R 9007199254740991", ""},
    {"A 020206022222ffffffffffffff0f000130", "change remote + ~2 -;update remote + ~2 -;"},
    {"A 00", ""},
    {"A 00", ""},
    {"R 1", ""},
    {"L ", "change local + ~ -100;update local + ~ -100;"},
    {"A 01ffffffffffffff0f000130", ""},
    {"A 00", ""},
    {"F { \"a\" : 1.0 }", ""},
    {"A 00", ""},
    {"A 00", ""},
    {"N 1060579", ""},
    {"T", "change timeout + ~ -8;update timeout + ~ -8;"},
    {"A 00", ""},
    {"A 00", ""},
    {"A 00", ""},
    {"A 00", ""},
    {"L \"\"", "change local +100 ~ -;update local +100 ~ -;"},
    {"N 1063680", ""},
    {"E", "030206046e756c6c0703055b312c325d6409046e756c6c"},
    {"A 01ffffffffffffff0f00046e756c6c", ""},
    {"R 3", ""},
    {"E", "030206046e756c6c0703055b312c325d6409046e756c6c"},
};

#endif
