import { markdownKeymap, markdownLanguage } from "@codemirror/lang-markdown";
import { Prec } from "@codemirror/state";
import { keymap } from "@codemirror/view";

// GitHub's dialect, and lists that go on by themselves.
export default [markdownLanguage, Prec.high(keymap.of(markdownKeymap))];
