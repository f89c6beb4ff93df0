import { tsxLanguage } from "@codemirror/lang-javascript";

// TypeScript with JSX reads plain JavaScript too.
export default tsxLanguage;
