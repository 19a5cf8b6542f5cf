// What static/composer/editor.js uses of CodeMirror. `build.sh` bundles this module into one file.
export { EditorState } from "@codemirror/state";
export { EditorView, keymap, lineNumbers, drawSelection } from "@codemirror/view";
export { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
export { autocompletion, completionKeymap, closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
export {
  HighlightStyle, LanguageSupport, StreamLanguage, bracketMatching, syntaxHighlighting,
} from "@codemirror/language";
export { lintGutter, setDiagnostics } from "@codemirror/lint";
export { html, htmlCompletionSource } from "@codemirror/lang-html";
export { liquid } from "@codemirror/lang-liquid";
export { tags } from "@lezer/highlight";
