// An editor with Liquid's colours and completion in place of a text field. It stands in a shadow root, because
// CodeMirror puts its styles there as constructed style sheets, which the site's policy allows without a nonce.
import {
  EditorState, EditorView, HighlightStyle, LanguageSupport, StreamLanguage, autocompletion, bracketMatching,
  closeBrackets, closeBracketsKeymap, completionKeymap, defaultKeymap, drawSelection, history, historyKeymap, html,
  htmlCompletionSource, keymap, lineNumbers, lintGutter, liquid, setDiagnostics, syntaxHighlighting, tags,
} from "../vendor/codemirror/codemirror.js";

const COLORS = HighlightStyle.define([
  { tag: [tags.keyword, tags.controlKeyword, tags.operatorKeyword], color: "var(--n-accent-ink)", fontWeight: "600" },
  { tag: [tags.variableName, tags.propertyName], color: "var(--n-accent-ink)" },
  { tag: [tags.string, tags.attributeValue], color: "var(--n-good)" },
  { tag: [tags.tagName, tags.angleBracket], color: "var(--n-info)" },
  { tag: [tags.attributeName, tags.function(tags.variableName)], color: "var(--n-warn)" },
  { tag: [tags.brace, tags.processingInstruction], color: "var(--n-accent-ink)" },
  { tag: [tags.comment, tags.lineComment, tags.blockComment], color: "var(--n-muted)", fontStyle: "italic" },
]);

const THEME = EditorView.theme({
  "&": { color: "var(--n-text)", backgroundColor: "var(--n-surface)", border: "1px solid var(--n-line)", borderRadius: "8px", fontSize: "13.5px" },
  "&.cm-focused": { outline: "2px solid var(--n-accent)", outlineOffset: "1px" },
  ".cm-content": { fontFamily: "inherit", padding: "7px 0", caretColor: "var(--n-text)" },
  ".cm-line": { padding: "0 11px" },
  ".cm-scroller": { fontFamily: "inherit", lineHeight: "1.5", maxHeight: "560px" },
  "&.is-html .cm-scroller, &.is-html .cm-content": { fontFamily: "ui-monospace, SFMono-Regular, Menlo, monospace", fontSize: "12.5px" },
  ".cm-gutters": { backgroundColor: "var(--n-raised)", color: "var(--n-muted)", border: "0" },
  ".cm-cursor": { borderLeftColor: "var(--n-text)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground, .cm-content ::selection": { backgroundColor: "var(--n-accent-soft) !important" },
  ".cm-tooltip": { backgroundColor: "var(--n-surface)", color: "var(--n-text)", border: "1px solid var(--n-line)", borderRadius: "8px", overflow: "hidden" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--n-accent)", color: "var(--n-accent-text)" },
  ".cm-completionDetail": { color: "inherit", opacity: ".8" },
  ".cm-diagnostic": { padding: "6px 10px" },
  ".cm-matchingBracket": { backgroundColor: "var(--n-accent-soft) !important" },
});

export function openEditor(field, variables, texts) {
  const kind = field.dataset.liquid;
  const label = field.labels[0]?.firstChild?.textContent.trim() ?? "";
  const host = document.createElement("div");
  host.className = `composer__editor composer__editor--${kind}`;
  const root = host.attachShadow({ mode: "open" });
  field.before(host);
  field.hidden = true;
  field.labels[0]?.addEventListener("click", () => view.focus());
  const view = new EditorView({
    parent: root,
    root,
    state: EditorState.create({ doc: field.value, extensions: extensions(field, kind, label, variables) }),
  });
  return {
    markMistakes(mistakes) {
      const found = mistakes.map((mistake) => {
        const line = view.state.doc.line(Math.min(Math.max(mistake.line, 1), view.state.doc.lines));
        const from = Math.min(line.from + mistake.column - 1, line.to);
        return { from, to: Math.min(from + 1, line.to), severity: "error", message: mistake.message };
      });
      view.dispatch(setDiagnostics(view.state, found));
    },
    insert(text, replaces) {
      const { from, to } = replaces ? { from: 0, to: view.state.doc.length } : view.state.selection.main;
      view.dispatch({ changes: { from, to, insert: text }, selection: { anchor: from + text.length } });
      view.focus();
    },
  };
}

function extensions(field, kind, label, variables) {
  const attributes = { "aria-label": label, "aria-multiline": String(kind !== "line"), spellcheck: String(kind !== "html") };
  const all = [
    THEME,
    syntaxHighlighting(COLORS),
    history(),
    drawSelection(),
    bracketMatching(),
    closeBrackets(),
    autocompletion({ icons: false, override: [completions(variables), ...(kind === "html" ? [htmlCompletionSource] : [])] }),
    keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...defaultKeymap]),
    language(kind),
    EditorView.lineWrapping,
    EditorView.contentAttributes.of(attributes),
    EditorView.updateListener.of((update) => {
      if (!update.docChanged) return;
      field.value = update.state.doc.toString();
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }),
  ];
  if (kind === "line") all.push(EditorState.transactionFilter.of((change) => (change.newDoc.lines > 1 ? [] : change)));
  if (kind === "html") all.push(lineNumbers(), lintGutter(), EditorView.editorAttributes.of({ class: "is-html" }));
  return all;
}

function language(kind) {
  return liquid({ base: kind === "html" ? html() : new LanguageSupport(StreamLanguage.define(PLAIN)) });
}

const PLAIN = { name: "plain", token: (stream) => void stream.skipToEnd() };

// `variables` is read at each completion: the template may read new ones since
function completions(variables) {
  const named = (type) => (label) => ({ label, type });
  const choices = (before) => {
    if (/\|\s*\w*$/.test(before)) return variables.filters.map(named("function"));
    if (/^\{%-?\s*\w*$/.test(before)) return variables.tags.map(named("keyword"));
    const path = /([\w.]+)\.\w*$/.exec(before)?.[1];
    if (path === "recipient") return [...variables.recipient, "attributes"].map(named("property"));
    if (path === "recipient.attributes") return variables.attributes.map(named("property"));
    return path ? [] : ["recipient", ...variables.links, ...variables.data].map(named("variable"));
  };
  return (context) => {
    const before = context.state.sliceDoc(Math.max(0, context.pos - 300), context.pos);
    const tag = /\{[{%](?:(?![}%]\}).)*$/s.exec(before)?.[0];
    const word = context.matchBefore(/\w*/);
    if (!tag || (word.from === word.to && !context.explicit && !/[.|{%]\s*$/.test(tag))) return null;
    const options = choices(tag);
    return options.length ? { from: word.from, options, validFor: /^\w*$/ } : null;
  };
}
