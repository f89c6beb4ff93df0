import { pythonLanguage } from "@codemirror/lang-python";

export default pythonLanguage;
