/* ydoc_undo_samples - what yjs 13.6.33 gives for local edits and undos by client
 * 4000000001 with an undo manager over the roots t, a and m: whether each undo and redo did
 * something, the updates that were emitted, the state and what t and a hold at the end. Included by
 * test_ydoc_undo.c alone. */
enum op {
    INSERT, /* into t */
    DELETE,
    FORMAT,
    ADD,       /* a string to a */
    ADD_TEXT,  /* a text to a, with that content */
    REMOVE,    /* from a */
    INSERT_IN, /* into the first text of a */
    DELETE_IN,
    SET, /* a key of m */
    UNSET,
    UNDO,
    REDO,
    STOP,
    REMOTE, /* an update of somebody else's */
};

struct step {
    enum op op;
    const char *where;
    uint32_t index, len;
    const char *text;
};

#define STEPS_MAX 16
struct row {
    const char *name;
    struct step steps[STEPS_MAX]; /* up to one with `op` INSERT and no text */
    const char *done;
    const char *updates; /* hexadecimal, a space between */
    const char *state;
    const char *text; /* of t */
    const char *list; /* a as JSON */
};

static const char *const remotes[] = {
    "010107002801016d016b01770674686569727300",
    "01010700040101740674686569727300",
    "01010900c481d0acf30e0581d0acf30e060258590181d0acf30e010004",
};
static const struct row rows[] = {
    {"insert and back",
     {{INSERT, "t", 0, 0, "abc"},
      {UNDO, NULL, 0, 0, NULL},
      {REDO, NULL, 0, 0, NULL},
      {UNDO, NULL, 0, 0, NULL}},
     "111",
     "010181d0acf30e00040101740361626300 000181d0acf30e010003 "
     "010181d0acf30e034481d0acf30e000361626300 000181d0acf30e010303",
     "010281d0acf30e0004010174036162634481d0acf30e00036162630181d0acf30e010006",
     "",
     "[]"},
    {"a deletion inside a text",
     {{INSERT, "t", 0, 0, "abcdef"},
      {STOP, NULL, 0, 0, NULL},
      {DELETE, "t", 2, 2, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {REDO, NULL, 0, 0, NULL},
      {UNDO, NULL, 0, 0, NULL}},
     "111",
     "010181d0acf30e00040101740661626364656600 000181d0acf30e010202 "
     "010181d0acf30e06c481d0acf30e0181d0acf30e0202636400 000181d0acf30e010602 "
     "010181d0acf30e08c481d0acf30e0181d0acf30e0602636400",
     "010581d0acf30e00040101740261628481d0acf30e010263648481d0acf30e03026566c481d0acf30e0181d0acf30"
     "e02026364c481d0acf30e0181d0acf30e060263640181d0acf30e0202020602",
     "abcdef",
     "[]"},
    {"a deletion undone twice",
     {{INSERT, "t", 0, 0, "abcdef"},
      {STOP, NULL, 0, 0, NULL},
      {DELETE, "t", 2, 2, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {STOP, NULL, 0, 0, NULL},
      {DELETE, "t", 1, 4, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {UNDO, NULL, 0, 0, NULL}},
     "111",
     "010181d0acf30e00040101740661626364656600 000181d0acf30e010202 "
     "010181d0acf30e06c481d0acf30e0181d0acf30e0202636400 000181d0acf30e03010104010602 "
     "010381d0acf30e08c481d0acf30e0081d0acf30e010162c481d0acf30e0381d0acf30e040165c481d0acf30e0181d"
     "0acf30e0602636400 000181d0acf30e03000105010804",
     "010981d0acf30e000401017401618481d0acf30e0001628481d0acf30e010263648481d0acf30e0301658481d0acf"
     "30e040166c481d0acf30e0181d0acf30e02026364c481d0acf30e0081d0acf30e010162c481d0acf30e0381d0acf3"
     "0e040165c481d0acf30e0181d0acf30e060263640181d0acf30e01000c",
     "",
     "[]"},
    {"captured together",
     {{INSERT, "t", 0, 0, "a"},
      {INSERT, "t", 1, 0, "b"},
      {DELETE, "t", 0, 1, NULL},
      {STOP, NULL, 0, 0, NULL},
      {INSERT, "t", 1, 0, "c"},
      {UNDO, NULL, 0, 0, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {REDO, NULL, 0, 0, NULL},
      {REDO, NULL, 0, 0, NULL}},
     "1111",
     "010181d0acf30e0004010174016100 010181d0acf30e018481d0acf30e00016200 000181d0acf30e010001 "
     "010181d0acf30e028481d0acf30e01016300 000181d0acf30e010201 000181d0acf30e010101 "
     "010181d0acf30e03c481d0acf30e0081d0acf30e01016200 "
     "010181d0acf30e04c481d0acf30e0181d0acf30e02016300",
     "010581d0acf30e000401017401618481d0acf30e0001628481d0acf30e010163c481d0acf30e0081d0acf30e01016"
     "2c481d0acf30e0181d0acf30e0201630181d0acf30e010003",
     "bc",
     "[]"},
    {"an edit ends redoing",
     {{INSERT, "t", 0, 0, "a"},
      {STOP, NULL, 0, 0, NULL},
      {INSERT, "t", 1, 0, "b"},
      {UNDO, NULL, 0, 0, NULL},
      {INSERT, "t", 1, 0, "c"},
      {REDO, NULL, 0, 0, NULL},
      {UNDO, NULL, 0, 0, NULL}},
     "101",
     "010181d0acf30e0004010174016100 010181d0acf30e018481d0acf30e00016200 000181d0acf30e010101 "
     "010181d0acf30e028481d0acf30e01016300 000181d0acf30e010201",
     "010281d0acf30e000401017401618481d0acf30e000262630181d0acf30e010102",
     "a",
     "[]"},
    {"formats",
     {{INSERT, "t", 0, 0, "abcd"},
      {STOP, NULL, 0, 0, NULL},
      {FORMAT, "t", 1, 2, "{\"b\":true}"},
      {STOP, NULL, 0, 0, NULL},
      {FORMAT, "t", 0, 4, "{\"b\":null}"},
      {UNDO, NULL, 0, 0, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {REDO, NULL, 0, 0, NULL}},
     "111",
     "010181d0acf30e0004010174046162636400 "
     "010281d0acf30e04c681d0acf30e0081d0acf30e0101620474727565c681d0acf30e0281d0acf30e030162046e756"
     "c6c00 000181d0acf30e010402 "
     "010281d0acf30e06c681d0acf30e0081d0acf30e0401620474727565c681d0acf30e0281d0acf30e050162046e756"
     "c6c00 000181d0acf30e010602 "
     "010281d0acf30e08c681d0acf30e0081d0acf30e0601620474727565c681d0acf30e0281d0acf30e070162046e756"
     "c6c00",
     "010981d0acf30e000401017401618481d0acf30e000262638481d0acf30e020164c681d0acf30e0081d0acf30e010"
     "1620474727565c681d0acf30e0281d0acf30e030162046e756c6cc681d0acf30e0081d0acf30e0401620474727565"
     "c681d0acf30e0281d0acf30e050162046e756c6cc681d0acf30e0081d0acf30e0601620474727565c681d0acf30e0"
     "281d0acf30e070162046e756c6c0181d0acf30e010404",
     "abcd",
     "[]"},
    {"a surrogate pair that was cut",
     {{INSERT, "t", 0, 0, "a😀b"},
      {STOP, NULL, 0, 0, NULL},
      {DELETE, "t", 2, 1, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {REDO, NULL, 0, 0, NULL}},
     "11",
     "010181d0acf30e00040101740661f09f98806200 000181d0acf30e010201 "
     "010181d0acf30e04c481d0acf30e0181d0acf30e0203efbfbd00 000181d0acf30e010401",
     "010481d0acf30e00040101740461efbfbd8481d0acf30e0103efbfbd8481d0acf30e020162c481d0acf30e0181d0a"
     "cf30e0203efbfbd0181d0acf30e0202010401",
     "a�b",
     "[]"},
    {"nested text comes back filled",
     {{ADD_TEXT, "a", 0, 0, "abc"},
      {STOP, NULL, 0, 0, NULL},
      {REMOVE, "a", 0, 1, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {REDO, NULL, 0, 0, NULL},
      {UNDO, NULL, 0, 0, NULL}},
     "111",
     "010281d0acf30e000701016102040081d0acf30e000361626300 000181d0acf30e010004 "
     "010281d0acf30e044781d0acf30e0002040081d0acf30e040361626300 000181d0acf30e010404 "
     "010281d0acf30e084781d0acf30e0402040081d0acf30e080361626300",
     "010681d0acf30e000701016102040081d0acf30e00036162634781d0acf30e0002040081d0acf30e0403616263478"
     "1d0acf30e0402040081d0acf30e08036162630181d0acf30e010008",
     "",
     "[\"abc\"]"},
    {"an edit in a type that came back",
     {{ADD_TEXT, "a", 0, 0, "abc"},
      {STOP, NULL, 0, 0, NULL},
      {INSERT_IN, "a", 1, 0, "X"},
      {STOP, NULL, 0, 0, NULL},
      {REMOVE, "a", 0, 1, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {STOP, NULL, 0, 0, NULL},
      {INSERT_IN, "a", 4, 0, "Y"},
      {UNDO, NULL, 0, 0, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {UNDO, NULL, 0, 0, NULL}},
     "1111",
     "010281d0acf30e000701016102040081d0acf30e000361626300 "
     "010181d0acf30e04c481d0acf30e0181d0acf30e02015800 000181d0acf30e010005 "
     "010481d0acf30e054781d0acf30e0002040081d0acf30e0501618481d0acf30e06026263c481d0acf30e0681d0acf"
     "30e07015800 010181d0acf30e0a8481d0acf30e08015900 000181d0acf30e010a01 000181d0acf30e010901 "
     "000181d0acf30e010504",
     "010981d0acf30e000701016102040081d0acf30e0001618481d0acf30e01026263c481d0acf30e0181d0acf30e020"
     "1584781d0acf30e0002040081d0acf30e0501618481d0acf30e06026263c481d0acf30e0681d0acf30e0701588481"
     "d0acf30e0801590181d0acf30e01000b",
     "",
     "[]"},
    {"a type between others",
     {{ADD, "a", 0, 0, "p"},
      {ADD_TEXT, "a", 1, 0, "abc"},
      {ADD, "a", 2, 0, "q"},
      {STOP, NULL, 0, 0, NULL},
      {DELETE_IN, "a", 1, 1, NULL},
      {STOP, NULL, 0, 0, NULL},
      {REMOVE, "a", 0, 3, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {REDO, NULL, 0, 0, NULL},
      {REDO, NULL, 0, 0, NULL}},
     "1111",
     "010181d0acf30e00080101610177017000 "
     "010281d0acf30e018781d0acf30e0002040081d0acf30e010361626300 "
     "010181d0acf30e058881d0acf30e010177017100 000181d0acf30e010301 000181d0acf30e0200030402 "
     "010481d0acf30e064881d0acf30e0001770170c781d0acf30e0081d0acf30e0102040081d0acf30e07026163c881d"
     "0acf30e0181d0acf30e050177017100 010181d0acf30e0bc481d0acf30e0881d0acf30e09016200 "
     "000181d0acf30e010b01 000181d0acf30e010605",
     "010c81d0acf30e0008010161017701708781d0acf30e0002040081d0acf30e0101618481d0acf30e0201628481d0a"
     "cf30e0301638881d0acf30e01017701714881d0acf30e0001770170c781d0acf30e0081d0acf30e0102040081d0ac"
     "f30e0701618481d0acf30e080163c881d0acf30e0181d0acf30e0501770171c481d0acf30e0881d0acf30e0901620"
     "181d0acf30e01000c",
     "",
     "[]"},
    {"keys",
     {{SET, "k", 0, 0, "1"},
      {STOP, NULL, 0, 0, NULL},
      {SET, "k", 0, 0, "2"},
      {STOP, NULL, 0, 0, NULL},
      {UNSET, "k", 0, 0, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {REDO, NULL, 0, 0, NULL},
      {REDO, NULL, 0, 0, NULL},
      {REDO, NULL, 0, 0, NULL}},
     "111111",
     "010181d0acf30e002801016d016b0177013100 "
     "010181d0acf30e01a881d0acf30e00017701320181d0acf30e010001 000181d0acf30e010101 "
     "010181d0acf30e02a881d0acf30e010177013200 "
     "010181d0acf30e03a881d0acf30e02017701310181d0acf30e010201 000181d0acf30e010301 "
     "010181d0acf30e04a881d0acf30e030177013100 "
     "010181d0acf30e05a881d0acf30e04017701320181d0acf30e010401 000181d0acf30e010501",
     "010581d0acf30e002801016d016b01770131a881d0acf30e0001770132a881d0acf30e0101770132a881d0acf30e0"
     "201770131a881d0acf30e03027701317701320181d0acf30e010006",
     "",
     "[]"},
    {"a key that somebody set since",
     {{SET, "k", 0, 0, "1"},
      {STOP, NULL, 0, 0, NULL},
      {UNSET, "k", 0, 0, NULL},
      {REMOTE, NULL, 0, 0, NULL},
      {UNDO, NULL, 0, 0, NULL}},
     "1",
     "010181d0acf30e002801016d016b0177013100 000181d0acf30e010001 010107002101016d016b010107010001 "
     "010181d0acf30e01a881d0acf30e000177013100",
     "020281d0acf30e002801016d016b01770131a881d0acf30e00017701310107002101016d016b010281d0acf30e010"
     "00107010001",
     "",
     "[]"},
    {"text by others stays",
     {{INSERT, "t", 0, 0, "ours"},
      {REMOTE, NULL, 1, 0, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {REDO, NULL, 0, 0, NULL}},
     "11",
     "010181d0acf30e0004010174046f75727300 01010700040101740674686569727300 000181d0acf30e010004 "
     "010181d0acf30e04c4070581d0acf30e00046f75727300",
     "020281d0acf30e0004010174046f757273c4070581d0acf30e00046f7572730107000401017406746865697273018"
     "1d0acf30e010004",
     "theirsours",
     "[]"},
    {"the gap is filled by others",
     {{INSERT, "t", 0, 0, "abcdef"},
      {STOP, NULL, 0, 0, NULL},
      {DELETE, "t", 1, 4, NULL},
      {REMOTE, NULL, 1, 0, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {REDO, NULL, 0, 0, NULL}},
     "11",
     "010181d0acf30e00040101740661626364656600 000181d0acf30e010104 "
     "01010700040101740674686569727300 010181d0acf30e06c481d0acf30e0081d0acf30e01046263646500 "
     "000181d0acf30e010604",
     "020481d0acf30e000401017401618481d0acf30e0004626364658481d0acf30e040166c481d0acf30e0081d0acf30"
     "e01046263646501070004010174067468656972730181d0acf30e0201040604",
     "theirsaf",
     "[]"},
    {"deletions of two people",
     {{REMOTE, NULL, 1, 0, NULL},
      {INSERT, "t", 0, 0, "ours"},
      {STOP, NULL, 0, 0, NULL},
      {DELETE, "t", 0, 2, NULL},
      {DELETE, "t", 3, 2, NULL},
      {DELETE, "t", 0, 1, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {REDO, NULL, 0, 0, NULL},
      {UNDO, NULL, 0, 0, NULL}},
     "111",
     "01010700040101740674686569727300 010181d0acf30e00440700046f75727300 000181d0acf30e010002 "
     "000107010102 000181d0acf30e010201 010281d0acf30e044481d0acf30e00036f7572c40700070102686500 "
     "000181d0acf30e010405 010281d0acf30e094481d0acf30e04036f7572c4070081d0acf30e0702686500",
     "020681d0acf30e00440700036f7572c481d0acf30e02070001734481d0acf30e00036f7572c407000701026865448"
     "1d0acf30e04036f7572c4070081d0acf30e07026865030700040101740174840700026865840702036972730281d0"
     "acf30e020003040507010102",
     "ourstheirs",
     "[]"},
    {"deletions of two people, the other first",
     {{REMOTE, NULL, 1, 0, NULL},
      {INSERT, "t", 0, 0, "ours"},
      {STOP, NULL, 0, 0, NULL},
      {DELETE, "t", 6, 2, NULL},
      {DELETE, "t", 0, 2, NULL},
      {DELETE, "t", 0, 1, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {REDO, NULL, 0, 0, NULL},
      {UNDO, NULL, 0, 0, NULL}},
     "111",
     "01010700040101740674686569727300 010181d0acf30e00440700046f75727300 000107010202 "
     "000181d0acf30e010002 000181d0acf30e010201 "
     "010281d0acf30e04c4070107020265694481d0acf30e00036f757200 000181d0acf30e010405 "
     "010281d0acf30e09c4070181d0acf30e040265694481d0acf30e06036f757200",
     "020681d0acf30e00440700036f7572c481d0acf30e0207000173c4070107020265694481d0acf30e00036f7572c40"
     "70181d0acf30e040265694481d0acf30e06036f7572030700040101740274688407010265698407030272730281d0"
     "acf30e020003040507010202",
     "ourstheirs",
     "[]"},
    {"a copy that is cut",
     {{INSERT, "t", 0, 0, "abc"},
      {STOP, NULL, 0, 0, NULL},
      {INSERT, "t", 3, 0, "def"},
      {STOP, NULL, 0, 0, NULL},
      {DELETE, "t", 0, 6, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {REDO, NULL, 0, 0, NULL},
      {REDO, NULL, 0, 0, NULL},
      {REDO, NULL, 0, 0, NULL}},
     "111111",
     "010181d0acf30e00040101740361626300 010181d0acf30e038481d0acf30e020364656600 "
     "000181d0acf30e010006 010181d0acf30e064481d0acf30e000661626364656600 000181d0acf30e010903 "
     "000181d0acf30e010603 010181d0acf30e0c4481d0acf30e060361626300 "
     "010181d0acf30e0fc481d0acf30e0881d0acf30e090364656600 000181d0acf30e010c06",
     "010681d0acf30e0004010174036162638481d0acf30e02036465664481d0acf30e0003616263c481d0acf30e0881d"
     "0acf30e00036465664481d0acf30e0603616263c481d0acf30e0881d0acf30e09036465660181d0acf30e010012",
     "",
     "[]"},
    {"somebody writes into a type that came back",
     {{ADD_TEXT, "a", 0, 0, "abc"},
      {STOP, NULL, 0, 0, NULL},
      {DELETE_IN, "a", 1, 1, NULL},
      {STOP, NULL, 0, 0, NULL},
      {REMOVE, "a", 0, 1, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {REMOTE, NULL, 2, 0, NULL},
      {UNDO, NULL, 0, 0, NULL}},
     "11",
     "010281d0acf30e000701016102040081d0acf30e000361626300 000181d0acf30e010201 "
     "000181d0acf30e0200020301 010281d0acf30e044781d0acf30e0002040081d0acf30e0402616300 "
     "01010900c481d0acf30e0581d0acf30e0602585900 010181d0acf30e07c481d0acf30e0581d0acf30e06016200",
     "020881d0acf30e000701016102040081d0acf30e0001618481d0acf30e0101628481d0acf30e0201634781d0acf30"
     "e0002040081d0acf30e0401618481d0acf30e050163c481d0acf30e0581d0acf30e060162010900c481d0acf30e05"
     "81d0acf30e060258590181d0acf30e010004",
     "",
     "[\"aXYbc\"]"},
    {"nothing to do",
     {{UNDO, NULL, 0, 0, NULL}, {REDO, NULL, 0, 0, NULL}},
     "00",
     "",
     "0000",
     "",
     "[]"},
    {"values",
     {{ADD, "a", 0, 0, "a"},
      {ADD, "a", 1, 0, "b"},
      {ADD, "a", 2, 0, "c"},
      {STOP, NULL, 0, 0, NULL},
      {REMOVE, "a", 1, 1, NULL},
      {STOP, NULL, 0, 0, NULL},
      {ADD, "a", 1, 0, "x"},
      {UNDO, NULL, 0, 0, NULL},
      {UNDO, NULL, 0, 0, NULL},
      {REDO, NULL, 0, 0, NULL},
      {REDO, NULL, 0, 0, NULL},
      {UNDO, NULL, 0, 0, NULL}},
     "11111",
     "010181d0acf30e00080101610177016100 010181d0acf30e018881d0acf30e000177016200 "
     "010181d0acf30e028881d0acf30e010177016300 000181d0acf30e010101 "
     "010181d0acf30e03c881d0acf30e0081d0acf30e010177017800 000181d0acf30e010301 "
     "010181d0acf30e04c881d0acf30e0381d0acf30e010177016200 000181d0acf30e010401 "
     "010181d0acf30e05c881d0acf30e0081d0acf30e030177017800 000181d0acf30e010501",
     "010681d0acf30e0008010161017701618881d0acf30e00017701628881d0acf30e0101770163c881d0acf30e0081d"
     "0acf30e0101770178c881d0acf30e0381d0acf30e0101770162c881d0acf30e0081d0acf30e03017701780181d0ac"
     "f30e0201010303",
     "",
     "[\"a\",\"c\"]"},
};
